import { afterAll, beforeAll, expect, test } from "bun:test";
import { attenuate, decodeMacaroon, encodeMacaroon } from "../../../src/l402/macaroon.ts";
import { type RunningServer, startServer } from "../../support/server.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const narrowed = (macaroon: string, caveat: string): string => {
  const decoded = decodeMacaroon(new Uint8Array(Buffer.from(macaroon, "base64")));
  if (!decoded) throw new Error("Not a macaroon");
  return Buffer.from(encodeMacaroon(attenuate(decoded, caveat))).toString("base64");
};

test("a delegate who may not read sees no code, and does not start the owner's grace", async () => {
  const bought = await server.buy({ service: "tg", country: "US" });
  const { phoneNumber } = await server.until(bought, (order) => order.phoneNumber !== null);
  await server.sms(phoneNumber, "Code 482913");
  await server.advance(10);
  const authorization = `L402 ${narrowed(bought.macaroon, "sms_capabilities=cancel")}:${bought.preimage}`;
  const replay = await server.post("/v2/l402/order", {}, { authorization });
  expect(replay.status).toBe(200);
  expect(await replay.text()).not.toContain("482913");
  await server.advance(120);
  expect((await server.read(bought)).status).toBe("code_received");
  await server.advance(60);
  expect((await server.read(bought)).status).toBe("completed");
});

test("an invoice that has expired is not handed out again, even before it was swept", async () => {
  const challenge = await server.challenge({ service: "tg", country: "US" });
  await server.fault("node", "cancelinvoice", "http500", 1_000);
  await server.advance(330);
  const again = await server.post("/v2/l402/order", {}, { authorization: `L402 ${challenge.macaroon}:` });
  expect(again.status).toBe(402);
  expect(((await again.json()) as { invoice: string }).invoice).not.toBe(challenge.invoice);
  await server.control("DELETE", "/faults");
});
