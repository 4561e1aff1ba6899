import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { sats } from "../../actors/order/money.ts";
import { checkRefundInvoice, type RefundInvoiceCheck } from "../../src/lightning/refund-invoice.ts";
import { mintInvoice, publicKey } from "../../src/sandbox/lightning/mint.ts";
import { fields, fromFeatures, fromHex, fromInteger, HASH, hop, PAYEE, rawInvoice } from "./raw-invoice.ts";

const ISSUED = 1_700_000_000;
const NOW = ISSUED * 1000;
const OWN = publicKey(new Uint8Array(32).fill(1));

const check = (invoice: string, more: Partial<RefundInvoiceCheck> = {}) =>
  checkRefundInvoice({ invoice, network: "bcrt", now: NOW, minLifeSeconds: 1800, ownPubkey: OWN, ...more });
const code = (invoice: string, more: Partial<RefundInvoiceCheck> = {}) => {
  const verdict = check(invoice, more);
  return verdict.ok ? "ok" : verdict.code;
};
const mint = (more: Partial<Parameters<typeof mintInvoice>[0]> = {}) =>
  mintInvoice({ paymentHash: HASH, timestamp: ISSUED, expirySeconds: 7200, ...more });

describe("a good refund invoice", () => {
  test("is accepted with what a refund needs to know of it", () => {
    const invoice = mint();
    expect(check(invoice)).toEqual({
      ok: true,
      invoice,
      paymentHash: HASH,
      expiresAt: NOW + 7_200_000,
      minFinalCltv: 80,
    });
  });

  test("is normalised from a URI and from upper case", () => {
    const invoice = mint();
    for (const text of [`lightning:${invoice}`, `LIGHTNING:${invoice.toUpperCase()}`, invoice.toUpperCase()]) {
      expect(check(text)).toEqual(check(invoice));
    }
  });

  test("may be of signet, which the bolt11 package does not know", () => {
    const invoice = rawInvoice({ hrp: "lntbs" });
    expect(code(invoice, { network: "tbs" })).toBe("ok");
    expect(code(invoice, { network: "tb" })).toBe("INVALID_REFUND_INVOICE");
  });
});

