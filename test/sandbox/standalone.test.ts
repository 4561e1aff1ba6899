import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SCRIPT = join(import.meta.dir, "../../src/sandbox/standalone.ts");
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(env: Record<string, string>) {
  const dataDir = mkdtempSync(join(tmpdir(), "standalone-"));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const child = Bun.spawn([process.execPath, SCRIPT], {
    env: { ...process.env, DATA_DIR: dataDir, SANDBOX_PORT: "0", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  cleanups.push(() => child.kill("SIGKILL"));
  return child;
}

test("it prints where it listens and what it can be told, and ends cleanly on SIGTERM", async () => {
  const child = start({ SANDBOX_SMS_AFTER_MS: "off" });
  let printed = "";
  const reader = child.stdout.getReader();
  while (!printed.includes("GET /sandbox/provider")) {
    const { value, done } = await reader.read();
    if (done) break;
    printed += new TextDecoder().decode(value);
  }
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0] ?? "";
  expect((await fetch(`${url}/sandbox/wallet`)).status).toBe(200);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
});

test("it says which variable makes no sense", async () => {
  for (const [name, value] of [
    ["SANDBOX_PORT", "70000"],
    ["SANDBOX_SMS_AFTER_MS", "soon"],
    ["SANDBOX_BANS", "yes"],
    ["SANDBOX_NODE", "eclair"],
  ] as const) {
    const child = start({ [name]: value });
    expect(await child.exited).toBe(1);
    expect(await new Response(child.stderr).text()).toContain(name);
  }
});

test("a port that is taken, also by another sandbox, ends the start with the reason", async () => {
  const first = start({});
  const reader = first.stdout.getReader();
  const port = /:(\d+)/.exec(new TextDecoder().decode((await reader.read()).value))?.[1] ?? "";
  const second = start({ SANDBOX_PORT: port });
  expect(await second.exited).toBe(1);
  expect(await new Response(second.stderr).text()).toMatch(new RegExp(`^[^\n]*port ${port} in use[^\n]*\n$`));
});
