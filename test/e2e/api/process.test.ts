/** How the process starts, refuses to start, and stops. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withNumber } from "../../support/life.ts";
import { connect, raw } from "../../support/raw.ts";
import { type RunningServer, runToEnd, startServer } from "../../support/server.ts";

setDefaultTimeout(60_000);
const dirs: string[] = [];
function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "l402-process-"));
  dirs.push(dir);
  return dir;
}
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

test("no file of the data directory can be read by other users, also where the directory itself can", async () => {
  const dataDir = newDir();
  chmodSync(dataDir, 0o755);
  const server = await startServer({ dataDir });
  try {
    const open = readdirSync(dataDir).filter((name) => (statSync(join(dataDir, name)).mode & 0o077) !== 0);
    expect(readdirSync(dataDir)).toContain("orders.sqlite");
    expect(open).toEqual([]);
  } finally {
    await server.stop();
  }
});

test("what a killed restore left beside the database goes at the next start", async () => {
  const dataDir = newDir();
  for (const end of ["", "-journal"]) writeFileSync(join(dataDir, `orders.sqlite.restoring${end}`), "+15550100");
  await (await startServer({ dataDir })).stop();
  expect(readdirSync(dataDir).filter((name) => name.includes("restoring"))).toEqual([]);
});

test("a root.key that is made anew beside orders is an alarm", async () => {
  const dataDir = newDir();
  const alarm = "a new root.key was made";
  const first = await startServer({ dataDir });
  await first.challenge({ service: "tg", country: "US" });
  await first.stop();
  expect(first.output()).not.toContain(alarm);
  rmSync(join(dataDir, "root.key"));
  const second = await startServer({ dataDir });
  await second.stop();
  expect(second.output()).toContain(alarm);
});

describe("the configuration", () => {
  const refused = async (env: Record<string, string>) => {
    const { code, output } = await runToEnd({ DATA_DIR: newDir(), ...env });
    expect(code).toBe(2);
    expect(output).toStartWith("The configuration has mistakes:\n");
    // Before anything was started.
    expect(output).not.toMatch(/^Sandbox /m);
    return output;
  };

  test("of a node without a provider, or a provider without a node, is refused", async () => {
    const key = "CANARY-HEROSMS-4711";
    const macaroon = "cafe4711".repeat(8);
    const node = { LIGHTNING_URL: "lnd+http://127.0.0.1:1", LIGHTNING_MACAROON: macaroon };
    const [noProvider, noNode] = await Promise.all([refused(node), refused({ HEROSMS_API_KEY: key })]);
    expect(noProvider).toContain("HEROSMS_API_KEY is not");
    expect(noProvider).not.toContain(macaroon);
    expect(noNode).toContain("LIGHTNING_URL is not");
    expect(noNode).not.toContain(key);
  });

  test("that would fall back to the sandbox is refused where the sandbox is", async () => {
    expect(await refused({ REFUSE_SANDBOX: "1" })).toContain("Sandbox mode is refused here");
  });

  test("is told all its mistakes at once, none with a secret's value", async () => {
    const output = await refused({
      PORT: "70000",
      LOG_LEVEL: "loud",
      NOSTR_KEY: "nsec1CANARY",
      WEBHOOK_SECRET: "CANARY-short",
      ROOT_KEY: "CANARY-root",
      PRICE_MULTIPLIER: "minus one",
      TRUSTED_PROXIES: "localhost",
    });
    for (const name of "PORT LOG_LEVEL NOSTR_KEY WEBHOOK_SECRET ROOT_KEY PRICE_MULTIPLIER TRUSTED_PROXIES".split(" ")) {
      expect(output).toContain(`- ${name}`);
    }
    expect(output).not.toContain("CANARY");
  });

  test("can be checked without starting anything", async () => {
    expect(await runToEnd({ DATA_DIR: "/nonexistent" }, ["check-config"])).toMatchObject({ code: 0 });
    expect((await runToEnd({ PORT: "x" }, ["check-config"])).code).toBe(2);
  });

  test("that blocks what does not exist is refused: it would sell what somebody meant to forbid", async () => {
    const env = { BLOCKED_SERVICES: "tg,Telegrm", BLOCKED_COUNTRIES: "GB,Atlantis" };
    const output = await refused(env);
    expect(output).toContain('- BLOCKED_SERVICES names no service that is known: "Telegrm"; did you mean "Telegram"?');
    expect(output).toContain('- BLOCKED_COUNTRIES names no country that is known: "Atlantis"');
    expect(output.match(/ {2}- /g)).toHaveLength(2);
    expect((await runToEnd(env, ["check-config"])).output).toBe(output);
  });
});

test("a start that fails names the setting that is in its way", async () => {
  const file = join(newDir(), "file");
  writeFileSync(file, "");
  const ends = await Promise.all([
    runToEnd({ DATA_DIR: file }),
    runToEnd({ DATA_DIR: newDir(), HOST: "host.invalid" }),
    runToEnd({ DATA_DIR: newDir(), SANDBOX_URL: "http://127.0.0.1:1" }),
  ]);
  expect(ends.map(({ code }) => code)).toEqual([1, 1, 1]);
  const [directory, host, sandbox] = ends.map(({ output }) => output);
  expect(directory).toContain(`Cannot make DATA_DIR "${file}": `);
  expect(host).toContain('Cannot listen at HOST "host.invalid", PORT 0: ');
  expect(sandbox).toContain('Cannot reach SANDBOX_URL "http://127.0.0.1:1"');
});

describe("a data directory", () => {
  test("has one server: a second one refuses to start and harms nothing", async () => {
    const dataDir = newDir();
    const first = await startServer({ dataDir });
    const { bought } = await withNumber(first, { service: "tg", country: "US" });
    const { code, output } = await runToEnd({ DATA_DIR: dataDir });
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining("Another server uses this DATA_DIR") });
    expect(output).not.toMatch(/^API /m);
    expect(await first.read(bought)).toMatchObject({ status: "waiting_for_sms" });
    await first.kill();
    // The lock went with the process that held it.
    const second = await startServer({ dataDir });
    expect(await second.read(bought)).toMatchObject({ status: "waiting_for_sms" });
    expect(await second.stop()).toBe(0);
  });

  test("belongs to one node, provider account, network and mode for ever", async () => {
    const dataDir = newDir();
    const server = await startServer({ dataDir });
    await expectSignposts(server);
    await server.stop();
    const bound = bindingOf(dataDir);
    expect(bound).toMatchObject({ network: "bcrt", sandbox: true });
    expect(bound.nodePubkey).toMatch(/^0[23][0-9a-f]{64}$/);
    for (const [change, word] of [
      [{ providerAccount: "0123456789abcdef" }, "provider account"],
      [{ nodePubkey: `02${"ab".repeat(32)}` }, "Lightning node"],
      [{ network: "bc" }, "network"],
      [{ sandbox: false }, "mode (sandbox or not)"],
    ] as const) {
      bindingOf(dataDir, { ...bound, ...change });
      const { code, output } = await runToEnd({ DATA_DIR: dataDir });
      expect({ code, output }).toEqual({
        code: 1,
        output: expect.stringContaining(`This database belongs to another ${word}`),
      });
    }
    bindingOf(dataDir, bound);
    const again = await startServer({ dataDir });
    expect(await again.stop()).toBe(0);
  });
});

/** The start says where everything is. */
async function expectSignposts(server: RunningServer): Promise<void> {
  for (const name of ["API", "Docs", "Sandbox"]) {
    const url = new RegExp(`^${name} +(\\S+)`, "m").exec(server.output())?.[1];
    expect((await fetch(url ?? "")).status).toBe(200);
  }
}

