import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { fetchWithL402 } from "@getalby/lightning-tools/402";
import { PROBLEMS, type ProblemCode, problem } from "../../src/orders/problem.ts";
import { issue, withCaveats } from "../l402/fixtures.ts";
import { credentialOf } from "./desk.ts";
import { startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);
beforeEach(() => {
  api.desk.created.length = 0;
  api.desk.calls.length = 0;
  api.desk.bug = null;
  for (const name of ["create", "read", "cancel", "setRefundInvoice"] as const) delete api.desk.answers[name];
});

const ORDER = "/v2/l402/order";
const lastRequest = () => api.desk.created.at(-1)?.request;

describe("POST /v2/l402/order", () => {
  test("answers 402 with invoice and macaroon in body and header", async () => {
    const { status, headers, body } = await api.post(ORDER, { service: "tg" });
    const sold = api.desk.sold.get(body.orderId);
    expect(status).toBe(402);
    expect(body).toEqual({
      error: {
        code: "PAYMENT_REQUIRED",
        message: expect.any(String),
        suggestion: expect.any(String),
        retryable: true,
        requestId: expect.any(String),
      },
      orderId: sold?.challenge.orderId,
      status: "pending_payment",
      invoice: sold?.challenge.invoice,
      macaroon: sold?.challenge.macaroon,
      priceSats: 812,
      paymentHash: sold?.challenge.paymentHash,
      expiresAt: sold?.challenge.expiresAt,
      statusUrl: `${ORDER}/${body.orderId}`,
      pollIntervalMs: 5000,
    });
    expect(headers.get("www-authenticate")).toStartWith(`${sold?.challenge.header}, Payment id="`);
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("takes no body, an empty object and blanks for the default order", async () => {
    for (const body of [undefined, "", "  \n", "{}", "\ufeff{}"]) {
      expect((await api.post(ORDER, body)).status).toBe(402);
      expect(api.desk.created.at(-1)).toMatchObject({ request: {}, emptyBody: true, idempotencyKey: null });
    }
  });

  test("takes JSON under any content type, and under none", async () => {
    const types = ["application/json", "application/vnd.x+json", "text/plain", "multipart/form-data; boundary=x"];
    for (const type of [...types, "application/x-www-form-urlencoded", "not a type"]) {
      expect((await api.post(ORDER, '{"country":"GB"}', { "content-type": type })).status).toBe(402);
      expect(lastRequest()).toEqual({ country: "GB" });
    }
    const body = new Blob(['{"country":187}']);
    expect((await api.ask("POST", ORDER, { body })).status).toBe(402);
    expect(lastRequest()).toEqual({ country: 187 });
  });

  test("hands every known field to the desk, and nothing else", async () => {
    const npub = `npub1${"q".repeat(58)}`;
    const fields = {
      type: "rent-number",
      country: "United Kingdom",
      service: "telegram",
      refundInvoice: "lnbcrt1qqqq",
      maxPriceSats: 2_100_000_000_000_000,
      durationMinutes: 1,
      orderId: "0123456789abcdef",
    };
    const notify = { nostr: npub };
    await api.post(ORDER, { ...fields, notify: { ...notify, email: "x" }, tip: 5, problem: "none", parent: {} });
    expect(api.desk.created.at(-1)).toEqual({
      request: { ...fields, notify },
      emptyBody: false,
      client: "127.0.0.1",
      network: "127.0.0/24",
      idempotencyKey: null,
      bearer: null,
      unpaidBearer: null,
      parent: null,
    } as never);
  });

  test("takes null for absent", async () => {
    const nothing = { type: null, country: null, refundInvoice: null, maxPriceSats: null, notify: null };
    expect((await api.post(ORDER, { ...nothing, service: "tg" })).status).toBe(402);
    expect(lastRequest()).toEqual({ service: "tg" });
  });

  test("takes names of the prototype for what they are: unknown fields", async () => {
    const odd = '{"__proto__":{"country":"FR","service":"x"},"constructor":{"prototype":{"service":1}},"service":"tg"}';
    expect((await api.post(ORDER, odd)).status).toBe(402);
    expect(lastRequest()).toEqual({ service: "tg" });
    expect(Object.getPrototypeOf(lastRequest())).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).country).toBeUndefined();
  });

  test("takes the last of two fields of one name, as JSON.parse does", async () => {
    await api.post(ORDER, '{"service":"tg","service":"wa"}');
    expect(lastRequest()).toEqual({ service: "wa" });
  });

  test.each([
    ["type", ["receive", "", 1, [], {}, "RECEIVE-SMS"]],
    ["country", ["", "x".repeat(65), 1.5, -1, 1e9, true, [], { id: 1 }]],
    ["service", ["", "x".repeat(65), 7, ["tg"]]],
    ["refundInvoice", ["", "l".repeat(2049), 1, {}]],
    ["maxPriceSats", [0, -1, 1.5, "120", 2_100_000_000_000_001, Number.POSITIVE_INFINITY, [1], true]],
    ["durationMinutes", [0, 525_601, 1.5, "60"]],
    ["orderId", ["", "x".repeat(65), 5]],
    ["parentCredential", ["", "x".repeat(8193), 5]],
    ["notify", ["npub1x", 1, [], { nostr: "" }, { nostr: "n".repeat(129) }, { nostr: 1 }]],
  ])("refuses a wrong %s with 400 and names the field, not its value", async (field, values) => {
    const code = field === "refundInvoice" ? "INVALID_REFUND_INVOICE" : "VALIDATION_ERROR";
    for (const value of values) {
      const text = JSON.stringify({ [field]: value }).replace("null", "1e400");
      const { status, body } = await api.post(ORDER, text);
      expect(status).toBe(400);
      expect(body.error).toMatchObject({ code, field, retryable: false });
      expect(body.error.message).toStartWith(`Field "${field}" must be `);
    }
    expect(api.desk.created).toBeEmpty();
  });

  test("refuses what is no JSON object with 400 and does not quote it", async () => {
    const deep = `${"[".repeat(10_000)}${"]".repeat(5_000)}`;
    const bodies = ["{", '{"a":NaN}', "[]", "5", '"secretword"', "null", "true", "secretword", "{'a':1}", deep];
    for (const body of [...bodies, `{"a":${deep}}`, `{"a":${'{"a":'.repeat(40)}1${"}".repeat(40)}}`]) {
      const reply = await api.post(ORDER, body);
      expect(reply.status).toBe(400);
      expect(reply.body.error.code).toBe("VALIDATION_ERROR");
      expect(reply.text).not.toContain("secretword");
    }
    const latin1 = new Uint8Array([0x7b, 0x22, 0xe4, 0x22, 0x3a, 0x31, 0x7d]);
    expect((await api.ask("POST", ORDER, { body: latin1 })).status).toBe(400);
    expect(api.desk.created).toBeEmpty();
  });

  test("ignores unknown fields as deep as the limit, and brackets inside texts", async () => {
    const nested = `${"[".repeat(31)}${"]".repeat(31)}`;
    expect((await api.post(ORDER, `{"extra":${nested},"note":"${"[{".repeat(500)}\\""}`)).status).toBe(402);
  });

  test("passes a strong Idempotency-Key on, and refuses a weak one", async () => {
    const key = "k".repeat(22);
    expect((await api.post(ORDER, {}, { "idempotency-key": key })).status).toBe(402);
    expect(api.desk.created.at(-1)?.idempotencyKey).toBe(key);
    for (const weak of ["short", "k".repeat(21), "k".repeat(256), `${"k".repeat(22)} ${"k".repeat(22)}`, ""]) {
      const { status, body } = await api.post(ORDER, {}, { "idempotency-key": weak });
      expect(status).toBe(400);
      expect(body.error).toMatchObject({ code: "VALIDATION_ERROR", field: "Idempotency-Key" });
    }
  });

  test("answers every problem of the desk with its status, its facts and when to come back", async () => {
    const codes: ProblemCode[] = [
      "VALIDATION_ERROR",
      "INVALID_COUNTRY",
      "INVALID_REFUND_INVOICE",
      "REFUND_INVOICE_EXPIRES_TOO_SOON",
      "INVALID_MACAROON",
      "IDEMPOTENCY_CONFLICT",
      "PRICE_ABOVE_MAX",
      "UNAVAILABLE",
      "RATE_LIMITED",
      "TEMPORARILY_UNAVAILABLE",
    ];
    for (const code of codes) {
      api.desk.answers.create = problem(code, "Because", {
        suggestion: "Do that",
        retryAfterSeconds: 1.2,
        details: { nearest: ["x"], code: "MINE", requestId: "mine" },
      });
      const { status, headers, body } = await api.post(ORDER, {});
      expect(status).toBe(PROBLEMS[code].status);
      expect(headers.get("retry-after")).toBe("2");
      expect(body).toEqual({
        error: {
          code,
          message: "Because",
          suggestion: "Do that",
          retryable: PROBLEMS[code].retryable,
          retryAfterSeconds: 2,
          nearest: ["x"],
          requestId: headers.get("x-request-id"),
        },
      });
    }
  });

  test("answers a bug with 500 and no word of it, and logs it under the request's name", async () => {
    api.logs.length = 0;
    api.desk.bug = new Error("kaboom");
    const { status, text, body } = await api.post(ORDER, {});
    expect(status).toBe(500);
    expect(body.error).toMatchObject({ code: "INTERNAL", retryable: true });
    expect(text).not.toContain("kaboom");
    const { requestId } = body.error;
    expect(api.logs).toEqual([
      {
        level: "error",
        fields: { err: api.desk.bug, requestId, route: "POST /v2/l402/order" },
        message: "Request failed",
      },
      { level: "warn", fields: expect.objectContaining({ requestId, status: 500 }), message: "Answered" },
    ]);
  });
});

