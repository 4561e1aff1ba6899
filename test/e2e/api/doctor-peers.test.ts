/** The doctor as an operator runs it, with node and provider: beside a running server, and when it is stopped. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refundable } from "../../support/life.ts";
import { type Bought, runToEnd, startServer } from "../../support/server.ts";

setDefaultTimeout(60_000);

const dataDir = mkdtempSync(join(tmpdir(), "l402-doctor-peers-"));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

interface Report {
  readonly problem?: string;
  readonly peers: { readonly agrees: boolean; readonly strangers: { readonly total: number } };
}

async function doctor(env: Record<string, string>, ...args: string[]): Promise<Report & { code: number }> {
  const { code, output } = await runToEnd({ DATA_DIR: dataDir, ...env }, ["doctor", "--peers", "--json", ...args]);
  return { ...(JSON.parse(output) as Report), code };
}

let refunded: Bought;

test("beside a running server it compares, on the port of its sandbox, and repairs nothing", async () => {
  const server = await startServer({ dataDir });
  refunded = await server.buy((await refundable(server)).request);
  const open = await server.buy((await refundable(server, { country: "GB" })).request);
  await server.until(refunded, ({ status }) => status === "waiting_for_sms");
  await server.advance(200);
  await server.cancel(refunded);
  await server.until(refunded, ({ status }) => status === "refunded");
  await server.until(open, ({ status }) => status === "waiting_for_sms");
  // Beside what may be on its way.
  await server.advance(180);

  const env = { SANDBOX_PORT: new URL(server.sandbox).port };
  expect(await doctor(env)).toMatchObject({ code: 0, peers: { agrees: true, strangers: { total: 0 } } });
  expect(await doctor(env, "--repair")).toMatchObject({ code: 2, problem: expect.stringContaining("stop it first") });
  expect(await doctor({}, "--repair")).toMatchObject({ code: 2, problem: expect.stringContaining("SANDBOX_PORT") });
  expect(await server.stop()).toBe(0);
});

test("when it is stopped, it starts the sandbox on the same books for as long as it looks", async () => {
  expect(await doctor({}, "--repair")).toMatchObject({ code: 0, peers: { agrees: true, strangers: { total: 0 } } });
  const server = await startServer({ dataDir });
  expect((await server.read(refunded)).status).toBe("refunded");
  expect(await server.stop()).toBe(0);
});
