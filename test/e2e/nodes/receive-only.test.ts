/** A wallet that can only receive: said at boot and in the health report, and nothing is sold that may need a refund. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { refundable, withNumber } from "../../support/life.ts";
import { type Peers, startPeers } from "../../support/peers.ts";
import type { RunningServer } from "../../support/server.ts";

setDefaultTimeout(60_000);
let peers: Peers;
let server: RunningServer;

beforeAll(async () => {
  peers = await startPeers("nwc");
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await peers.stop();
});

const lightning = async () => {
  const response = await fetch(`${server.origin}/health`);
  return (await response.json()) as { status: string; lightning: { ok: boolean; canRefund: boolean } };
};

test("LNbits is recognised, and what may need a refund is not sold while it is the wallet", async () => {
  await peers.fault("node", "get_info", "lnbits", 100_000);
  server = await peers.start();
  expect(server.output()).toContain("the node can only receive: no refundable order is sold");
  expect(server.output()).toContain("The wallet is LNbits");
  expect(await lightning()).toMatchObject({ status: "degraded", lightning: { ok: true, canRefund: false } });
  const { request } = await refundable(server);
  const refused = await server.post("/v2/l402/order", request);
  expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
    503,
    "TEMPORARILY_UNAVAILABLE",
  ]);
  // A rental is never refunded.
  await server.buy({ type: "rent-number", service: "full", country: "US", durationMinutes: 60 });
});

test("a connection that may pay after all is noticed within two minutes", async () => {
  await peers.control("DELETE", "/faults");
  await peers.advance(120);
  expect(await lightning()).toMatchObject({ lightning: { ok: true, canRefund: true } });
  await withNumber(server, (await refundable(server)).request);
});
