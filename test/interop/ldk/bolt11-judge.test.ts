/** LDK as the independent judge of our BOLT 11 reader: what we accept, another implementation reads the same way. */
import { describe, expect, test } from "bun:test";
import { bech32 } from "@scure/base";
import fc from "fast-check";
import { readInvoice } from "../../../src/lightning/bolt11.ts";
import { checkRefundInvoice } from "../../../src/lightning/refund-invoice.ts";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import {
  fields,
  fromFeatures,
  fromHex,
  fromInteger,
  fromText,
  HASH,
  hop,
  rawInvoice,
  reworded,
} from "../../lightning/raw-invoice.ts";
import vectors from "../../lightning/vectors/bolt11.json";
import { judge } from "./network.ts";

const ISSUED = 1_700_000_000;

/** LDK 0.1 reads no longer ones. */
const LDK_LIMIT = 1023;

/** var_onion_optin and payment_secret: without them LDK takes no invoice, and our rules no refund invoice. */
const announced = (features: readonly number[]): boolean =>
  [8, 14].every((bit) => features.includes(bit) || features.includes(bit + 1));

/** The same facts in our words, or null when we refuse. */
function ours(bolt11: string, network: "bc" | "tb" | "bcrt" = "bcrt") {
  const read = readInvoice(bolt11, network);
  if (!read.ok || !announced(read.facts.features)) return null;
  const { paymentHash: hash, payee, amountMsats: msat, issuedAt, expiresAt, minFinalCltv } = read.facts;
  return {
    hash,
    payee,
    msat: msat as number | null,
    issuedAt,
    expirySeconds: (expiresAt - issuedAt) / 1000,
    minFinalCltv,
  };
}

/** Half the order of secp256k1: above it a signature is in a form from which BOLT 11 recovers a key, and LDK 0.1 does not. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/** The second half of the signature, the last 104 words before the checksum. */
function isHighS(bolt11: string): boolean {
  const { words } = bech32.decode(bolt11 as `${string}1${string}`, false);
  const signature = Buffer.from(bech32.fromWords(words.slice(-104)));
  return BigInt(`0x${signature.subarray(32, 64).toString("hex")}`) > HALF_ORDER;
}

/** What we take, LDK takes as the same payment. It may take more than we do. */
function agrees(bolt11: string): void {
  const mine = ours(bolt11);
  if (mine === null || bolt11.length > LDK_LIMIT || isHighS(bolt11)) return;
  expect(judge(bolt11)).toEqual(mine);
}

describe("the examples of BOLT 11", () => {
  // "High-S" signatures without a key are newer than LDK 0.1; fields of wrong lengths are refused by us, as readers must since 2023.
  const differ = /high-S|fields which must be ignored/i;

  for (const { name, invoice, facts } of vectors.valid.filter(({ name }) => !differ.test(name))) {
    test(`valid: ${name}`, () => {
      const network = (facts?.network ?? "bc") as "bc" | "tb";
      const mine = ours(invoice, network);
      expect(mine).not.toBeNull();
      expect(judge(invoice.toLowerCase())).toEqual(mine);
    });
  }

  for (const { name, invoice } of vectors.invalid) {
    test(`invalid: ${name}`, () => expect([ours(invoice, "bc"), judge(invoice)]).toEqual([null, null]));
  }
});

describe("invoices of all kinds", () => {
  test("what the sandbox mints is what LDK reads", () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 1, max: 2_000_000_000 })),
        fc.integer({ min: 1, max: 31_536_000 }),
        fc.integer({ min: 18, max: 1_008 }),
        (amountMsat, expirySeconds, finalCltv) => {
          const invoice = mintInvoice({
            paymentHash: HASH,
            timestamp: ISSUED,
            expirySeconds,
            finalCltv,
            ...(amountMsat !== null && { amountMsat }),
          });
          expect(judge(invoice)).toEqual(ours(invoice));
          expect(judge(invoice)).toMatchObject({ msat: amountMsat, minFinalCltv: finalCltv });
        },
      ),
      { numRuns: 60 },
    );
  });

  test("fields left out, doubled, cut and reordered: nothing that we accept does LDK refuse or read differently", () => {
    const some = fc.constantFrom(
      fields(""),
      fields("p"),
      fields("s"),
      fields("d"),
      fields("d", ["h", fromHex(HASH)]),
      fields("", ["h", fromHex(HASH)]),
      fields("", ["p", fromHex("cd".repeat(32))]),
      fields("x"),
      fields("x", ["x", []]),
      fields("c"),
      fields("c", ["c", fromInteger(9)]),
      fields("9"),
      fields("9", ["9", fromFeatures([8, 14, 48])]),
      fields("9", ["9", fromFeatures([8, 14, 100])]),
      fields("9", ["9", fromFeatures([8, 14, 101])]),
      fields("", ["r", fromHex(hop(40) + hop(34))]),
      fields("", ["m", fromHex("0102030405")]),
      fields("", ["y", fromText("unknown")]),
    );
    const shapes = fc.record({
      fields: some.chain((list) => fc.shuffledSubarray(list, { minLength: Math.max(0, list.length - 1) })),
      hrp: fc.constantFrom("lnbcrt", "lnbcrt10u", "lnbcrt2500n", "lnbcrt10p", "lnbcrt0m", "lnbcrt15n"),
      tail: fc.constantFrom([], [0], [3, 0], [1, 0, 3, 5]),
    });
    fc.assert(
      fc.property(shapes, (shape) => agrees(rawInvoice(shape))),
      { numRuns: 400 },
    );
  });

  test("words changed under a checksum that fits: nothing that we accept does LDK refuse or read differently", () => {
    const invoice = rawInvoice({ fields: fields("", ["r", fromHex(hop(40))]) });
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 31 }), (at, flip) =>
        agrees(
          reworded(invoice, (words) => {
            const index = at % words.length;
            return words.map((word, place) => (place === index ? word ^ flip : word));
          }),
        ),
      ),
      { numRuns: 400 },
    );
  });

  test("a refund invoice that passes our rules can be parsed by the node that will pay it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_800, max: 31_536_000 }),
        fc.integer({ min: 18, max: 1_100 }),
        fc.array(fc.integer({ min: 1, max: 1_500 }), { maxLength: 4 }),
        fc.constantFrom([[8, 14]], [[9, 15, 17]], [[8]], [[14]], [[9, 14, 48]], []),
        (expiry, cltv, deltas, bits) => {
          const features = bits.map((set) => ["9", fromFeatures(set)] as const);
          const hints = deltas.map((delta) => ["r", fromHex(hop(delta))] as const);
          const invoice = rawInvoice({
            fields: fields("xc9", ["x", fromInteger(expiry)], ["c", fromInteger(cltv)], ...features, ...hints),
          });
          const verdict = checkRefundInvoice({
            invoice,
            network: "bcrt",
            now: ISSUED * 1000,
            minLifeSeconds: 1_800,
            ownPubkey: "02".repeat(33),
          });
          if (!verdict.ok) return;
          expect(judge(invoice)).toMatchObject({ hash: verdict.paymentHash, msat: null, minFinalCltv: cltv });
        },
      ),
      { numRuns: 150 },
    );
  });
});
