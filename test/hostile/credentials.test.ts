/**
 * Forged, stolen, bent and broken credentials. Whatever is presented, an order that is not the presenter's is neither shown nor touched, no
 * answer is 2xx, none carries a macaroon of somebody else, and `WWW-Authenticate` rides on 402 alone (which the watch of every answer sees to).
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { RootKeys } from "../../src/l402/keys.ts";
import { attenuate, encodeMacaroon, type Macaroon, mint } from "../../src/l402/macaroon.ts";
import { ascii, decoded, hex, toHex, withCaveats } from "../l402/fixtures.ts";
import { withNumber } from "../support/life.ts";
import type { Bought, ChallengeBody } from "../support/server.ts";
import { hostileServer, ORDER, TIMES } from "./server.ts";

const server = hostileServer();
const TELEGRAM = { service: "tg", country: "US" };
/** Requests under way at once. */
const CROWD = 16;

/** The victim's order, which has a number and a code, and what opens it. */
let victim: Bought;
/** An order of the attacker, paid. */
let own: Bought;
/** Unpaid; the macaroon was seen by the attacker. */
let unpaid: ChallengeBody;
const CODE = "73914628";

beforeAll(async () => {
  const { bought, order } = await withNumber(server(), TELEGRAM);
  victim = bought;
  await server().sms(order.phoneNumber, `Your code: ${CODE}`);
  await server().until(victim, ({ code }) => code === CODE);
  ({ bought: own } = await withNumber(server(), TELEGRAM));
  unpaid = await server().challenge(TELEGRAM);
});

type Attempt = Readonly<Record<string, string>>;
const l402 = (macaroon: string, preimage: string): Attempt => ({ authorization: `L402 ${macaroon}:${preimage}` });
const base64 = (macaroon: Macaroon): string => Buffer.from(encodeMacaroon(macaroon)).toString("base64");

/** What the routes of an order answer to this, and what a purchase does. */
const ROUTES = [
  { method: "GET", path: (id: string) => `${ORDER}/${id}`, body: undefined },
  { method: "POST", path: (id: string) => `${ORDER}/${id}/cancel`, body: "{}" },
  { method: "POST", path: (id: string) => `${ORDER}/${id}/refund-invoice`, body: '{"refundInvoice":"lnbcrt1x"}' },
] as const;

async function refused(headers: Attempt, orderId: string, routes: readonly (typeof ROUTES)[number][] = ROUTES) {
  for (const { method, path, body } of routes) {
    const response = await fetch(`${server().origin}${path(orderId)}`, { method, headers, ...(body && { body }) });
    const text = await response.text();
    const about = { route: path(":id"), sent: JSON.stringify(headers).slice(0, 400), status: response.status };
    const closed = response.status === 403 || response.status === 404;
    expect({ ...about, closed, shows: text.includes(CODE) || text.includes("lnbcrt") }).toEqual({
      ...about,
      closed: true,
      shows: false,
    });
  }
}

/** A purchase recovers from anything with a new order, or refuses the form; it never shows another's. */
async function opensNothing(headers: Attempt): Promise<void> {
  const response = await fetch(`${server().origin}${ORDER}`, { method: "POST", headers, body: "{}" });
  const body = (await response.json()) as Partial<ChallengeBody>;
  expect({ status: response.status, headers: JSON.stringify(headers).slice(0, 400) }).toMatchObject({ status: 402 });
  for (const { orderId, macaroon } of [victim, own, unpaid]) {
    expect(body.orderId).not.toBe(orderId);
    expect(body.macaroon).not.toBe(macaroon);
  }
}

/** Many attempts at once. */
async function all<T>(attempts: readonly T[], attempt: (one: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < attempts.length) await attempt(attempts[next++] as T);
  };
  await Promise.all(Array.from({ length: CROWD }, one));
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
const eachBit = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length * 8 }, (_, bit) => flipped(bytes, bit));

