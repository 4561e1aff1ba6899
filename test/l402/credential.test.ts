import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { presentedAs, presentedIn } from "../../src/l402/authorization.ts";
import { decodeBase64, encodeBase64 } from "../../src/l402/base64.ts";
import { allows, CAPABILITIES } from "../../src/l402/caveats.ts";
import { challengeHeader } from "../../src/l402/challenge.ts";
import { type Credential, readCredential } from "../../src/l402/credential.ts";
import { encodeIdentifier } from "../../src/l402/identifier.ts";
import { RootKeys } from "../../src/l402/keys.ts";
import { encodeMacaroon, mint } from "../../src/l402/macaroon.ts";
import {
  ascii,
  BOLT11,
  decoded,
  encoded,
  issue,
  KEYS,
  NOW,
  ORDER,
  PAYMENT_HASH,
  PREIMAGE,
  seeded,
  toHex,
  VALID_UNTIL,
  withCaveats,
} from "./fixtures.ts";

const M = issue();
const WRONG = "99".repeat(32);

const read = (value: string, options: { now?: number; orderId?: string; keys?: RootKeys } = {}): Credential =>
  readCredential(presentedIn(new Headers({ authorization: value })), { keys: KEYS, now: NOW, ...options });

const paid = (macaroon: string, options = {}) => read(`L402 ${macaroon}:${PREIMAGE}`, options);

/** A macaroon of ours with exactly these caveats, whatever they are. */
function signed(...caveats: string[]): string {
  const identifier = encodeIdentifier({ paymentHash: PAYMENT_HASH, tokenId: KEYS.newTokenId(seeded()) });
  const rootKey = KEYS.rootKeyOf(identifier) ?? new Uint8Array();
  return encodeBase64(encodeMacaroon(mint({ rootKey, identifier, location: "lsat", caveats })));
}
const MINTED = ["services=sms:0", `order=${ORDER}`, `sms_valid_until=${VALID_UNTIL / 1000}`];

