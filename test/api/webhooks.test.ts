import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { startApi } from "./server.ts";

const SECRET = "a-secret-of-22-chars-00";
const RENT = "/v2/l402/webhooks/rent";
const PUSH = {
  activationId: "123456",
  service: "tg",
  text: "Your code is 12345",
  code: "12345",
  country: 2,
  receivedAt: "2025-12-16T10:30:00.000000Z",
  phoneFrom: "89854",
};

describe("at the secret path", async () => {
  const api = await startApi({ webhookSecret: SECRET });
  afterAll(api.stop);
  beforeEach(() => {
    api.desk.hints.length = 0;
  });

  test("a push is a hint of its activation, as text or as number", async () => {
    for (const activationId of ["123456", 123456]) {
      const { status, body } = await api.post(`${RENT}/${SECRET}`, { ...PUSH, activationId });
      expect([status, body]).toEqual([200, { ok: true }]);
    }
    expect(api.desk.hints).toEqual(["123456", "123456"]);
    expect(api.desk.calls.every((call) => call === "hint")).toBe(true);
  });

  test("what makes no sense is answered with 200 too, or the provider would repeat it", async () => {
    for (const body of [
      "",
      "{",
      "[]",
      "null",
      "{}",
      "[".repeat(9_000),
      '{"activationId":null}',
      '{"activationId":""}',
      '{"activationId":"12a"}',
      '{"activationId":1.5}',
      '{"activationId":-1}',
      '{"activationId":1e30}',
      '{"activationId":{"a":1}}',
      `{"activationId":"${"1".repeat(21)}"}`,
      '{"__proto__":{"activationId":"1"}}',
    ]) {
      const { status, body: answer } = await api.post(`${RENT}/${SECRET}`, body);
      expect([body.slice(0, 40), status, answer]).toEqual([body.slice(0, 40), 200, { ok: true }]);
    }
    expect(api.desk.hints).toBeEmpty();
  });

  test("a wrong secret finds nothing, like any unknown path", async () => {
    for (const secret of ["x", `${SECRET}x`, SECRET.slice(1), SECRET.toUpperCase(), "%00", "x".repeat(4000)]) {
      const { status, body } = await api.post(`${RENT}/${secret}`, PUSH);
      expect([status, body.error.code]).toEqual([404, "NOT_FOUND"]);
    }
    expect((await api.post(RENT, PUSH)).status).toBe(404);
    expect(api.desk.hints).toBeEmpty();
  });

  test("too much is 413", async () => {
    expect((await api.post(`${RENT}/${SECRET}`, { ...PUSH, text: "x".repeat(17_000) })).status).toBe(413);
  });

  test("neither secret nor message is logged", async () => {
    api.logs.length = 0;
    await api.post(`${RENT}/${SECRET}`, PUSH);
    await api.post(`${RENT}/wrong-secret-canary`, PUSH);
    expect(api.logs).toHaveLength(2);
    const text = JSON.stringify(api.logs);
    for (const canary of [SECRET, "wrong-secret-canary", "12345", "89854"]) expect(text).not.toContain(canary);
  });
});

describe("by address", async () => {
  const allow = ["84.32.223.53", "2001:db8:5::/48"];
  const behindProxy = await startApi({ webhookAllow: allow, trustedProxies: ["127.0.0.1"] });
  const direct = await startApi({ webhookAllow: allow });
  const local = await startApi({ webhookAllow: ["127.0.0.0/8"] });
  afterAll(() => Promise.all([behindProxy.stop(), direct.stop(), local.stop()]));
  const from = (address: string) => ({ "x-forwarded-for": address });

  test("the provider's addresses are let in, as the proxy saw them", async () => {
    for (const address of ["84.32.223.53", "6.6.6.6, 84.32.223.53", "2001:db8:5:1::1", "::ffff:84.32.223.53"]) {
      expect((await behindProxy.post(RENT, PUSH, from(address))).status).toBe(200);
    }
    expect(behindProxy.desk.hints).toHaveLength(4);
  });

  test("others are not, also when they claim to be the provider", async () => {
    for (const address of ["6.6.6.6", "84.32.223.53, 6.6.6.6", "2001:db8:6::1", ""]) {
      expect((await behindProxy.post(RENT, PUSH, from(address))).status).toBe(404);
    }
    expect((await direct.post(RENT, PUSH, from("84.32.223.53"))).status).toBe(404);
    expect((await local.post(RENT, PUSH)).status).toBe(200);
  });

  test("without a configured secret that path is closed, even to an empty one", async () => {
    for (const path of [`${RENT}/${SECRET}`, `${RENT}/null`, `${RENT}/%20`]) {
      expect((await local.post(path, PUSH)).status).toBe(404);
    }
  });
});