describe("a refund invoice is refused", () => {
  const cases: [string, string, RegExp][] = [
    ["for an amount", mint({ amountMsat: 1000 }), /without an amount/],
    ["for an amount below a sat", mint({ amountMsat: 1 }), /without an amount/],
    ["for an amount of zero", rawInvoice({ hrp: "lnbcrt0m" }), /amount/],
    ["of another network", mint({ network: "bc" }), /another network; it must start with "lnbcrt1"/],
    ["of our own node", mint({ secretKey: new Uint8Array(32).fill(1) }), /own node/],
    ["dated in the future", mint({ timestamp: ISSUED + 601 }), /future/],
    ["without payment secret", mint({ paymentSecret: null }), /fields/],
    ["with a required feature nobody knows", mint({ features: [8, 14, 100] }), /feature/],
    ["without any feature", rawInvoice({ fields: fields("9") }), /does not announce/],
    ["without payment secrets", rawInvoice({ fields: fields("9", ["9", fromFeatures([8])]) }), /does not announce/],
    ["that lives for more than a year", mint({ expirySeconds: 100 * 365 * 86_400 }), /within a year/],
    ["that holds our money for too long", mint({ finalCltv: 433 }), /time lock of more than 432 blocks/],
    ["with a hint that does", rawInvoice({ fields: fields("", ["r", fromHex(hop(641))]) }), /route hints/],
    [
      "with hints that do together",
      rawInvoice({ fields: fields("", ["r", fromHex(hop(400) + hop(241))]) }),
      /route hints/,
    ],
    ["with a wrong checksum", `${mint().slice(0, -1)}${mint().endsWith("q") ? "p" : "q"}`, /checksum/],
    ["that is cut off", mint().slice(0, -20), /checksum/],
    ["that is too long", `${mint()}${"q".repeat(2048)}`, /longer than 2048/],
    ["that is an address", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", /not a BOLT11/],
    [
      "that is a BOLT12 offer",
      "lno1pg257enxv4ezqcneype82um50ynhxgrwdajx283qfwdpl28qqmc78ymlvhmxcsywdk5wrjnj36jryg488qwlrnzyjczs",
      /BOLT11/,
    ],
    ["that is empty", "", /not a BOLT11/],
  ];
  for (const [what, invoice, message] of cases) {
    test(what, () => {
      const verdict = check(invoice);
      expect(verdict).toMatchObject({ ok: false, code: "INVALID_REFUND_INVOICE" });
      if (!verdict.ok) expect(verdict.message).toMatch(message);
    });
  }

  test("with more hops in its hints than lnd writes", () => {
    const hints = (...counts: number[]) =>
      rawInvoice({ fields: fields("", ...counts.map((count) => ["r", fromHex(hop(1).repeat(count))] as const)) });
    expect(code(hints(10, 10))).toBe("ok");
    const verdict = check(hints(10, 11));
    expect(verdict.ok ? "" : verdict.message).toMatch(/more than 20 hops/);
  });
});

describe("life", () => {
  const cases: [string, number, number, string][] = [
    ["exactly the shortest life", 1800, 0, "ok"],
    ["a second less", 1799, 0, "REFUND_INVOICE_EXPIRES_TOO_SOON"],
    ["one that shrank since it was issued", 3600, 1801, "REFUND_INVOICE_EXPIRES_TOO_SOON"],
    ["one that is over", 60, 61, "REFUND_INVOICE_EXPIRES_TOO_SOON"],
  ];
  for (const [what, expirySeconds, ageSeconds, expected] of cases) {
    test(`${what}: ${expected}`, () => {
      expect(code(mint({ expirySeconds }), { now: NOW + ageSeconds * 1000 })).toBe(expected);
    });
  }

  test("an hour counts where the invoice does not say", () => {
    expect(code(mint({ expirySeconds: null }))).toBe("ok");
    expect(code(mint({ expirySeconds: null }), { now: NOW + 1_801_000 })).toBe("REFUND_INVOICE_EXPIRES_TOO_SOON");
  });

  test("a clock that is 10 minutes ahead is forgiven", () => {
    expect(code(mint({ timestamp: ISSUED + 600 }))).toBe("ok");
  });

  test("the message says how long it must live", () => {
    const verdict = check(mint({ expirySeconds: 60 }));
    expect(verdict.ok ? "" : verdict.message).toContain("at least 30 minutes");
  });

  test("an invoice that is wrong as well is called wrong, because waiting would not help", () => {
    expect(code(mint({ expirySeconds: 60, amountMsat: 1000 }))).toBe("INVALID_REFUND_INVOICE");
  });
});

describe("fees of the private way in", () => {
  const refund = { amountSats: sats(1_000), maxFeeSats: sats(5) };
  const hinted = (...hints: string[]) =>
    rawInvoice({ fields: fields("", ...hints.map((hint) => ["r", fromHex(hint)] as const)) });

  test("beyond what a refund may cost are refused, because it could never be paid", () => {
    expect(code(hinted(hop(40, PAYEE, { baseMsats: 5_000, ppm: 0 })), { refund })).toBe("ok");
    const verdict = check(hinted(hop(40, PAYEE, { baseMsats: 5_001, ppm: 0 })), { refund });
    expect(verdict.ok ? "" : verdict.message).toContain("more than 5 sats in fees");
    expect(code(hinted(hop(40, PAYEE, { baseMsats: 0, ppm: 5_001 })), { refund })).toBe("INVALID_REFUND_INVOICE");
    expect(code(hinted(hop(40, PAYEE, { baseMsats: 0xffff_ffff, ppm: 0xffff_ffff })), { refund })).not.toBe("ok");
  });

  test("add up along the way, each taken of what the next one takes", () => {
    const way = hop(40, PAYEE, { baseMsats: 2_000, ppm: 1_000 }) + hop(40, PAYEE, { baseMsats: 1_998, ppm: 0 });
    expect(code(hinted(way), { refund })).toBe("ok");
    expect(code(hinted(way), { refund: { ...refund, maxFeeSats: sats(4) } })).toBe("INVALID_REFUND_INVOICE");
  });

  test("are asked of the cheapest way, and of none while the amount is unknown", () => {
    const dear = hop(40, PAYEE, { baseMsats: 900_000, ppm: 0 });
    expect(code(hinted(dear, hop(40)), { refund })).toBe("ok");
    expect(code(hinted(dear))).toBe("ok");
    expect(code(mint(), { refund: { ...refund, maxFeeSats: sats(0) } })).toBe("ok");
  });
});

describe("limits", () => {
  test("the longest locks allowed are accepted", () => {
    expect(code(mint({ finalCltv: 432 }))).toBe("ok");
    expect(code(rawInvoice({ fields: fields("", ["r", fromHex(hop(400) + hop(240))]) }))).toBe("ok");
    expect(code(rawInvoice({ fields: fields("c", ["c", fromInteger(18)], ["r", fromHex(hop(702))]) }))).toBe("ok");
  });

  test("each route hint is an alternative: locks add up along one, not over all", () => {
    const two = fields("", ["r", fromHex(hop(500))], ["r", fromHex(hop(500))]);
    expect(code(rawInvoice({ fields: two }))).toBe("ok");
  });

  test("a hint through our own node is fine, only the payee may not be us", () => {
    expect(code(rawInvoice({ fields: fields("", ["r", fromHex(hop(40))]) }), { ownPubkey: OWN })).toBe("ok");
    expect(code(rawInvoice(), { ownPubkey: PAYEE })).toBe("INVALID_REFUND_INVOICE");
  });
});

test("a message never holds a piece of what was sent, and nothing makes the check throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constant(mint())), fc.string(), (a, b) => {
      const verdict = check(a + b);
      if (!verdict.ok && a.length + b.length > 25) expect(verdict.message).not.toContain(a + b);
    }),
  );
});