describe("a macaroon with one bit changed", () => {
  test("opens nothing, whichever bit of its bytes it is", async () => {
    const bytes = encodeMacaroon(decoded(victim.macaroon));
    const forged = eachBit(bytes).map((copy) => Buffer.from(copy).toString("base64"));
    expect(forged.length).toBeGreaterThan(1_500);
    await all(forged, (macaroon) => refused(l402(macaroon, victim.preimage), victim.orderId, [ROUTES[0]]));
    // Cancelling and redirecting a refund read it in the same place: some of each will do.
    await all(
      forged.filter((_, bit) => bit % 16 === 3),
      (macaroon) => refused(l402(macaroon, victim.preimage), victim.orderId),
    );
  });

  test("opens nothing, whichever bit of its text it is", async () => {
    const { macaroon } = victim;
    const forged = Array.from({ length: macaroon.length * 7 }, (_, bit) => {
      const at = Math.floor(bit / 7);
      const char = String.fromCharCode(macaroon.charCodeAt(at) ^ (1 << (bit % 7)));
      return macaroon.slice(0, at) + char + macaroon.slice(at + 1);
    }).filter((text) => /^[\x21-\x7e]+$/.test(text));
    expect(forged.length).toBeGreaterThan(1_200);
    await all(forged, (text) => refused(l402(text, victim.preimage), victim.orderId, [ROUTES[0]]));
  });

  test("of its preimage opens nothing", async () => {
    const forged = eachBit(hex(victim.preimage)).map(toHex);
    await all(forged, (preimage) => refused(l402(victim.macaroon, preimage), victim.orderId, [ROUTES[0]]));
  });
});

describe("a macaroon of other caveats", () => {
  const caveat = (text: string) => ({ location: null, id: ascii(text), vid: null });

  /** The victim's own, as a delegate got it: to be read for an hour. */
  const narrow = () => decoded(withCaveats(victim.macaroon, "sms_capabilities=read", "sms_valid_until=4000000000"));

  test("taken out, put in another order, doubled, exchanged or widened opens nothing", async () => {
    const base = decoded(victim.macaroon);
    const [services, order, until] = base.caveats;
    if (!services || !order || !until) throw new Error("Expected three caveats");
    const lists = [
      [],
      [services],
      [order],
      [services, order],
      [services, until],
      [order, until],
      [until, order, services],
      [order, services, until],
      [services, until, order],
      [services, order, until, until],
      [services, services, order, until],
      [services, caveat(`order=${own.orderId}`), until],
      [services, order, caveat("sms_valid_until=99999999999")],
      [services, order, until, caveat("sms_valid_until=99999999999")],
      [services, order, until, caveat("sms_capabilities=read,cancel,refund,extend")],
      [caveat("services=sms:9"), order, until],
      [services, order, until, caveat(`preimage=${victim.preimage}`)],
    ];
    const forged = lists.map((caveats) => base64({ ...base, caveats }));
    await all(forged, (macaroon) => refused(l402(macaroon, victim.preimage), victim.orderId));
    await all(forged, (macaroon) => opensNothing(l402(macaroon, victim.preimage)));
  });

  test("of a narrowed one cannot be taken out again, nor does its rest open more than it says", async () => {
    const { caveats, ...rest } = narrow();
    for (let kept = 0; kept < caveats.length; kept++) {
      await refused(l402(base64({ ...rest, caveats: caveats.slice(0, kept) }), victim.preimage), victim.orderId);
    }
    const reader = l402(base64(narrow()), victim.preimage);
    await refused(reader, victim.orderId, ROUTES.slice(1));
    const wider = l402(base64(attenuate(narrow(), "sms_capabilities=read,cancel,refund,extend")), victim.preimage);
    await refused(wider, victim.orderId);
    // The signature of a longer chain on the shorter list, and the reverse.
    await refused(
      l402(base64({ ...decoded(victim.macaroon), signature: narrow().signature }), victim.preimage),
      victim.orderId,
    );
    await refused(
      l402(base64({ ...narrow(), signature: decoded(victim.macaroon).signature }), victim.preimage),
      victim.orderId,
    );
  });

  test("that are unknown, malformed or of a third party opens nothing, though its chain is good", async () => {
    const good = decoded(victim.macaroon);
    const added = [
      "ip=127.0.0.1",
      "expiration=1337=",
      "order",
      "",
      "=",
      `order=${own.orderId}`,
      "order=",
      "services=sms:0,calls:0",
      "sms_capabilities=",
      "sms_capabilities=admin",
      "sms_valid_until=-1",
      "sms_valid_until=1e99",
      "sms_valid_until=NaN",
      "__proto__=x",
      "constructor=prototype",
      "preimage=07",
      `preimage=${"00".repeat(32)}`,
    ].map((text) => base64(attenuate(good, text)));
    const thirdParty = [
      { location: ascii("https://auth.example"), id: ascii("sms_capabilities=read"), vid: ascii("vid") },
      { location: null, id: ascii("services=sms:0"), vid: new Uint8Array(64) },
    ].map((one) => {
      const { signature } = attenuate(good, new TextDecoder().decode(one.id));
      return base64({ ...good, caveats: [...good.caveats, one], signature });
    });
    await all([...added, ...thirdParty], async (macaroon) => {
      await refused(l402(macaroon, victim.preimage), victim.orderId);
      await opensNothing(l402(macaroon, victim.preimage));
    });
  });
});

