/** The `macaroon` command beside a running server: what an operator does for a customer, and what a customer does for an agent. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { encodeJson } from "../../../src/mpp/wire.ts";
import { sharedServer } from "../../support/life.ts";
import type { Bought } from "../../support/server.ts";
import { outcomeOf } from "../../support/spawn.ts";

setDefaultTimeout(30_000);
const server = sharedServer();

async function macaroon(args: readonly string[], input = ""): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../../src/main.ts"), "macaroon", ...args], {
    env: { PATH: process.env.PATH ?? "", DATA_DIR: server().dataDir },
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const { out, err, code } = await outcomeOf(child);
  return { code, output: (out + err).trim() };
}

const status = async (orderId: string, authorization: string): Promise<number> =>
  (await fetch(`${server().origin}/v2/l402/order/${orderId}`, { headers: { authorization } })).status;

async function until(holds: () => Promise<boolean>): Promise<void> {
  const giveUp = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > giveUp) throw new Error("It never came to hold");
    await Bun.sleep(50);
  }
}

const buy = (): Promise<Bought> => server().buy({ service: "telegram", country: "US" });

test("a token is shown for what it is, without its proof", async () => {
  const bought = await buy();
  const { code, output } = await macaroon(["inspect"], bought.authorization);
  expect(code).toBe(0);
  expect(output).toContain(`order         ${bought.orderId}`);
  expect(output).toContain(`payment hash  ${bought.paymentHash}`);
  expect(output).toContain("may           everything");
  expect(output).toContain("verdict       ours, and the invoice was paid");
  expect(output).not.toContain(bought.preimage);
  expect((await macaroon(["inspect"], bought.macaroon)).output).toContain("without proof of payment");
  const changed = `${bought.macaroon.slice(0, -6)}AAAA${bought.macaroon.slice(-2)}`;
  const broken = await macaroon(["inspect"], changed);
  expect({ code: broken.code, verdict: broken.output.includes("verdict       not ours") }).toEqual({
    code: 1,
    verdict: true,
  });
});

test("a narrowed token reads and does not cancel, for as long as it was given", async () => {
  const bought = await buy();
  const { code, output: narrow } = await macaroon(["attenuate", "--can", "read", "--for", "1h"], bought.macaroon);
  expect(code).toBe(0);
  const authorization = `L402 ${narrow}:${bought.preimage}`;
  expect(await status(bought.orderId, authorization)).toBe(200);
  const cancel = await server().call(`/v2/l402/order/${bought.orderId}/cancel`, { authorization });
  expect(cancel.status).toBe(403);
  const wider = await macaroon(["attenuate", "--can", "read,cancel"], narrow);
  expect({ code: wider.code, said: wider.output.split("\n")[0] }).toEqual({
    code: 2,
    said: "The token is narrower than that already",
  });
  await server().advance(3_700);
  expect(await status(bought.orderId, authorization)).toBe(403);
  expect(await status(bought.orderId, bought.authorization)).toBe(200);
});

test("a customer who lost the macaroon gets the same one again", async () => {
  const bought = await buy();
  expect(await macaroon(["mint", bought.orderId])).toEqual({ code: 0, output: bought.macaroon });
  expect(await macaroon(["mint", "f".repeat(32)])).toEqual({ code: 1, output: "No such order" });
});

test("a leaked credential is revoked while the server runs, in all its forms, and a new one opens the order", async () => {
  const challenge = await fetch(`${server().origin}/v2/l402/order`, { method: "POST", body: "{}" });
  const header = challenge.headers.get("www-authenticate") ?? "";
  const bought = await server().pay((await challenge.json()) as Parameters<ReturnType<typeof server>["pay"]>[0]);
  const other = await buy();
  const echo = Object.fromEntries(
    [...header.slice(header.indexOf("Payment ")).matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const payment = `Payment ${encodeJson({ challenge: echo, payload: { preimage: bought.preimage } })}`;
  expect(await status(bought.orderId, bought.authorization)).toBe(200);
  expect(await status(bought.orderId, payment)).toBe(200);

  expect((await macaroon(["revoke", bought.orderId])).code).toBe(0);
  await until(async () => (await status(bought.orderId, bought.authorization)) === 403);
  expect(await status(bought.orderId, payment)).toBe(403);
  expect(await status(other.orderId, other.authorization)).toBe(200);

  const { output: fresh } = await macaroon(["mint", bought.orderId]);
  expect(fresh).not.toBe(bought.macaroon);
  expect(await status(bought.orderId, `L402 ${fresh}:${bought.preimage}`)).toBe(200);
});
