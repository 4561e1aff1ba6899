/**
 * What credentials do: the replay rules of a purchase, the rules of one order's routes, every written form of a credential, and macaroons
 * that were narrowed by their holder.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { RootKeys } from "../../../src/l402/keys.ts";
import { attenuate, encodeMacaroon } from "../../../src/l402/macaroon.ts";
import { decoded, issue, toHex, withCaveats } from "../../l402/fixtures.ts";
import { withNumber } from "../../support/life.ts";
import { documentedServer } from "../../support/openapi.ts";
import { raw } from "../../support/raw.ts";
import type { Bought, ChallengeBody } from "../../support/server.ts";

const server = documentedServer();
const REQUEST = { service: "tg", country: "US" };
const UNKNOWN = "f".repeat(32);
const ORDER = "/v2/l402/order";

const url = (path: string) => `${server().origin}${path}`;
const replay = (authorization: string, body?: unknown, headers: Record<string, string> = {}) =>
  body === undefined
    ? fetch(url(ORDER), { method: "POST", headers: { authorization, ...headers } })
    : server().post(ORDER, body, { authorization, ...headers });
const read = (orderId: string, authorization?: string) =>
  fetch(url(`${ORDER}/${orderId}`), authorization === undefined ? {} : { headers: { authorization } });

// biome-ignore lint/suspicious/noExplicitAny: the shape of every answer is checked against the OpenAPI document
async function told(response: Response): Promise<{ status: number } & Record<string, any>> {
  return { status: response.status, ...((await response.json()) as object) };
}

/** An error without what differs from request to request. */
async function anonymous(response: Response) {
  const { error, ...rest } = (await response.json()) as { error: Record<string, unknown> };
  return { status: response.status, ...rest, error: { ...error, requestId: "" } };
}

async function expectFresh(response: Response, than: string): Promise<ChallengeBody> {
  const body = await told(response);
  expect(body).toMatchObject({ status: "pending_payment", error: { code: "PAYMENT_REQUIRED" } });
  expect(body.orderId).not.toBe(than);
  return body as unknown as ChallengeBody;
}

let paid: Bought;
let phoneNumber: string | null;
beforeAll(async () => {
  const { bought, order } = await withNumber(server(), REQUEST);
  paid = bought;
  phoneNumber = order.phoneNumber;
});

describe("a purchase repeated with its credential", () => {
  test("with the same or an empty body is the same order, as it stands", async () => {
    for (const body of [undefined, "", {}, REQUEST, { country: "US", service: "tg" }, { ...REQUEST, type: null }]) {
      const response = await told(await replay(paid.authorization, body));
      expect({ body, ...response }).toMatchObject({ body, orderId: paid.orderId, phoneNumber });
      expect(response).toMatchObject({ status: "waiting_for_sms" });
    }
    expect((await replay(paid.authorization)).status).toBe(200);
    const probe = await fetch(url(ORDER), { headers: { authorization: paid.authorization } });
    expect(await told(probe)).toMatchObject({ orderId: paid.orderId });
  });

  test("with another body is another order", async () => {
    for (const body of [{ service: "wa" }, { ...REQUEST, maxPriceSats: 100_000 }, { service: "tg" }]) {
      await expectFresh(await replay(paid.authorization, body), paid.orderId);
    }
  });

  test("with an Idempotency-Key that is not its own is another order", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const fresh = await expectFresh(await replay(paid.authorization, REQUEST, headers), paid.orderId);
    expect(await told(await replay(paid.authorization, REQUEST, headers))).toMatchObject({ orderId: fresh.orderId });
  });

  test("with its own Idempotency-Key is the order, before that key is looked at", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const own = await server().buy(REQUEST, headers);
    expect(await told(await replay(own.authorization, REQUEST, headers))).toMatchObject({ orderId: own.orderId });
    expect(await told(await replay(own.authorization, {}, headers))).toMatchObject({ orderId: own.orderId });
  });

  test("is the order until a minute after its end, then a new one; reading goes on", async () => {
    const { bought, order } = await withNumber(server(), REQUEST);
    await server().sms(order.phoneNumber, "Telegram code: 482913");
    await server().until(bought, ({ code }) => code !== null);
    await server().advance(31);
    const ended = await told(await replay(bought.authorization, REQUEST));
    expect(ended).toMatchObject({ status: "completed", orderId: bought.orderId, code: "482913" });
    await server().advance(50);
    expect(await told(await replay(bought.authorization))).toMatchObject({ orderId: bought.orderId });
    await server().advance(15);
    await expectFresh(await replay(bought.authorization, REQUEST), bought.orderId);
    await expectFresh(await replay(bought.authorization), bought.orderId);
    expect(await told(await read(bought.orderId, bought.authorization))).toMatchObject({ code: "482913" });
  });

  test("with what is no credential of ours is a new order, never a refusal", async () => {
    const stranger = new RootKeys([{ kid: 0, key: new Uint8Array(32).fill(3) }]);
    for (const authorization of [
      "L402 :",
      "L402 garbage",
      `L402 garbage:${paid.preimage}`,
      `L402 ${"A".repeat(9_000)}:${paid.preimage}`,
      `L402 ${issue({ orderId: paid.orderId, keys: stranger })}:${paid.preimage}`,
      `L402 ${withCaveats(paid.macaroon, "account=1")}:${paid.preimage}`,
      `L402 ${withCaveats(paid.macaroon, "sms_valid_until=1")}:${paid.preimage}`,
      `Payment method="lightning", preimage="${paid.preimage}"`,
      `Bearer ${paid.macaroon}`,
      `Basic ${paid.macaroon}`,
    ]) {
      await expectFresh(await replay(authorization, REQUEST), paid.orderId);
    }
  });
});

