/** BOLT 11 invoices of strangers: read as a node would read them, or refused with one of the known reasons, in bounded time. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type BadInvoice, MAX_INVOICE_LENGTH, readInvoice } from "../../../src/lightning/bolt11.ts";
import type { Network } from "../../../src/lightning/port.ts";
import { checkRefundInvoice } from "../../../src/lightning/refund-invoice.ts";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import {
  type Field,
  fromFeatures,
  fromHex,
  fromInteger,
  fromText,
  hop,
  rawInvoice,
  reworded,
  SOUND,
} from "../../lightning/raw-invoice.ts";
import { cpuMs } from "../../support/cpu.ts";
import { runs } from "./bent.ts";

const REASONS: readonly BadInvoice[] = [
  "too_long",
  "malformed",
  "bad_checksum",
  "wrong_network",
  "bad_amount",
  "bad_fields",
  "bad_expiry",
  "unknown_feature",
  "bad_signature",
];
const NOW = 1_700_000_000_000;
const networks = fc.constantFrom<Network>("bc", "tb", "tbs", "bcrt");
const hex32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));

function judged(text: string, network: Network): void {
  const read = readInvoice(text, network);
  if (!read.ok) {
    expect(REASONS).toContain(read.reason);
    return;
  }
  const { facts } = read;
  expect(facts.invoice).toBe(text.toLowerCase());
  for (const hash of [facts.paymentHash, facts.paymentSecret]) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(facts.payee).toMatch(/^0[23][0-9a-f]{64}$/);
  for (const number of [facts.issuedAt, facts.expiresAt, facts.minFinalCltv, facts.amountMsats ?? 0]) {
    expect(Number.isSafeInteger(number) && number >= 0 && number < 8.64e15).toBe(true);
  }
}

function verdictOf(invoice: string): void {
  const verdict = checkRefundInvoice({
    invoice,
    network: "bcrt",
    now: NOW,
    minLifeSeconds: 1_800,
    ownPubkey: `02${"0".repeat(64)}`,
  });
  if (verdict.ok) {
    expect(verdict.expiresAt - NOW).toBeGreaterThanOrEqual(1_800_000);
    expect(verdict.minFinalCltv).toBeLessThanOrEqual(1_008);
  } else {
    expect(["INVALID_REFUND_INVOICE", "REFUND_INVOICE_EXPIRES_TOO_SOON"]).toContain(verdict.code);
    expect(verdict.message.length).toBeLessThan(300);
    if (invoice.length > 20) expect(verdict.message).not.toContain(invoice.slice(8, 28));
  }
}

describe("an invoice", () => {
  test("that was written is read as what it says", () => {
    const mint = fc.record({
      paymentHash: hex32,
      paymentSecret: hex32,
      timestamp: fc.integer({ min: 1_500_000_000, max: 4_000_000_000 }),
      expirySeconds: fc.integer({ min: 1, max: 365 * 86_400 }),
      amountMsat: fc.option(fc.integer({ min: 1, max: 1e15 })),
      description: fc.string({ maxLength: 100 }),
      finalCltv: fc.integer({ min: 1, max: 65_535 }),
      network: networks,
    });
    fc.assert(
      fc.property(mint, (wanted) => {
        const read = readInvoice(mintInvoice(wanted), wanted.network);
        if (!read.ok) throw new Error(`Refused: ${read.reason}`);
        expect(read.facts).toMatchObject({
          paymentHash: wanted.paymentHash,
          paymentSecret: wanted.paymentSecret,
          amountMsats: wanted.amountMsat as never,
          issuedAt: wanted.timestamp * 1000,
          expiresAt: (wanted.timestamp + wanted.expirySeconds) * 1000,
          description: wanted.description,
          minFinalCltv: wanted.finalCltv,
        });
      }),
      runs(150),
    );
  });

  test("of random letters, or with letters changed, is refused or read", () => {
    const good = mintInvoice({ paymentHash: "5a".repeat(32), timestamp: 1_700_000_000, expirySeconds: 7_200 });
    const letters = fc.string({ unit: fc.constantFrom(..."qpzry9x8gf2tvdw0s3jn54khce6mua7lb1io"), maxLength: 400 });
    const changed = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.string({ minLength: 1, maxLength: 1 })), { maxLength: 4 })
      .map((edits) => edits.reduce((text, [at, letter]) => text.slice(0, at) + letter + text.slice(at + 1), good));
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      letters,
      letters.map((text) => `lnbcrt1${text}`),
      changed,
      changed.map((text) => text.toUpperCase()),
      changed.map((text) => `lightning:${text}`),
      fc.nat(good.length).map((length) => good.slice(0, length)),
    );
    fc.assert(
      fc.property(anything, networks, (text, network) => {
        judged(text, network);
        verdictOf(text);
      }),
      runs(1_500),
    );
  });

  test("of sound letters and odd fields, signed and with a checksum that fits, is refused or read", () => {
    const words = fc.array(fc.nat(31), { maxLength: 60 });
    const field = fc.oneof(
      fc.tuple(fc.constantFrom(..."pshdnxcfr9mqzy"), words),
      fc.constantFrom(...SOUND),
      fc.integer({ min: 0, max: 2 ** 34 }).map((value): Field => ["x", fromInteger(value)]),
      fc.integer({ min: 0, max: 2 ** 34 }).map((value): Field => ["c", fromInteger(value)]),
      fc.array(fc.nat(300), { maxLength: 5 }).map((bits): Field => ["9", fromFeatures(bits)]),
      fc.string({ unit: "binary", maxLength: 30 }).map((text): Field => ["d", fromText(text)]),
      fc
        .array(fc.nat(65_535), { minLength: 1, maxLength: 3 })
        .map((deltas): Field => ["r", fromHex(deltas.map((delta) => hop(delta)).join(""))]),
    );
    const fields = fc.oneof(
      fc.array(field, { maxLength: 8 }),
      fc.array(field, { maxLength: 3 }).map((more) => [...SOUND, ...more]),
    ) as fc.Arbitrary<Field[]>;
    const hrp = fc.oneof(
      fc.constant("lnbcrt"),
      fc.constantFrom("lnbc", "lntb", "lnbcrt1m", "lnbcrt0u", "lnbcrt99999999999999999n", "lnbcrt1p", "ln", "lnbcrtx"),
    );
    fc.assert(
      fc.property(
        hrp,
        fields,
        fc.integer({ min: 0, max: 2 ** 35 - 1 }),
        fc.array(fc.nat(31), { maxLength: 5 }),
        fc.boolean(),
        (prefix, list, timestamp, tail, highS) => {
          const invoice = rawInvoice({ hrp: prefix, fields: list, timestamp, tail, highS });
          judged(invoice, "bcrt");
          verdictOf(invoice);
        },
      ),
      runs(250),
    );
  }, 30_000);

  test("with words exchanged under a checksum that fits is never another payment of the same key", () => {
    const good = rawInvoice({ timestamp: NOW / 1000 });
    const before = readInvoice(good, "bcrt");
    if (!before.ok) throw new Error("Not sound");
    fc.assert(
      fc.property(fc.nat(300), fc.integer({ min: 1, max: 31 }), (at, by) => {
        const forged = reworded(good, (words) =>
          words.map((word, index) => (index === at % words.length ? word ^ by : word)),
        );
        judged(forged, "bcrt");
        const read = readInvoice(forged, "bcrt");
        if (read.ok && read.facts.payee === before.facts.payee)
          expect(read.facts.paymentHash).toBe(before.facts.paymentHash);
      }),
      runs(300),
    );
  });
});

test("however long or tangled, an invoice costs milliseconds", () => {
  const longest = (fields: Field[]) => {
    const invoice = rawInvoice({ fields });
    expect(invoice.length).toBeLessThanOrEqual(MAX_INVOICE_LENGTH);
    return invoice;
  };
  const dear = [
    `lnbcrt1${"q".repeat(180_000)}`,
    `LNBCRT1${"Q".repeat(180_000)}`,
    `lnbcrt${"1".repeat(180_000)}`,
    "1".repeat(MAX_INVOICE_LENGTH),
    `lnbcrt1${"q".repeat(MAX_INVOICE_LENGTH - 7)}`,
    longest([...SOUND, ["d", new Array(1_000).fill(1)]]),
    longest([...SOUND.filter(([type]) => type !== "d"), ["d", fromText("x".repeat(630))]]),
    longest([...SOUND, ...new Array<Field>(5).fill(["r", fromHex(hop(40).repeat(3))])]),
    longest([...SOUND, ...new Array<Field>(55).fill(["q", [1]])]),
    longest([...SOUND, ...new Array<Field>(300).fill(["q", []])]),
  ];
  for (const invoice of dear) {
    const once = () => {
      judged(invoice, "bcrt");
      verdictOf(invoice);
    };
    once();
    const cost = Math.min(...[1, 2, 3, 4, 5].map(() => cpuMs(once)));
    expect([invoice.slice(0, 20), invoice.length, cost < 25]).toEqual([invoice.slice(0, 20), invoice.length, true]);
  }
});