describe("a purchase with a credential", () => {
  test("hands a paid one on as the bearer, and returns its order with 200", async () => {
    const sold = api.desk.paid();
    const bearer = {
      orderId: sold.challenge.orderId,
      paymentHash: sold.challenge.paymentHash,
      capabilities: "all" as const,
    };
    const mac = sold.challenge.macaroon;
    for (const authorization of [
      credentialOf(sold),
      credentialOf(sold).replace("L402", "LSAT"),
      `l402 ${mac}:${sold.preimage.toUpperCase()}`,
      `LSAT ${mac}:${sold.preimage}, L402 ${mac}:${sold.preimage}`,
      `L402 L402 ${mac}:${sold.preimage}`,
      `L402 ${withCaveats(mac, `preimage=${sold.preimage}`)}:${sold.preimage}`,
    ]) {
      const { status, headers, body } = await api.post(ORDER, undefined, { authorization });
      expect(status).toBe(200);
      expect(body).toMatchObject({ orderId: bearer.orderId, status: "code_received", code: "12345" });
      expect(headers.get("cache-control")).toBe("no-store");
      expect(api.desk.created.at(-1)).toMatchObject({ bearer, unpaidBearer: null, emptyBody: true });
    }
    expect((await api.get(ORDER, { authorization: credentialOf(sold) })).status).toBe(200);
  });

  test("hands one without preimage on as unpaid, and repeats its invoice", async () => {
    const sold = api.desk.open();
    const { macaroon, orderId, invoice } = sold.challenge;
    for (const proof of ["", "0".repeat(64), "0".repeat(63)]) {
      const { status, body } = await api.post(ORDER, undefined, { authorization: `L402 ${macaroon}:${proof}` });
      expect(status).toBe(402);
      expect(body).toMatchObject({ orderId, invoice, macaroon });
      expect(api.desk.created.at(-1)).toMatchObject({ bearer: null, unpaidBearer: { orderId, macaroon } });
    }
  });

  test("is a fresh one when the credential is stale, foreign or garbage: 402, never 400, 401 or 403", async () => {
    const sold = api.desk.paid();
    const stale = withCaveats(sold.challenge.macaroon, "sms_valid_until=1000");
    for (const authorization of [
      "L402 :",
      "L402",
      "Bearer x",
      "Payment eyJhIjoxfQ",
      `Payment method="lightning", preimage="${sold.preimage}"`,
      `L402 ${stale}:${sold.preimage}`,
      `L402 ${withCaveats(sold.challenge.macaroon, "unknown=1")}:${sold.preimage}`,
      `L402 AAAA:${sold.preimage}`,
      `L402 ${"A".repeat(9 * 1024)}:${sold.preimage}`,
      "\u00ff\u00fe",
    ]) {
      const { status, body } = await api.post(ORDER, undefined, { authorization });
      expect(status).toBe(402);
      expect(body.orderId).not.toBe(sold.challenge.orderId);
      expect(api.desk.created.at(-1)).toMatchObject({ bearer: null, unpaidBearer: null });
    }
  });

  test("shows nothing of an order that its restricted credential may not read", async () => {
    const sold = api.desk.paid();
    const narrowed = withCaveats(sold.challenge.macaroon, "sms_capabilities=cancel");
    const { status, body } = await api.post(ORDER, undefined, { authorization: `L402 ${narrowed}:${sold.preimage}` });
    expect(status).toBe(200);
    expect(body).toMatchObject({ phoneNumber: null, code: null, messages: [] });
  });

  test("proves the earlier order by parentCredential, with the scheme word or without", async () => {
    const sold = api.desk.paid();
    const { orderId, paymentHash } = sold.challenge;
    for (const parentCredential of [credentialOf(sold), credentialOf(sold).slice(5)]) {
      await api.post(ORDER, { type: "receive-sms-reactivate", orderId, parentCredential });
      expect(api.desk.created.at(-1)).toMatchObject({
        bearer: null,
        parent: { orderId, paymentHash, capabilities: "all" },
        request: { type: "receive-sms-reactivate", orderId },
      });
      expect(lastRequest()).not.toHaveProperty("parentCredential");
    }
    for (const parentCredential of ["garbage", `${sold.challenge.macaroon}:`, `${issue()}:${"1".repeat(64)}`]) {
      await api.post(ORDER, { type: "receive-sms-reactivate", orderId, parentCredential });
      expect(api.desk.created.at(-1)?.parent).toBeNull();
    }
  });

  test("takes, of several credentials, the one of the earlier order it names", async () => {
    const [first, second] = [api.desk.paid(), api.desk.paid()];
    const authorization = `${credentialOf(first)}, ${credentialOf(second)}`;
    await api.post(ORDER, { orderId: second.challenge.orderId }, { authorization });
    expect(api.desk.created.at(-1)?.bearer?.orderId).toBe(second.challenge.orderId);
  });
});