describe("a token that is not ours", () => {
  test("self-made, with the victim's identifier and order or an own one, opens nothing", async () => {
    const { identifier, caveats } = decoded(victim.macaroon);
    const texts = caveats.map(({ id }) => new TextDecoder().decode(id));
    const preimage = "5a".repeat(32);
    const ownHash = new Bun.CryptoHasher("sha256").update(hex(preimage)).digest();
    const ownIdentifier = new Uint8Array([0, 0, ...ownHash, ...identifier.slice(34)]);
    const keys = [new Uint8Array(32), new Uint8Array(), hex(victim.preimage), identifier, ascii("this is the key")];
    const forged = keys.flatMap((rootKey) =>
      [identifier, ownIdentifier, new Uint8Array(66), ascii("id")].map((id) =>
        base64(mint({ rootKey, identifier: id, location: "lsat", caveats: texts })),
      ),
    );
    // And one of another server that runs the same program.
    const stranger = new RootKeys([{ kid: identifier[34] ?? 0, key: new Uint8Array(32).fill(1) }]);
    const rootKey = stranger.rootKeyOf(ownIdentifier);
    if (!rootKey) throw new Error("No key");
    forged.push(base64(mint({ rootKey, identifier: ownIdentifier, location: "lsat", caveats: texts })));
    await all(forged, async (macaroon) => {
      for (const shown of [victim.preimage, preimage]) {
        await refused(l402(macaroon, shown), victim.orderId);
        await opensNothing(l402(macaroon, shown));
      }
    });
  });

  test("of version 1, in JSON, empty, huge, cut, or with something behind it opens nothing", async () => {
    const { location, identifier, caveats, signature } = decoded(victim.macaroon);
    const b64 = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString("base64");
    const packet = (name: string, value: Uint8Array) => {
      const line = Buffer.concat([Buffer.from(`${name} `), value, Buffer.from("\n")]);
      return Buffer.concat([Buffer.from((line.length + 4).toString(16).padStart(4, "0")), line]);
    };
    const bytes = Buffer.from(victim.macaroon, "base64");
    const forged = [
      Buffer.concat([
        packet("location", location ?? ascii("")),
        packet("identifier", identifier),
        ...caveats.map(({ id }) => packet("cid", id)),
        packet("signature", signature),
      ]),
      ascii(
        JSON.stringify({
          v: 2,
          l: "lsat",
          i64: b64(identifier),
          c: caveats.map(({ id }) => ({ i64: b64(id) })),
          s64: b64(signature),
        }),
      ),
      ascii(JSON.stringify({ identifier: toHex(identifier), signature: toHex(signature), caveats: [] })),
      ascii(`{"__proto__":{"orderId":"${victim.orderId}"}}`),
      new Uint8Array(),
      new Uint8Array([2]),
      new Uint8Array(6_000).fill(2),
      Buffer.concat([bytes, bytes]),
      Buffer.concat([bytes, Buffer.from([0])]),
      ...Array.from({ length: 20 }, (_, n) => bytes.subarray(0, Math.floor((bytes.length * n) / 20))),
    ].map((token) => Buffer.from(token).toString("base64"));
    await all(forged, async (macaroon) => {
      await refused(l402(macaroon, victim.preimage), victim.orderId);
      await opensNothing(l402(macaroon, victim.preimage));
    });
  });

  test("in unusual base64 is none: blanks, mixed alphabets, stray bits, too much padding", async () => {
    const { macaroon, preimage } = victim;
    const bare = macaroon.replace(/=+$/, "");
    const last = bare.slice(-1);
    const strays = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const texts = [
      `${bare}====`,
      `=${bare}`,
      `${bare.slice(0, 40)}=${bare.slice(40)}`,
      `${bare.slice(0, 40)}%2B${bare.slice(40)}`,
      `${bare}%3D`,
      `"${macaroon}"`,
      `${bare.slice(0, 41)}${bare.slice(42)}`,
      `${bare}A`,
      bare.toLowerCase(),
      bare.toUpperCase(),
      [...bare].reverse().join(""),
      // The same bytes to a forgiving decoder.
      ...(macaroon.endsWith("=") ? [`${bare.slice(0, -1)}${strays[strays.indexOf(last) ^ 1]}`] : []),
      `${bare.slice(0, 40)}-_+/${bare.slice(44)}`,
    ];
    await all(texts, async (text) => {
      await refused(l402(text, preimage), victim.orderId);
      await opensNothing(l402(text, preimage));
    });
    // Two words are two tokens, neither of which is one.
    await refused({ authorization: `L402 ${bare.slice(0, 40)} ${bare.slice(40)}:${preimage}` }, victim.orderId);
  });
});

