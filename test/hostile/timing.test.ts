/**
 * "No such order" against "not yours": the answers are the same bytes and take the same time. That no look-up comes before the credential is judged
 * is shown in test/api/one-order.test.ts and test/orders/ownership.test.ts; the times are compared here, because a test of structure sees only
 * what somebody thought of.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { withNumber } from "../support/life.ts";
import type { Bought } from "../support/server.ts";
import { hostileServer, median, ORDER } from "./server.ts";

const ROUTES = [
  { method: "GET", path: (id: string) => `${ORDER}/${id}` },
  { method: "POST", path: (id: string) => `${ORDER}/${id}/cancel` },
  { method: "POST", path: (id: string) => `${ORDER}/${id}/refund-invoice` },
] as const;
const randomId = () => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");

describe("a stranger cannot tell an order that exists from one that does not", () => {
  const server = hostileServer();
  let victim: Bought;
  let stranger: Bought;
  beforeAll(async () => {
    ({ bought: victim } = await withNumber(server(), { service: "tg", country: "US" }));
    ({ bought: stranger } = await withNumber(server(), { service: "tg", country: "US" }));
  });

  const credentials = (): Record<string, Record<string, string>> => ({
    none: {},
    garbage: { authorization: `L402 AAAA:${"0".repeat(64)}` },
    forged: { authorization: `L402 ${stranger.macaroon.slice(0, -4)}AAA=:${stranger.preimage}` },
    "of another order": { authorization: stranger.authorization },
    "of another order, unpaid": { authorization: `L402 ${stranger.macaroon}:` },
  });

  test("by the bytes of the answer", async () => {
    const told = async (id: string, route: (typeof ROUTES)[number], headers: Record<string, string>) => {
      const response = await fetch(`${server().origin}${route.path(id)}`, { method: route.method, headers });
      const name = response.headers.get("x-request-id") ?? "";
      const shown = [...response.headers].filter(([header]) => header !== "date" && header !== "x-request-id");
      return { status: response.status, headers: shown, body: (await response.text()).replaceAll(name, "") };
    };
    for (const [what, headers] of Object.entries(credentials())) {
      for (const route of ROUTES) {
        const exists = await told(victim.orderId, route, headers);
        for (const id of [randomId(), "0", victim.orderId.slice(1), victim.orderId.toUpperCase()]) {
          expect({ what, ...(await told(id, route, headers)) }).toEqual({ what, ...exists });
        }
      }
    }
    // Nor by asking for its number again.
    const request = { type: "receive-sms-reactivate", parentCredential: `${stranger.macaroon}:${stranger.preimage}` };
    for (const orderId of [victim.orderId, randomId()]) {
      const { status, error } = await server().ask({ ...request, orderId });
      expect({ status, ...error, requestId: "" }).toMatchObject({ status: 403, code: "INVALID_MACAROON" });
    }
  });

  test("by the time it takes", async () => {
    const headers = { authorization: stranger.authorization };
    const time = async (id: string): Promise<number> => {
      const began = performance.now();
      const response = await fetch(`${server().origin}${ORDER}/${id}`, { headers });
      await response.arrayBuffer();
      return performance.now() - began;
    };
    /** Both in turn, so that whatever else the machine does befalls both. The difference of the middles, as a part of the middle. */
    const difference = async (pairs: number): Promise<number> => {
      const exists: number[] = [];
      const missing: number[] = [];
      for (let n = 0; n < pairs; n++) {
        if (n % 2) exists.push(await time(victim.orderId));
        missing.push(await time(randomId()));
        if (n % 2 === 0) exists.push(await time(victim.orderId));
      }
      return (median(exists) - median(missing)) / median(missing);
    };
    await difference(50);
    const differences: number[] = [];
    // A look-up that only one of them makes would show each time; noise does not come back with the same sign.
    for (let round = 0; round < 4; round++) {
      differences.push(await difference(300));
      if (Math.abs(median(differences)) < 0.1 && differences.length > 1) break;
    }
    const all = differences.every((one) => one > 0.1) || differences.every((one) => one < -0.1);
    expect({ differences, all }).toEqual({ differences, all: false });
  });
});