describe("the unpaid form of a credential", () => {
  test("gets the same invoice and the macaroon it showed, on POST and on GET", async () => {
    const challenge = await server().challenge(REQUEST);
    const narrowed = withCaveats(challenge.macaroon, "sms_capabilities=read");
    for (const macaroon of [challenge.macaroon, narrowed]) {
      for (const authorization of [
        `L402 ${macaroon}:`,
        `LSAT ${macaroon}:`,
        `L402 ${macaroon}`,
        `L402 ${macaroon}:${"0".repeat(64)}`,
        `L402 ${macaroon}:${"0".repeat(63)}`,
      ]) {
        const { orderId, invoice } = challenge;
        for (const response of [
          await replay(authorization, REQUEST),
          await replay(authorization),
          await replay(authorization, { service: "wa" }),
          await read(orderId, authorization),
          await server().post(`${ORDER}/${orderId}/cancel`, {}, { authorization }),
        ]) {
          expect(response.status).toBe(402);
          expect(response.headers.get("www-authenticate")).toStartWith(`L402 macaroon="${macaroon}", `);
          expect(await told(response)).toMatchObject({ orderId, invoice, macaroon });
        }
      }
    }
  });

  test("opens nothing once the order is paid", async () => {
    for (const authorization of [`L402 ${paid.macaroon}:`, `L402 ${paid.macaroon}:${"0".repeat(64)}`]) {
      const refused = await told(await read(paid.orderId, authorization));
      expect(refused).toMatchObject({ status: 403, error: { code: "INVALID_MACAROON" } });
      await expectFresh(await replay(authorization, REQUEST), paid.orderId);
    }
  });

  test("gets no new invoice for an order whose invoice expired", async () => {
    const challenge = await server().challenge(REQUEST);
    const authorization = `L402 ${challenge.macaroon}:`;
    await server().advance(330);
    expect((await read(challenge.orderId, authorization)).status).toBe(403);
    await expectFresh(await replay(authorization, REQUEST), challenge.orderId);
  });
});