describe("a credential of the wrong parts", () => {
  test("another order's macaroon or preimage, or both of another order, opens nothing of the victim's", async () => {
    const attempts = [
      l402(own.macaroon, own.preimage),
      l402(own.macaroon, victim.preimage),
      l402(victim.macaroon, own.preimage),
      l402(unpaid.macaroon, victim.preimage),
      l402(`${own.macaroon},${victim.macaroon}`, own.preimage),
      { authorization: `L402 ${victim.macaroon}:, L402 ${own.macaroon}:${own.preimage}` },
      {
        authorization: `L402 ${own.macaroon}:${own.preimage}`,
        macaroon: toHex(encodeMacaroon(decoded(victim.macaroon))),
      },
    ];
    await all(attempts, (headers) => refused(headers, victim.orderId));
    // And the reverse: what is one's own stays open, whatever else is in the line.
    const both = `L402 ${victim.macaroon}:${own.preimage}, L402 ${own.macaroon}:${own.preimage}`;
    expect((await server().read({ ...own, authorization: both })).orderId).toBe(own.orderId);
  });

  test("preimages that are short, long, empty, no hex, or not alone open nothing", async () => {
    const { preimage } = victim;
    const wrong = [
      "",
      preimage.slice(1),
      preimage.slice(0, 62),
      `${preimage}0`,
      `${preimage}00`,
      `0x${preimage}`,
      `${preimage}:${preimage}`.slice(1),
      preimage.replace(/./, "g"),
      Buffer.from(preimage, "hex").toString("base64"),
      toHex(new Bun.CryptoHasher("sha256").update(hex(preimage)).digest()),
      "0".repeat(64),
      "f".repeat(64),
      "null",
      "undefined",
      "[object Object]",
    ];
    await all(wrong, async (shown) => {
      await refused(l402(victim.macaroon, shown), victim.orderId);
      await opensNothing(l402(victim.macaroon, shown));
    });
    // Upper case is the same number, and opens as it should.
    expect(
      (await server().read({ ...victim, authorization: `LSAT ${victim.macaroon}:${preimage.toUpperCase()}` })).code,
    ).toBe(CODE);
  });

  test("empty parts, foreign schemes and huge lines open nothing", async () => {
    const { macaroon, preimage } = victim;
    const lines = [
      "L402",
      "L402 :",
      "L402 ::",
      `L402 :${preimage}`,
      `L402 ${macaroon}::${preimage}`,
      `L402 ,:${preimage}`,
      "L402 , , , :",
      `${macaroon}:${preimage}`,
      `L403 ${macaroon}:${preimage}`,
      `L402${macaroon}:${preimage}`,
      `Bearer ${macaroon}:${preimage}`,
      `Basic ${Buffer.from(`${macaroon}:${preimage}`).toString("base64")}`,
      `Payment preimage="${preimage}"`,
      `L402 token="${macaroon}", preimage="${preimage}"`,
      `L402 ${"A".repeat(8_000)}:${preimage}`,
      `L402 ${",A".repeat(4_000)}:${preimage}`,
      `${"L402 ".repeat(1_500)}`,
      `L402 ${macaroon}:${preimage},${"x".repeat(8_192)}`,
      `L402 ${new Array(9)
        .fill(0)
        .map((_, n) => base64(attenuate(decoded(macaroon), `a=${n}`)))
        .join(",")},${macaroon}:${preimage}`,
    ];
    await all(lines, async (authorization) => {
      await refused({ authorization }, victim.orderId, [ROUTES[0]]);
      await opensNothing({ authorization });
    });
  });

  test("an expired one is told so by its own order, and opens nothing", async () => {
    const late = withCaveats(victim.macaroon, "sms_valid_until=1000000000");
    await refused(l402(late, victim.preimage), victim.orderId);
    await refused(l402(late, victim.preimage), own.orderId);
    await opensNothing(l402(late, victim.preimage));
    const response = await server().call(`${ORDER}/${victim.orderId}/cancel`, {
      authorization: `L402 ${late}:${victim.preimage}`,
    });
    expect(((await response.json()) as { error: { code: string } }).error.code).toBe("EXPIRED_MACAROON");
  });

  test("hex headers, alone or against the line, are judged alike", async () => {
    const bytes = encodeMacaroon(decoded(withCaveats(victim.macaroon, `preimage=${victim.preimage}`)));
    for (const name of ["macaroon", "grpc-metadata-macaroon", "token", "grpc-metadata-token"]) {
      await all(
        [toHex(flipped(bytes, 99)), toHex(bytes).slice(1), `${toHex(bytes)}00`, "0x00", "zz", "0".repeat(9_000)],
        (value) => refused({ [name]: value }, victim.orderId, [ROUTES[0]]),
      );
      expect(
        (await fetch(`${server().origin}${ORDER}/${victim.orderId}`, { headers: { [name]: toHex(bytes) } })).status,
      ).toBe(200);
    }
  });

  test("a reactivation of the victim's number needs the victim's own", async () => {
    const late = withCaveats(victim.macaroon, "sms_valid_until=1000000000");
    const proofs = [
      `${own.macaroon}:${own.preimage}`,
      `${victim.macaroon}:`,
      `${victim.macaroon}:${own.preimage}`,
      `${late}:${victim.preimage}`,
      `${withCaveats(victim.macaroon, "sms_capabilities=read,cancel")}:${victim.preimage}`,
      "x",
      `L402 ${"A".repeat(8_000)}`,
    ];
    for (const parentCredential of proofs) {
      for (const headers of [{}, l402(own.macaroon, own.preimage), l402(victim.macaroon, own.preimage)]) {
        const request = { type: "receive-sms-reactivate", orderId: victim.orderId, parentCredential };
        const told = await server().ask(request, headers as Record<string, string>);
        expect([told.status, told.error.code]).toEqual([403, "INVALID_MACAROON"]);
      }
    }
  });
});

