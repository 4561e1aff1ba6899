/** The doctor as an operator runs it: a process of its own, beside a server that is selling. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type Bought, type RunningServer, startServer } from "../support/server.ts";

let server: RunningServer;
let bought: Bought;
let invoice: string;
beforeAll(async () => {
  server = await startServer();
  const challenge = await server.challenge({ service: "telegram", country: "auto" });
  invoice = challenge.invoice;
  bought = await server.pay(challenge);
  const waiting = await server.until(bought, (order) => order.status === "waiting_for_sms");
  await server.sms(waiting.phoneNumber, "Your code is 73519");
  await server.until(bought, (order) => order.code === "73519");
});
afterAll(() => server.stop());

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/main.ts"), ...args], {
    cwd: server.dataDir,
    env: { PATH: process.env.PATH ?? "", DATA_DIR: server.dataDir, PORT: new URL(server.origin).port },
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  return { code: await child.exited, text };
}

test("a running server's books are sound, in text and in JSON", async () => {
  const { code, text } = await run("doctor");
  expect(text).toContain("The books are sound.");
  expect(code).toBe(0);
  expect(JSON.parse((await run("doctor", "--json")).text)).toMatchObject({ clean: true, orders: 1 });
});

test("its order is found by id, payment hash and invoice, without its code", async () => {
  for (const words of [bought.orderId, bought.paymentHash, invoice]) {
    const { code, text } = await run("doctor", "find", words);
    expect([code, text.startsWith(`Order ${bought.orderId}`)]).toEqual([0, true]);
    for (const secret of ["73519", bought.preimage, invoice, bought.macaroon]) expect(text).not.toContain(secret);
  }
  expect((await run("doctor", "find", "f".repeat(64))).code).toBe(1);
});

test("its health check passes", async () => {
  expect((await run("healthcheck")).code).toBe(0);
});