describe("every written form of a paid credential opens the order", () => {
  const forms: readonly (readonly [string, (macaroon: string, preimage: string) => Record<string, string>])[] = [
    ["LSAT", (m, p) => ({ authorization: `LSAT ${m}:${p}` })],
    ["lower case", (m, p) => ({ authorization: `l402 ${m}:${p}` })],
    ["upper-case preimage", (m, p) => ({ authorization: `L402 ${m}:${p.toUpperCase()}` })],
    ["two merged lines", (m, p) => ({ authorization: `LSAT ${m}:${p}, L402 ${m}:${p}` })],
    ["two merged lines without a space", (m, p) => ({ authorization: `LSAT ${m}:${p},L402 ${m}:${p}` })],
    ["a repeated scheme word", (m, p) => ({ authorization: `L402 L402 ${m}:${p}` })],
    ["beside another scheme", (m, p) => ({ authorization: `Bearer abc, L402 ${m}:${p}` })],
    ["beside a broken one", (m, p) => ({ authorization: `L402 garbage:${p}, L402 ${m}:${p}` })],
    [
      "url-safe without padding",
      (m, p) => ({ authorization: `L402 ${m.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}:${p}` }),
    ],
    ["with a preimage caveat", (m, p) => ({ authorization: `L402 ${withCaveats(m, `preimage=${p}`)}:${p}` })],
    ["with the preimage in a caveat alone", (m, p) => ({ authorization: `L402 ${withCaveats(m, `preimage=${p}`)}:` })],
    ["hex in Macaroon", (m, p) => ({ macaroon: toHex(encodeMacaroon(attenuate(decoded(m), `preimage=${p}`))) })],
    [
      "hex in Grpc-Metadata-Macaroon",
      (m, p) => ({ "grpc-metadata-macaroon": toHex(encodeMacaroon(attenuate(decoded(m), `preimage=${p}`))) }),
    ],
  ];
  for (const [name, headers] of forms) {
    test(name, async () => {
      const sent = headers(paid.macaroon, paid.preimage);
      const polled = await fetch(url(`${ORDER}/${paid.orderId}`), { headers: sent });
      expect(polled.status).toBe(200);
      const replayed = await fetch(url(ORDER), { method: "POST", headers: sent });
      expect(await told(replayed)).toMatchObject({ orderId: paid.orderId });
    });
  }

  test("two Authorization lines on the wire", async () => {
    const lines = ["LSAT", "L402"].map((scheme) => `Authorization: ${scheme} ${paid.macaroon}:${paid.preimage}\r\n`);
    const request = `GET ${ORDER}/${paid.orderId} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.join("")}\r\n`;
    expect(await raw(server().origin, request)).toStartWith("HTTP/1.1 200");
  });

  test("two credentials at once open their own orders each", async () => {
    const other = await server().buy(REQUEST);
    const both = `${other.authorization}, ${paid.authorization}`;
    for (const { orderId } of [other, paid]) expect(await told(await read(orderId, both))).toMatchObject({ orderId });
  });
});

describe("one order's routes", () => {
  const routes = [
    { name: "GET", ask: (id: string, authorization?: string) => read(id, authorization) },
    {
      name: "cancel",
      ask: (id: string, authorization?: string) =>
        server().post(`${ORDER}/${id}/cancel`, {}, authorization === undefined ? {} : { authorization }),
    },
    {
      name: "refund-invoice",
      ask: (id: string, authorization?: string) =>
        server().post(
          `${ORDER}/${id}/refund-invoice`,
          { refundInvoice: "x" },
          authorization === undefined ? {} : { authorization },
        ),
    },
  ];
  for (const { name, ask } of routes) {
    test(`${name}: no, broken or forged credentials are refused alike, whether or not the order exists`, async () => {
      const forged = issue({ orderId: paid.orderId });
      for (const authorization of [
        undefined,
        "L402 :",
        "L402 garbage:00",
        `L402 ${forged}:${paid.preimage}`,
        `L402 ${withCaveats(paid.macaroon, "account=1")}:${paid.preimage}`,
        `L402 ${withCaveats(paid.macaroon, `order=${UNKNOWN}`)}:${paid.preimage}`,
        `Payment method="lightning", preimage="${paid.preimage}"`,
      ]) {
        const there = await anonymous(await ask(paid.orderId, authorization));
        expect(there).toMatchObject({ status: 403, error: { code: "INVALID_MACAROON" } });
        expect(await anonymous(await ask(UNKNOWN, authorization))).toEqual(there);
      }
    });

    test(`${name}: a good credential of another order finds nothing, whether or not the order exists`, async () => {
      const other = await server().buy(REQUEST);
      const there = await anonymous(await ask(paid.orderId, other.authorization));
      expect(there).toMatchObject({ status: 404, error: { code: "NOT_FOUND" } });
      expect(await anonymous(await ask(UNKNOWN, other.authorization))).toEqual(there);
      // The unpaid form of another order proves nothing.
      const unpaid = await server().challenge(REQUEST);
      const refused = await anonymous(await ask(paid.orderId, `L402 ${unpaid.macaroon}:`));
      expect(refused).toMatchObject({ status: 403, error: { code: "INVALID_MACAROON" } });
    });
  }
});

