import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "../../support/server.ts";

const dataDir = mkdtempSync(join(tmpdir(), "l402-blocked-"));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

test("a reactivation is for the earlier order's service: that one may be blocked, no other matters", async () => {
  const first = await startServer({ dataDir, env: { BLOCKED_SERVICES: "ot" } });
  const parent = await first.buy({ service: "tg", country: "US" });
  const { phoneNumber } = await first.until(parent, (order) => order.phoneNumber !== null);
  await first.sms(phoneNumber, "Code 482913");
  await first.until(parent, (order) => order.code !== null);
  await first.advance(60);
  const again = { type: "receive-sms-reactivate", orderId: parent.orderId };
  const headers = { authorization: parent.authorization };
  expect((await first.post("/v2/l402/order", again, headers)).status).toBe(402);
  await first.stop();

  const second = await startServer({ dataDir, env: { BLOCKED_SERVICES: "tg" } });
  const refused = await second.post("/v2/l402/order", again, headers);
  expect(refused.status).toBe(409);
  await second.stop();
});