describe("a credential", () => {
  test("with its preimage is paid and opens its order with all rights", () => {
    expect(paid(M)).toEqual({
      kind: "paid",
      orderId: ORDER,
      paymentHash: PAYMENT_HASH,
      capabilities: "all",
      validUntil: VALID_UNTIL,
      expired: false,
      macaroon: M,
    });
  });

  test("without a preimage, or with a wrong one, is unpaid and names the same order", () => {
    for (const value of [
      `L402 ${M}:`,
      `LSAT ${M}:`,
      `L402 ${M}`,
      `L402 ${M}:${WRONG}`,
      `L402 ${M}:${PREIMAGE.slice(1)}`,
    ]) {
      expect(read(value)).toMatchObject({ kind: "unpaid", orderId: ORDER, paymentHash: PAYMENT_HASH, expired: false });
    }
  });

  test("that was not presented is none", () => {
    for (const value of ["", "L402 :", "Bearer abc", `Payment method="lightning", preimage="${PREIMAGE}"`]) {
      expect(read(value)).toEqual({ kind: "none" });
    }
  });

  test("expires at its time, paid or not, and says so", () => {
    expect(paid(M, { now: VALID_UNTIL - 1 })).toMatchObject({ kind: "paid", expired: false });
    expect(paid(M, { now: VALID_UNTIL })).toMatchObject({ kind: "paid", expired: true, orderId: ORDER });
    expect(read(`L402 ${M}:`, { now: VALID_UNTIL })).toMatchObject({ kind: "unpaid", expired: true });
  });

  test("of a foreign key, a revoked key or a foreign identifier is invalid", () => {
    const foreign = new RootKeys([{ kid: 7, key: new Uint8Array(32).fill(8) }]);
    const other = new RootKeys([{ kid: 8, key: new Uint8Array(32).fill(9) }]);
    expect(paid(M, { keys: foreign })).toEqual({ kind: "invalid" });
    expect(paid(M, { keys: other })).toEqual({ kind: "invalid" });
    const rotated = new RootKeys([
      { kid: 8, key: new Uint8Array(32) },
      { kid: 7, key: new Uint8Array(32).fill(9) },
    ]);
    expect(paid(M, { keys: rotated })).toMatchObject({ kind: "paid" });
    const bare = mint({ rootKey: new Uint8Array(32), identifier: ascii("AA=="), location: "lsat", caveats: MINTED });
    expect(paid(encoded(bare))).toEqual({ kind: "invalid" });
  });

  test("works as lnget sends it: preimage caveat added, two lines merged, url-safe text", () => {
    const carried = withCaveats(M, `preimage=${PREIMAGE}`);
    const url = carried.replaceAll("+", "-").replaceAll("/", "_");
    expect(read(`LSAT ${carried}:${PREIMAGE}, L402 ${url}:${PREIMAGE}`)).toMatchObject({
      kind: "paid",
      orderId: ORDER,
    });
  });

  test("in a hex header is paid by its preimage caveat, unpaid without", () => {
    const judge = (macaroon: string) =>
      readCredential(presentedIn(new Headers({ macaroon: toHex(decodeBase64(macaroon) ?? new Uint8Array()) })), {
        keys: KEYS,
        now: NOW,
      });
    expect(judge(withCaveats(M, `preimage=${PREIMAGE.toUpperCase()}`))).toMatchObject({ kind: "paid" });
    expect(judge(withCaveats(M, `preimage=${WRONG}`))).toMatchObject({ kind: "unpaid" });
    expect(judge(M)).toMatchObject({ kind: "unpaid" });
  });

  test("with a preimage caveat that contradicts the presented preimage is invalid", () => {
    expect(paid(withCaveats(M, `preimage=${WRONG}`))).toEqual({ kind: "invalid" });
    expect(paid(withCaveats(M, `preimage=${PREIMAGE}`, `preimage=${WRONG}`))).toEqual({ kind: "invalid" });
    expect(paid(withCaveats(M, "preimage=07"))).toEqual({ kind: "invalid" });
    expect(paid(withCaveats(M, `preimage=${PREIMAGE}`, `preimage=${PREIMAGE}`))).toMatchObject({ kind: "paid" });
  });

  test("repeats the presented macaroon, never a wider one", () => {
    const narrow = withCaveats(M, "sms_capabilities=read");
    const credential = read(`L402 ${narrow.replaceAll("=", "")}:`);
    expect(credential).toMatchObject({ kind: "unpaid", macaroon: narrow });
    expect(challengeHeader(narrow, BOLT11)).toContain(narrow);
  });

  test("is read from plain text too", () => {
    expect(readCredential(presentedAs(`${M}:${PREIMAGE}`), { keys: KEYS, now: NOW })).toMatchObject({ kind: "paid" });
  });
});

