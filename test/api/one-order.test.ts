import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { RootKeys } from "../../src/l402/keys.ts";
import { PROBLEMS, type ProblemCode, problem } from "../../src/orders/problem.ts";
import { issue, withCaveats } from "../l402/fixtures.ts";
import { CREDENTIAL_MS, credentialOf, type Sold } from "./desk.ts";
import { startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);
beforeEach(() => {
  api.desk.calls.length = 0;
  api.desk.refundInvoice = null;
  for (const name of ["read", "cancel", "setRefundInvoice"] as const) delete api.desk.answers[name];
});

const UNKNOWN = "f".repeat(32);
const ROUTES = [
  { name: "GET order", method: "GET", tail: "", capability: "read", call: "read" },
  { name: "POST cancel", method: "POST", tail: "/cancel", capability: "cancel", call: "cancel" },
  {
    name: "POST refund-invoice",
    method: "POST",
    tail: "/refund-invoice",
    capability: "refund",
    call: "setRefundInvoice",
  },
] as const;
type Route = (typeof ROUTES)[number];

const go = (route: Route, orderId: string, authorization?: string) =>
  api.ask(route.method, `/v2/l402/order/${orderId}${route.tail}`, {
    ...(route.call === "setRefundInvoice" && { body: '{"refundInvoice":"lnbcrt1qq"}' }),
    ...(authorization !== undefined && { headers: { authorization } }),
  });

const idOf = (sold: Sold) => sold.challenge.orderId;

describe.each(ROUTES)("$name", (route) => {
  test("opens with the credential of the order", async () => {
    const sold = api.desk.paid();
    const { status, headers, body } = await go(route, idOf(sold), credentialOf(sold));
    expect(status).toBe(200);
    expect(body).toMatchObject({ orderId: idOf(sold), code: "12345", phoneNumber: "+447700900123" });
    expect(headers.get("cache-control")).toBe("no-store");
    expect(api.desk.calls).toEqual([route.call]);
  });

  test("refuses no, broken and forged credentials alike, whether or not the order exists", async () => {
    const sold = api.desk.paid();
    const stranger = new RootKeys([{ kid: 7, key: new Uint8Array(32).fill(1) }]);
    const bad = [
      undefined,
      "L402 :",
      "Bearer x",
      `Payment method="lightning", preimage="${sold.preimage}"`,
      `L402 garbage:${sold.preimage}`,
      `L402 ${issue({ orderId: idOf(sold), keys: stranger })}:${sold.preimage}`,
      `L402 ${withCaveats(sold.challenge.macaroon, "unknown=1")}:${sold.preimage}`,
      `L402 ${"A".repeat(9 * 1024)}:${sold.preimage}`,
    ];
    for (const authorization of bad) {
      const [known, unknown] = [await go(route, idOf(sold), authorization), await go(route, UNKNOWN, authorization)];
      expect([known.status, unknown.status]).toEqual([403, 403]);
      expect(known.body.error.code).toBe("INVALID_MACAROON");
      expect(withoutId(known.body)).toEqual(withoutId(unknown.body));
    }
    expect(api.desk.calls).toBeEmpty();
  });

  test("answers 404 to a good credential of another order, whether or not the order exists", async () => {
    const [mine, theirs] = [api.desk.paid(), api.desk.paid()];
    const [known, unknown] = [
      await go(route, idOf(theirs), credentialOf(mine)),
      await go(route, UNKNOWN, credentialOf(mine)),
    ];
    expect([known.status, unknown.status]).toEqual([404, 404]);
    expect(known.body.error.code).toBe("NOT_FOUND");
    expect(withoutId(known.body)).toEqual(withoutId(unknown.body));
    // Nothing was looked up, so nothing can be told by the time it took either.
    expect(api.desk.calls).toBeEmpty();
  });

  test("answers 403 to a macaroon of another order without a preimage, and shows no invoice", async () => {
    const [mine, theirs] = [api.desk.open(), api.desk.open()];
    const { status, body } = await go(route, idOf(theirs), `L402 ${mine.challenge.macaroon}:`);
    expect([status, body.error.code]).toEqual([403, "INVALID_MACAROON"]);
    expect(body.invoice).toBeUndefined();
    expect(api.desk.calls).toBeEmpty();
  });

  test("answers 402 with the same invoice to the order's macaroon without its preimage, while unpaid", async () => {
    const sold = api.desk.open();
    const { macaroon, invoice, header } = sold.challenge;
    for (const authorization of [`L402 ${macaroon}:`, `LSAT ${macaroon}`, `L402 ${macaroon}:${"0".repeat(64)}`]) {
      const { status, headers, body } = await go(route, idOf(sold), authorization);
      expect(status).toBe(402);
      expect(body).toMatchObject({ orderId: idOf(sold), invoice, macaroon, priceSats: 812 });
      expect(headers.get("www-authenticate")).toBe(header);
    }
    sold.settled = true;
    expect((await go(route, idOf(sold), `L402 ${macaroon}:`)).status).toBe(403);
  });

  test("repeats an attenuated macaroon as it came, never a wider one", async () => {
    const sold = api.desk.open();
    const narrowed = withCaveats(sold.challenge.macaroon, "sms_capabilities=read");
    expect((await go(route, idOf(sold), `L402 ${narrowed}:`)).body.macaroon).toBe(narrowed);
  });

  test(`needs the capability ${route.capability}`, async () => {
    const sold = api.desk.paid();
    const limited = (list: string) =>
      `L402 ${withCaveats(sold.challenge.macaroon, `sms_capabilities=${list}`)}:${sold.preimage}`;
    const others = ["read", "cancel", "refund", "extend"].filter((name) => name !== route.capability).join(",");
    const refused = await go(route, idOf(sold), limited(others));
    expect([refused.status, refused.body.error.code]).toEqual([403, "INVALID_MACAROON"]);
    expect(refused.body.error.message).toContain(`"${route.capability}"`);
    expect(api.desk.calls).toBeEmpty();
    const { status, body } = await go(route, idOf(sold), limited(route.capability));
    expect(status).toBe(200);
    expect(body.code).toBe(route.capability === "read" ? "12345" : null);
    expect(body.phoneNumber === null).toBe(route.capability !== "read");
  });

  test("says EXPIRED_MACAROON to the order's own credential only", async () => {
    const [mine, theirs] = [api.desk.paid(), api.desk.paid()];
    const expired = `L402 ${withCaveats(mine.challenge.macaroon, "sms_valid_until=1000")}:${mine.preimage}`;
    const own = await go(route, idOf(mine), expired);
    expect([own.status, own.body.error.code]).toEqual([403, "EXPIRED_MACAROON"]);
    const other = await go(route, idOf(theirs), expired);
    expect([other.status, other.body.error.code]).toEqual([403, "INVALID_MACAROON"]);
    expect(api.desk.calls).toBeEmpty();
  });

  test("finds the order's credential among several", async () => {
    const [mine, other] = [api.desk.paid(), api.desk.paid()];
    const both = `${credentialOf(other)}, ${credentialOf(mine)}`;
    expect((await go(route, idOf(mine), both)).status).toBe(200);
  });

  test("takes odd ids for orders that do not exist", async () => {
    const mine = api.desk.paid();
    for (const id of ["%zz", "a%2fb", "..%2f..", "%00", "x".repeat(2000), "__proto__"]) {
      expect((await go(route, id, credentialOf(mine))).status).toBe(404);
      expect((await go(route, id)).status).toBe(403);
    }
  });
});