describe("a Payment credential", () => {
  interface Echo {
    challenge: Record<string, unknown>;
    payload: Record<string, unknown>;
  }
  const encode = (value: unknown) =>
    `Payment ${Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")}`;

  /** An order that was paid through the Payment challenge, and its credential. */
  async function bought(): Promise<{ order: Bought; echo: Echo }> {
    const response = await server().post(ORDER, TELEGRAM, { "accept-payment": "lightning/charge" });
    const header = response.headers.get("www-authenticate") ?? "";
    const order = await server().pay((await response.json()) as ChallengeBody);
    const part = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(header)?.[1];
    const names = ["id", "realm", "method", "intent", "request", "expires"];
    const challenge = Object.fromEntries(names.map((name) => [name, part(name)]));
    return { order, echo: { challenge, payload: { preimage: order.preimage } } };
  }

  test("with anything in it changed, taken away or put in opens nothing", async () => {
    const { order, echo } = await bought();
    const other = await bought();
    expect((await server().read({ ...order, authorization: encode(echo) })).orderId).toBe(order.orderId);
    const { challenge, payload } = echo;
    const request = JSON.parse(Buffer.from(String(challenge.request), "base64url").toString()) as Record<
      string,
      unknown
    >;
    const asked = (more: object) => Buffer.from(JSON.stringify({ ...request, ...more })).toString("base64url");
    const ids = Array.from({ length: 43 }, (_, at) => {
      const id = String(challenge.id);
      return id.slice(0, at) + (id[at] === "A" ? "B" : "A") + id.slice(at + 1);
    });
    const bent: unknown[] = [
      ...ids.map((id) => ({ challenge: { ...challenge, id }, payload })),
      ...Object.keys(challenge).flatMap((name) => [
        { challenge: { ...challenge, [name]: undefined }, payload },
        { challenge: { ...challenge, [name]: null }, payload },
        { challenge: { ...challenge, [name]: [challenge[name]] }, payload },
        { challenge: { ...challenge, [name]: `${challenge[name]}|` }, payload },
        { challenge: { ...challenge, [name]: "" }, payload },
      ]),
      { challenge: { ...challenge, request: asked({ externalId: victim.orderId }) }, payload },
      { challenge: { ...challenge, request: asked({ amount: "1" }) }, payload },
      { challenge: { ...other.echo.challenge, id: challenge.id }, payload },
      { challenge, payload: other.echo.payload },
      { challenge, payload: {} },
      { challenge, payload: { preimage: String(payload.preimage).toUpperCase() } },
      { challenge, payload: { preimage: [payload.preimage] } },
      { challenge, payload: { preimage: "0".repeat(64) } },
      { challenge, payload: [payload] },
      { challenge: [challenge], payload },
      { challenge: null, payload: null },
      { __proto__: null, challenge: { __proto__: challenge }, payload },
      [challenge, payload],
      "null",
      "[]",
      "{",
      "",
      `{"challenge":${JSON.stringify(challenge)},"payload":{"preimage":"x"},"payload":${JSON.stringify(other.echo.payload)}}`,
      `{"challenge":${"[".repeat(2_000)}`,
      `{"challenge":{"__proto__":${JSON.stringify(challenge)}},"payload":${JSON.stringify(payload)}}`,
      "\ufeff{}",
      "\u0000",
    ];
    await all(bent, (value) => refused({ authorization: encode(value) }, order.orderId, [ROUTES[0]]));
    await all(bent.slice(-20), (value) => opensNothing({ authorization: encode(value) }));
    await refused({ authorization: encode(echo) }, victim.orderId);
    await refused({ authorization: `${encode(other.echo)}, L402 ${order.macaroon}:` }, order.orderId);
  });
});

test("an order that waits for its payment is shown to nobody with a forged macaroon", async () => {
  const bytes = encodeMacaroon(decoded(unpaid.macaroon));
  const forged = Array.from({ length: 64 * TIMES }, (_, n) => flipped(bytes, (n * 23) % (bytes.length * 8)));
  await all(forged, async (token) => {
    const headers = l402(Buffer.from(token).toString("base64"), "");
    await refused(headers, unpaid.orderId);
    const response = await fetch(`${server().origin}${ORDER}`, { method: "POST", headers, body: "{}" });
    expect(((await response.json()) as ChallengeBody).orderId).not.toBe(unpaid.orderId);
  });
});

test("after all of that the victim's order is as it was, and reads as its owner left it", async () => {
  const order = await server().read(victim);
  expect(order).toMatchObject({ code: CODE, refund: { status: "none" } });
  // Its owner read the code: the number goes back half a minute later.
  expect(["code_received", "completed"]).toContain(order.status);
  expect((await server().read(own)).status).toBe("waiting_for_sms");
});