describe("caveats that a holder adds", () => {
  const accepted: [caveats: string[], grant: object][] = [
    [["sms_capabilities=read"], { capabilities: new Set(["read"]) }],
    [["sms_capabilities=read,cancel"], { capabilities: new Set(["read", "cancel"]) }],
    [["sms_capabilities=cancel,read", "sms_capabilities=read"], { capabilities: new Set(["read"]) }],
    [["sms_capabilities=read,read"], { capabilities: new Set(["read"]) }],
    [["sms_capabilities=read,cancel,refund,extend"], { capabilities: "all" }],
    [[`sms_valid_until=${NOW / 1000 + 60}`], { validUntil: NOW + 60_000, expired: false }],
    [[`sms_valid_until=${NOW / 1000 - 1}`], { expired: true }],
    [[`sms_valid_until=${VALID_UNTIL / 1000}`], { validUntil: VALID_UNTIL }],
    [["sms_valid_until=1000", "sms_valid_until=500"], { validUntil: 500_000, expired: true }],
    [["services=sms:0"], { orderId: ORDER }],
    [[`order=${ORDER}`], { orderId: ORDER }],
  ];
  for (const [caveats, grant] of accepted) {
    test(`narrow: ${caveats.join(" then ")}`, () =>
      expect(paid(withCaveats(M, ...caveats))).toMatchObject({ kind: "paid", ...grant }));
  }

  const refused = [
    ["sms_capabilities=read", "sms_capabilities=read,cancel"],
    ["sms_capabilities=read", "sms_capabilities=cancel"],
    ["sms_capabilities=order"],
    ["sms_capabilities="],
    ["sms_capabilities=read,"],
    ["sms_capabilities=Read"],
    ["sms_capabilities=__proto__"],
    [`sms_valid_until=${VALID_UNTIL / 1000 + 1}`],
    ["sms_valid_until=500", "sms_valid_until=1000"],
    ["sms_valid_until=-1"],
    ["sms_valid_until=1e3"],
    ["sms_valid_until= 5"],
    ["sms_valid_until="],
    ["order=another"],
    ["order="],
    [`order=${ORDER} `],
    ["services=sms:1"],
    ["services=sms"],
    ["services=sms:0,calls:0"],
    ["services="],
    ["ip=127.0.0.1"],
    ["sms4sats_valid_until=1900000000"],
    ["Order=x"],
    ["order"],
    ["expiration:1337"],
    ["expiration=1337="],
    [""],
    ["="],
    ["constructor=x"],
  ];
  for (const caveats of refused) {
    test(`refuse: ${caveats.map((caveat) => JSON.stringify(caveat)).join(" then ")}`, () => {
      expect(paid(withCaveats(M, ...caveats))).toEqual({ kind: "invalid" });
    });
  }

  test("refuse when they are no text, or of a third party, even with a chain that holds", () => {
    const base = decoded(M);
    const binary = { location: null, id: Uint8Array.of(0xff, 0xfe), vid: null };
    const thirdParty = { location: ascii("https://auth.example"), id: ascii("sms_capabilities=read"), vid: ascii("v") };
    for (const caveat of [binary, thirdParty]) {
      const signature = new Uint8Array(createHmac("sha256", base.signature).update(caveat.id).digest());
      const extended = encoded({ ...base, caveats: [...base.caveats, caveat], signature });
      expect(paid(extended)).toEqual({ kind: "invalid" });
    }
  });

  test("never widen, in any number and order", () => {
    const caveat = fc.oneof(
      fc.subarray([...CAPABILITIES], { minLength: 1 }).map((list) => `sms_capabilities=${list.join(",")}`),
      fc.integer({ min: NOW / 1000 - 10, max: VALID_UNTIL / 1000 + 10 }).map((time) => `sms_valid_until=${time}`),
    );
    fc.assert(
      fc.property(fc.array(caveat, { maxLength: 6 }), caveat, (caveats, last) => {
        const before = paid(withCaveats(M, ...caveats));
        const after = paid(withCaveats(M, ...caveats, last));
        if (after.kind !== "paid") return;
        if (before.kind !== "paid") throw new Error("A caveat repaired a credential");
        const gained = CAPABILITIES.filter(
          (capability) => allows(after.capabilities, capability) && !allows(before.capabilities, capability),
        );
        expect(gained).toEqual([]);
        expect(after.validUntil).toBeLessThanOrEqual(before.validUntil);
        if (before.expired) expect(after.expired).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a forged token", () => {
  test("with any single bit of its bytes flipped is refused", () => {
    const bytes = decodeBase64(M) ?? new Uint8Array();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect([bit, paid(encodeBase64(flipped))]).toEqual([bit, { kind: "invalid" }]);
    }
  });

  test("with any single bit of its text flipped is refused", () => {
    for (let bit = 0; bit < M.length * 7; bit++) {
      const at = Math.floor(bit / 7);
      const flipped = `${M.slice(0, at)}${String.fromCharCode(M.charCodeAt(at) ^ (1 << (bit % 7)))}${M.slice(at + 1)}`;
      const presentation = presentedIn({
        get: (name) => (name === "authorization" ? `L402 ${flipped}:${PREIMAGE}` : null),
      });
      expect([bit, readCredential(presentation, { keys: KEYS, now: NOW }).kind]).toEqual([bit, "invalid"]);
    }
  });

  test("with caveats taken out, reordered, changed or moved from another token is refused", () => {
    const narrow = decoded(withCaveats(M, "sms_capabilities=read", `sms_valid_until=${NOW / 1000}`));
    const [services, order, until, rights, sooner] = narrow.caveats;
    if (!services || !order || !until || !rights || !sooner) throw new Error("Expected five caveats");
    const variants = [
      [],
      [services, order, until],
      [services, order, until, rights],
      [services, order, until, sooner],
      [services, order, until, sooner, rights],
      [order, services, until, rights, sooner],
      [services, { ...order, id: ascii("order=another") }, until, rights, sooner],
      [services, order, until, rights, sooner, rights],
    ];
    for (const caveats of variants) expect(paid(encoded({ ...narrow, caveats }))).toEqual({ kind: "invalid" });
    expect(paid(encoded({ ...decoded(M), signature: narrow.signature }))).toEqual({ kind: "invalid" });
    expect(paid(encoded({ ...decoded(M), identifier: decoded(issue({ seed: 2 })).identifier }))).toEqual({
      kind: "invalid",
    });
    for (const location of [null, ascii("lsat."), ascii("aperture")]) {
      expect(paid(encoded({ ...decoded(M), location }))).toEqual({ kind: "invalid" });
    }
  });

  test("signed by us but without service, order or time limit is refused", () => {
    expect(paid(signed(...MINTED))).toMatchObject({ kind: "paid" });
    for (const missing of MINTED) {
      expect(paid(signed(...MINTED.filter((caveat) => caveat !== missing)))).toEqual({ kind: "invalid" });
    }
  });
});

describe("several credentials at once", () => {
  const other = issue({ orderId: "other", preimage: "0a".repeat(32), seed: 3 });
  const otherPaid = `L402 ${other}:${"0a".repeat(32)}`;
  const minePaid = `L402 ${M}:${PREIMAGE}`;
  const mineUnpaid = `L402 ${M}:`;
  const late = withCaveats(M, `sms_valid_until=${NOW / 1000 - 5}`);
  const minePaidExpired = `L402 ${late}:${PREIMAGE}`;
  const narrowPaid = `L402 ${withCaveats(M, "sms_capabilities=read")}:${PREIMAGE}`;
  const forged = `L402 ${withCaveats(M, "ip=1")}:${PREIMAGE}`;

  const table: [what: string, values: string[], expected: object][] = [
    ["identical ones count once", [minePaid, minePaid], { kind: "paid", orderId: ORDER }],
    ["paid wins over unpaid", [mineUnpaid, minePaid], { kind: "paid", orderId: ORDER }],
    ["a good one wins over a forged one", [forged, mineUnpaid], { kind: "unpaid", orderId: ORDER }],
    ["a good one wins over garbage", ["L402 foo:", minePaid], { kind: "paid", orderId: ORDER }],
    ["the order asked for wins among paid ones", [otherPaid, minePaid], { kind: "paid", orderId: ORDER }],
    [
      "a paid one of another order wins over an unpaid one",
      [mineUnpaid, otherPaid],
      { kind: "paid", orderId: "other" },
    ],
    ["an unexpired one wins for the same order", [minePaidExpired, minePaid], { kind: "paid", expired: false }],
    ["the order asked for wins although expired", [otherPaid, minePaidExpired], { orderId: ORDER, expired: true }],
    ["the first wins among equals", [narrowPaid, minePaid], { capabilities: new Set(["read"]) }],
    ["forged and garbage together stay invalid", [forged, "L402 foo:"], { kind: "invalid" }],
  ];
  for (const [what, values, expected] of table) {
    test(what, () => expect(read(values.join(", "), { orderId: ORDER })).toMatchObject(expected));
  }

  test("one preimage counts only for the macaroon it pays", () => {
    expect(read(`L402 ${other},${M}:${PREIMAGE}`)).toMatchObject({ kind: "paid", orderId: ORDER });
    expect(read(`L402 ${other},${M}:${WRONG}`)).toMatchObject({ kind: "unpaid", orderId: "other" });
  });
});