test("a credential expires at its own time", async () => {
  const sold = api.desk.paid();
  const path = `/v2/l402/order/${idOf(sold)}`;
  const headers = { authorization: credentialOf(sold) };
  expect((await api.get(path, headers)).status).toBe(200);
  api.world.jump(api.world.now() + CREDENTIAL_MS + 1000);
  expect((await api.get(path, headers)).body.error.code).toBe("EXPIRED_MACAROON");
});

test("HEAD on an order reads nothing and answers 405", async () => {
  const sold = api.desk.paid();
  const { status, headers } = await api.ask("HEAD", `/v2/l402/order/${idOf(sold)}`, {
    headers: { authorization: credentialOf(sold) },
  });
  expect([status, headers.get("allow"), headers.get("cache-control")]).toEqual([405, "GET, OPTIONS", "no-store"]);
  expect(api.desk.calls).toBeEmpty();
});

test("an order that the desk no longer has is 404 for its owner too", async () => {
  const sold = api.desk.paid();
  api.desk.sold.delete(idOf(sold));
  expect((await go(ROUTES[0], idOf(sold), credentialOf(sold))).body.error.code).toBe("NOT_FOUND");
});

test.each([
  [ROUTES[0], ["TEMPORARILY_UNAVAILABLE"]],
  [ROUTES[1], ["CANCEL_TOO_SOON", "CANCEL_SMS_RECEIVED", "CANCEL_NOT_ALLOWED", "TEMPORARILY_UNAVAILABLE"]],
  [ROUTES[2], ["INVALID_REFUND_INVOICE", "REFUND_INVOICE_EXPIRES_TOO_SOON", "REFUND_NOT_PENDING"]],
] as [Route, ProblemCode[]][])("$name answers the desk's problems with their statuses", async (route, codes) => {
  const sold = api.desk.paid();
  for (const code of codes) {
    api.desk.answers[route.call] = problem(code, "Because", { retryAfterSeconds: 30 });
    const { status, headers, body } = await go(route, idOf(sold), credentialOf(sold));
    expect(status).toBe(PROBLEMS[code].status);
    expect(body.error).toMatchObject({ code, message: "Because", retryAfterSeconds: 30 });
    expect(headers.get("retry-after")).toBe("30");
  }
});