describe("a macaroon narrowed by its holder", () => {
  const with_ = (bought: Bought, ...caveats: string[]) =>
    `L402 ${withCaveats(bought.macaroon, ...caveats)}:${bought.preimage}`;
  const cancel = (bought: Bought, authorization: string) =>
    server().post(`${ORDER}/${bought.orderId}/cancel`, {}, { authorization });
  const redirect = async (bought: Bought, authorization: string) =>
    server().post(
      `${ORDER}/${bought.orderId}/refund-invoice`,
      { refundInvoice: await server().refundInvoice() },
      { authorization },
    );

  test("to reading cannot cancel, redirect a refund or reactivate", async () => {
    const reader = with_(paid, "sms_capabilities=read");
    expect(await told(await read(paid.orderId, reader))).toMatchObject({ orderId: paid.orderId, phoneNumber });
    expect(await told(await replay(reader, REQUEST))).toMatchObject({ orderId: paid.orderId, phoneNumber });
    for (const response of [await cancel(paid, reader), await redirect(paid, reader)]) {
      expect(await told(response)).toMatchObject({ status: 403, error: { code: "INVALID_MACAROON" } });
    }
    const reactivation = { type: "receive-sms-reactivate", orderId: paid.orderId };
    expect((await replay(reader, reactivation)).status).toBe(403);
  });

  test("to cancelling can cancel, and sees neither number nor code", async () => {
    const { bought, order } = await withNumber(server(), REQUEST);
    const canceller = with_(bought, "sms_capabilities=cancel");
    expect((await read(bought.orderId, canceller)).status).toBe(403);
    expect(await told(await cancel(bought, canceller))).toMatchObject({ error: { code: "CANCEL_TOO_SOON" } });
    await server().advance(181);
    const done = await cancel(bought, canceller);
    expect(done.status).toBe(200);
    const text = await done.text();
    expect(JSON.parse(text)).toMatchObject({ orderId: bought.orderId, phoneNumber: null, code: null, messages: [] });
    expect(text).not.toContain(order.phoneNumber ?? "");
  });

  test("cannot be widened again", async () => {
    for (const caveats of [
      ["sms_capabilities=read", "sms_capabilities=read,cancel"],
      ["sms_capabilities=read", "sms_capabilities=cancel"],
      ["sms_capabilities=everything"],
      ["sms_valid_until=9999999999"],
      [`order=${UNKNOWN}`],
      ["services=sms:1"],
      [`preimage=${"0".repeat(64)}`],
    ]) {
      const response = await told(await read(paid.orderId, with_(paid, ...caveats)));
      expect({ caveats, ...response }).toMatchObject({ caveats, status: 403, error: { code: "INVALID_MACAROON" } });
    }
  });

  test("to a time expires then, and says so to its own order alone", async () => {
    const { now } = await server().control<{ now: string }>("GET", "/clock");
    const until = with_(paid, `sms_valid_until=${Math.floor(Date.parse(now) / 1000) + 100}`);
    expect((await read(paid.orderId, until)).status).toBe(200);
    await server().advance(101);
    for (const response of [await read(paid.orderId, until), await cancel(paid, until), await redirect(paid, until)]) {
      expect(await told(response)).toMatchObject({ status: 403, error: { code: "EXPIRED_MACAROON" } });
    }
    expect(await told(await read(UNKNOWN, until))).toMatchObject({ error: { code: "INVALID_MACAROON" } });
    await expectFresh(await replay(until, REQUEST), paid.orderId);
    expect((await read(paid.orderId, paid.authorization)).status).toBe(200);
  });
});

test("HEAD opens no order", async () => {
  for (const path of [ORDER, `${ORDER}/${paid.orderId}`]) {
    const response = await fetch(url(path), { method: "HEAD", headers: { authorization: paid.authorization } });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toContain("GET");
  }
});