describe("GET /v2/l402/order", () => {
  test("creates the default order, whatever the query says", async () => {
    const { status, body } = await api.get(`${ORDER}?country=GB&service=tg`);
    expect(status).toBe(402);
    expect(body.orderId).toBe([...api.desk.sold.keys()].at(-1) ?? "");
    expect(api.desk.created.at(-1)).toMatchObject({ request: {}, emptyBody: true });
  });

  test("HEAD creates nothing and answers 405 with the methods that do", async () => {
    const { status, headers, text } = await api.ask("HEAD", ORDER);
    expect([status, headers.get("allow"), text]).toEqual([405, "GET, POST, OPTIONS", ""]);
    expect(api.desk.calls).toBeEmpty();
  });
});

describe("an L402 client library", () => {
  test("buys an order and polls it with the credential it got (@getalby/lightning-tools)", async () => {
    const wallet = {
      payInvoice: async ({ invoice }: { invoice: string }) => {
        const sold = [...api.desk.sold.values()].find((order) => order.challenge.invoice === invoice);
        if (!sold) throw new Error("Unknown invoice");
        sold.settled = true;
        return { preimage: sold.preimage };
      },
    };
    const options = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    const bought = await fetchWithL402(`${api.url}${ORDER}`, options, { wallet });
    const order = (await bought.json()) as { orderId: string };
    expect(bought.status).toBe(200);
    const { header, value } = bought.payment?.credentials ?? { header: "", value: "" };
    const read = await fetch(`${api.url}${ORDER}/${order.orderId}`, { headers: { [header]: value } });
    expect(read.status).toBe(200);
    expect(await read.json()).toMatchObject({ orderId: order.orderId, code: "12345" });
  });
});