describe("the body of refund-invoice", () => {
  test("is a refundInvoice, handed to the desk as it is", async () => {
    const sold = api.desk.paid();
    await go(ROUTES[2], idOf(sold), credentialOf(sold));
    expect(api.desk.refundInvoice).toBe("lnbcrt1qq");
  });

  test("is 400 when it has none, or none that could be an invoice", async () => {
    const sold = api.desk.paid();
    const headers = { authorization: credentialOf(sold) };
    const path = `/v2/l402/order/${idOf(sold)}/refund-invoice`;
    for (const text of ["", "{}", '{"refundInvoice":null}', "[]", "{"]) {
      const { status, body } = await api.post(path, text, headers);
      expect([status, body.error.code]).toEqual([400, "VALIDATION_ERROR"]);
    }
    for (const refundInvoice of [5, "", "l".repeat(2049)]) {
      const { status, body } = await api.post(path, { refundInvoice }, headers);
      expect([status, body.error.code]).toEqual([400, "INVALID_REFUND_INVOICE"]);
    }
    expect(api.desk.calls).toBeEmpty();
  });

  test("is looked at after the credential", async () => {
    const { status } = await api.post(`/v2/l402/order/${UNKNOWN}/refund-invoice`, "{");
    expect(status).toBe(403);
  });
});

test("cancel does not care what its body says, as long as it is small", async () => {
  const sold = api.desk.paid();
  const headers = { authorization: credentialOf(sold) };
  expect((await api.post(`/v2/l402/order/${idOf(sold)}/cancel`, "{nonsense", headers)).status).toBe(200);
  expect((await api.post(`/v2/l402/order/${idOf(sold)}/cancel`, "x".repeat(17_000), headers)).status).toBe(413);
});

function withoutId(body: { error: Record<string, unknown> }): unknown {
  return { ...body, error: { ...body.error, requestId: null } };
}

test("the refund of one order is sent elsewhere 20 times, then every ten minutes: its journal grows no faster", async () => {
  const [sold, other] = [api.desk.paid(), api.desk.paid()];
  const name = (whose: Sold, body: string) =>
    api.ask("POST", `/v2/l402/order/${idOf(whose)}/refund-invoice`, {
      body,
      headers: { authorization: credentialOf(whose) },
    });
  const link = (whose: Sold) =>
    api.ask("POST", `/v2/l402/order/${idOf(whose)}/refund-link`, { headers: { authorization: credentialOf(whose) } });
  api.desk.answers.setRefundInvoice = problem("INVALID_REFUND_INVOICE", "Refused");
  for (let n = 0; n < 25; n++) expect((await name(sold, '{"refundInvoice":"lnbcrt1qq"}')).status).toBe(400);
  delete api.desk.answers.setRefundInvoice;
  for (let n = 0; n < 10; n++) {
    expect((await name(sold, `{"refundAddress":"name${n}@wallet.com"}`)).status).toBe(200);
    expect((await link(sold)).status).toBe(200);
  }
  for (const late of [await name(sold, '{"refundInvoice":"lnbcrt1qq"}'), await link(sold)]) {
    expect(late.status).toBe(429);
    expect(late.body.error).toMatchObject({ code: "RATE_LIMITED", retryable: true });
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(500);
  }
  expect((await link(other)).status).toBe(200);
});

test("the refund of one order is sent elsewhere no more often by requests that come at once", async () => {
  const sold = api.desk.paid();
  const headers = { authorization: credentialOf(sold) };
  const links = Array.from({ length: 50 }, () =>
    api.ask("POST", `/v2/l402/order/${idOf(sold)}/refund-link`, { headers }),
  );
  const statuses = (await Promise.all(links)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(20);
  expect(statuses.filter((status) => status === 429)).toHaveLength(30);
});