/** What the database is bound to; `change` rewrites it. */
function bindingOf(dataDir: string, change?: Record<string, unknown>): Record<string, unknown> {
  const db = new Database(join(dataDir, "orders.sqlite"));
  try {
    if (change) db.run("UPDATE meta SET value = ? WHERE key = 'binding'", [JSON.stringify(change)]);
    const row = db.query<{ value: string }, []>("SELECT value FROM meta WHERE key = 'binding'").get();
    return JSON.parse(row?.value ?? "null") as Record<string, unknown>;
  } finally {
    db.close();
  }
}

describe("SIGTERM", () => {
  test("lets requests under way finish, sells nothing new, and loses nothing", async () => {
    const dataDir = newDir();
    const server = await startServer({ dataDir });
    const { bought, order } = await withNumber(server, { service: "tg", country: "US" });
    const body = '{"service":"tg"}';
    const head = (path: string, more = "") =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${more}\r\n`;
    const purchase = await connect(server.origin);
    purchase.send(`${head("/v2/l402/order")}${body.slice(0, 5)}`);
    const cancel = await connect(server.origin);
    const path = `/v2/l402/order/${bought.orderId}/cancel`;
    cancel.send(`${head(path, `Authorization: ${bought.authorization}\r\n`)}${body.slice(0, 5)}`);
    // Both are under way when another answer came over a connection of its own.
    expect(await raw(server.origin, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).toContain("200");

    const stopped = server.stop();
    while (!server.output().includes('"stopping"')) await Bun.sleep(2);
    purchase.send(body.slice(5));
    cancel.send(body.slice(5));
    const refusal = await purchase.answer;
    expect(refusal).toStartWith("HTTP/1.1 503");
    expect(refusal).toMatch(/retry-after: \d+/i);
    expect(refusal).toContain('"code":"TEMPORARILY_UNAVAILABLE"');
    expect(await cancel.answer).toContain('"code":"CANCEL_TOO_SOON"');
    expect(await stopped).toBe(0);
    expect(server.output()).toContain('"msg":"stopped"');
    expect(await fetch(`${server.origin}/livez`).catch(() => "refused")).toBe("refused");

    const again = await startServer({ dataDir });
    expect(await again.read(bought)).toMatchObject({ status: "waiting_for_sms", phoneNumber: order.phoneNumber });
    await again.sms(order.phoneNumber, "Telegram code: 482913");
    expect(await again.until(bought, ({ code }) => code !== null)).toMatchObject({ code: "482913" });
    expect(await again.stop()).toBe(0);
  });
});
