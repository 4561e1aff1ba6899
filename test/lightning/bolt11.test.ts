import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_INVOICE_LENGTH, namesAmount, readInvoice } from "../../src/lightning/bolt11.ts";
import type { Network } from "../../src/lightning/port.ts";
import { mintInvoice } from "../../src/sandbox/lightning/mint.ts";
import { cpuMs } from "../support/cpu.ts";
import {
  type Field,
  fields,
  fromFeatures,
  fromHex,
  fromInteger,
  fromText,
  HASH,
  hop,
  PAYEE,
  rawInvoice,
  reworded,
  SECRET,
  SOUND,
} from "./raw-invoice.ts";
import vectors from "./vectors/bolt11.json";

const read = (invoice: string, network: Network = "bcrt") => readInvoice(invoice, network);
const reason = (invoice: string, network: Network = "bcrt") => {
  const result = read(invoice, network);
  return result.ok ? "accepted" : result.reason;
};

describe("vectors of BOLT 11", () => {
  for (const { name, invoice, facts } of vectors.valid) {
    if (facts === null) continue;
    test(`valid: ${name}`, () => {
      const { network, ...expected } = facts;
      expect(read(invoice, network as Network)).toEqual({
        ok: true,
        facts: { invoice: invoice.toLowerCase(), ...expected },
      } as never);
    });
  }

  test("the example with fields of wrong lengths is refused, as the requirements for a reader demand since 2025", () => {
    const odd = vectors.valid.filter(({ facts }) => facts === null);
    expect(odd.map(({ name }) => name)).toEqual(["Same, but including fields which must be ignored."]);
    for (const { invoice } of odd) expect(reason(invoice, "bc")).toBe("bad_fields");
  });

  const reasons = [
    "unknown_feature",
    "bad_checksum",
    "malformed",
    "malformed",
    "bad_signature",
    "malformed",
    "bad_amount",
    "bad_amount",
    "bad_fields",
    "bad_fields",
  ];
  vectors.invalid.forEach(({ name, invoice }, index) => {
    test(`invalid: ${name}`, () => expect(reason(invoice, "bc")).toBe(reasons[index] as string));
  });
});

describe("what the invoice says", () => {
  test("a sound invoice is read in full", () => {
    const invoice = rawInvoice({ fields: [...SOUND, ["r", fromHex(hop(40) + hop(34))], ["r", fromHex(hop(9))]] });
    expect(read(invoice)).toEqual({
      ok: true,
      facts: {
        invoice,
        paymentHash: HASH,
        paymentSecret: SECRET,
        amountMsats: null,
        issuedAt: 1_700_000_000_000,
        expiresAt: 1_700_007_200_000,
        payee: PAYEE,
        description: "refund",
        descriptionHash: null,
        minFinalCltv: 80,
        features: [8, 14, 17],
        routes: [
          [
            { pubkey: PAYEE, feeBaseMsats: 1, feePpm: 20, cltvDelta: 40 },
            { pubkey: PAYEE, feeBaseMsats: 1, feePpm: 20, cltvDelta: 34 },
          ],
          [{ pubkey: PAYEE, feeBaseMsats: 1, feePpm: 20, cltvDelta: 9 }],
        ],
      },
    });
  });

  test("without x and c it lives an hour and asks for 18 blocks", () => {
    const result = read(rawInvoice({ fields: fields("xc") }));
    expect(result).toMatchObject({ ok: true, facts: { expiresAt: 1_700_003_600_000, minFinalCltv: 18 } });
  });

  const amounts: [string, number | string | null][] = [
    ["", null],
    ["10p", 1],
    ["15n", 1500],
    ["2500u", 250_000_000],
    ["1m", 100_000_000],
    ["20", 2_000_000_000_000],
    ["21000000", "bad_amount"],
    ["20999999", "bad_amount"],
    ["1p", "bad_amount"],
    ["0", "bad_amount"],
    ["0m", "bad_amount"],
    ["0020m", "bad_amount"],
    ["20x", "bad_amount"],
    ["20mm", "bad_amount"],
    ["m", "wrong_network"],
    ["9999999999999999999999", "bad_amount"],
  ];
  for (const [text, expected] of amounts) {
    test(`amount "${text}" is ${expected}`, () => {
      const result = read(rawInvoice({ hrp: `lnbcrt${text}` }));
      expect(result.ok ? result.facts.amountMsats : result.reason).toBe(expected as never);
    });
  }

  test("each network reads its own prefix and no other", () => {
    const networks: Network[] = ["bc", "tb", "tbs", "bcrt"];
    for (const minted of networks) {
      for (const suffix of ["", "1m"]) {
        const invoice = rawInvoice({ hrp: `ln${minted}${suffix}` });
        for (const ours of networks) {
          expect([minted, ours, reason(invoice, ours)]).toEqual([
            minted,
            ours,
            minted === ours ? "accepted" : "wrong_network",
          ]);
        }
      }
    }
    expect(reason(rawInvoice({ hrp: "lnsb" }))).toBe("wrong_network");
  });
});

describe("fields", () => {
  const p: Field = ["p", fromHex("ee".repeat(32))];
  const withPadding = (words: number[]) => [...words.slice(0, -1), (words.at(-1) ?? 0) | 1];
  const cases: [string, readonly Field[], string][] = [
    ["no payment hash", fields("p"), "bad_fields"],
    ["two payment hashes", fields("", p), "bad_fields"],
    ["a payment hash of 51 words", fields("p", ["p", p[1].slice(1)]), "bad_fields"],
    ["a second payment hash of a wrong length", fields("", ["p", p[1].slice(1)]), "bad_fields"],
    ["a payment hash with padding of ones", fields("p", ["p", withPadding(fromHex(HASH))]), "bad_fields"],
    ["no payment secret", fields("s"), "bad_fields"],
    ["two payment secrets", fields("", ["s", fromHex(SECRET)]), "bad_fields"],
    ["neither description nor hash of one", fields("d"), "bad_fields"],
    ["description and hash of one", fields("", ["h", fromHex(HASH)]), "bad_fields"],
    ["two descriptions", fields("", ["d", fromText("again")]), "bad_fields"],
    ["a hash of a description", fields("d", ["h", fromHex(HASH)]), "accepted"],
    ["a hash of a description of 51 words", fields("d", ["h", fromHex(HASH).slice(1)]), "bad_fields"],
    ["a description with a word too many", fields("d", ["d", [...fromText("refund"), 0]]), "bad_fields"],
    ["an empty description", fields("d", ["d", []]), "accepted"],
    ["a description that is not UTF-8", fields("d", ["d", fromHex("ff00ff")]), "bad_fields"],
    ["the right n field", fields("", ["n", fromHex(PAYEE)]), "accepted"],
    [
      "an n field of another node",
      fields("", ["n", fromHex(`02${"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}`)]),
      "bad_signature",
    ],
    ["an n field of 52 words", fields("", ["n", fromHex(PAYEE).slice(1)]), "bad_fields"],
    ["two n fields", fields("", ["n", fromHex(PAYEE)], ["n", fromHex(PAYEE)]), "bad_fields"],
    ["x of no words", fields("x", ["x", []]), "bad_fields"],
    ["x of zero", fields("x", ["x", [0]]), "bad_fields"],
    ["x with a leading zero", fields("x", ["x", fromInteger(7200, 5)]), "bad_fields"],
    ["two x fields", fields("", ["x", fromInteger(60)]), "bad_fields"],
    ["x of a year", fields("x", ["x", fromInteger(365 * 86_400)]), "accepted"],
    ["x of more than a year", fields("x", ["x", fromInteger(365 * 86_400 + 1)]), "bad_expiry"],
    ["x past the end of time", fields("x", ["x", fromInteger(2 ** 43)]), "bad_fields"],
    ["c with a leading zero", fields("c", ["c", fromInteger(80, 3)]), "bad_fields"],
    ["two c fields", fields("", ["c", fromInteger(18)]), "bad_fields"],
    ["c of 16 bits", fields("c", ["c", fromInteger(65_535)]), "accepted"],
    ["c of 17 bits", fields("c", ["c", fromInteger(65_536 + 18)]), "bad_fields"],
    ["no features", fields("9"), "accepted"],
    ["payment metadata", fields("9", ["9", fromFeatures([8, 14, 48])], ["m", fromHex("01fafaf0")]), "accepted"],
    ["odd unknown features", fields("9", ["9", fromFeatures([9, 15, 25, 99, 263])]), "accepted"],
    ["features with a leading zero word", fields("9", ["9", [0, ...fromFeatures([8, 14, 17])]]), "bad_fields"],
    ["required feature 0", fields("9", ["9", fromFeatures([0, 8, 14])]), "unknown_feature"],
    ["required AMP", fields("9", ["9", fromFeatures([8, 14, 30])]), "unknown_feature"],
    ["required feature 100", fields("9", ["9", fromFeatures([8, 14, 100])]), "unknown_feature"],
    ["two feature fields", fields("", ["9", fromFeatures([9])]), "bad_fields"],
    ["an unknown field, twice", fields("", ["2", [1, 2, 3]], ["2", []]), "accepted"],
    ["a public key hash to fall back to", fields("", ["f", [17, ...fromHex("11".repeat(20))]]), "accepted"],
    ["a fallback of an unknown version", fields("", ["f", [19, 1, 2]]), "accepted"],
    ["a fallback of a wrong length", fields("", ["f", [17, ...fromHex("11".repeat(19))]]), "bad_fields"],
    ["an empty fallback", fields("", ["f", []]), "bad_fields"],
    ["an empty route", fields("", ["r", []]), "bad_fields"],
    ["half a hop", fields("", ["r", fromHex(hop(9).slice(0, 60))]), "bad_fields"],
    ["a hop through no key", fields("", ["r", fromHex(hop(9, `02${"ff".repeat(32)}`))]), "bad_fields"],
    ["more fields than any wallet writes", fields("", ...new Array<Field>(60).fill(["2", []])), "bad_fields"],
  ];
  for (const [what, content, expected] of cases) {
    test(`${what}: ${expected}`, () => expect(reason(rawInvoice({ fields: content }))).toBe(expected));
  }

  test("a field that runs past the end, or words left over, are refused", () => {
    expect(reason(rawInvoice({ tail: [10, 0, 5, 1] }))).toBe("bad_fields");
    expect(reason(rawInvoice({ tail: [1] }))).toBe("bad_fields");
    expect(reason(rawInvoice({ tail: [1, 0] }))).toBe("bad_fields");
    expect(reason(rawInvoice({ tail: [10, 0, 0] }))).toBe("accepted");
  });
});

describe("signature", () => {
  test("both forms of a signature recover the key where no n field names it", () => {
    expect(read(rawInvoice({ highS: true }))).toMatchObject({ ok: true, facts: { payee: PAYEE } });
  });

  test("with an n field only the canonical form counts, even when the key fits", () => {
    const named = fields("", ["n", fromHex(PAYEE)]);
    expect(reason(rawInvoice({ fields: named, highS: true }))).toBe("bad_signature");
  });

  test("a recovery flag that is none is refused", () => {
    // The last two words hold the low bits of the flag's byte.
    const flagged = reworded(rawInvoice(), (words) => [...words.slice(0, -1), 31]);
    expect(reason(flagged)).toBe("bad_signature");
  });

  test("changed words with a checksum that fits again never keep the payee", () => {
    const invoice = rawInvoice();
    const length = invoice.length - "lnbcrt1".length - 6;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: length - 105 }), fc.integer({ min: 1, max: 31 }), (at, difference) => {
        const changed = reworded(invoice, (words) =>
          words.map((word, index) => (index === at ? word ^ difference : word)),
        );
        const result = read(changed);
        expect(result.ok && result.facts.payee === PAYEE).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

describe("text", () => {
  const invoice = mintInvoice({ paymentHash: HASH, timestamp: 1_700_000_000 });

  test("upper case is read like lower case, mixed case is refused", () => {
    expect(read(invoice.toUpperCase())).toEqual(read(invoice));
    expect(reason(`L${invoice.slice(1)}`)).toBe("malformed");
  });

  test("nothing but the invoice itself is read", () => {
    for (const text of [
      "",
      "ln",
      "1",
      "lnbcrt1",
      ` ${invoice}`,
      `${invoice}\n`,
      `lightning:${invoice}`,
      `${invoice}ı`,
    ]) {
      expect(reason(text)).toBe("malformed");
    }
    expect(readInvoice(17 as unknown as string, "bcrt")).toEqual({ ok: false, reason: "malformed" });
  });

  test("a single changed character is always noticed", () => {
    const characters = "0123456789abcdefghijklmnopqrstuvwxyzABQ -";
    fc.assert(
      fc.property(fc.nat(invoice.length - 1), fc.constantFrom(...characters), (at, character) => {
        fc.pre(invoice[at] !== character);
        expect(read(invoice.slice(0, at) + character + invoice.slice(at + 1)).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test("a character more or less changes nothing that is signed, or is refused", () => {
    const original = read(invoice);
    fc.assert(
      fc.property(fc.nat(invoice.length), fc.constantFrom(..."qpzry9x8gf2tvdw0s3jn54khce6mua7l1", ""), (at, added) => {
        const changed = read(invoice.slice(0, at) + added + invoice.slice(added === "" ? at + 1 : at));
        if (changed.ok && original.ok) expect(changed.facts.paymentHash).toBe(original.facts.paymentHash);
      }),
      { numRuns: 1000 },
    );
  });

  test("no text makes it throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constant(invoice)), fc.string(), (a, b) => {
        read(a + b);
        read(`lnbcrt1${a}${b}`);
      }),
    );
  });

  test("no words with a fitting checksum make it throw", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(31), { maxLength: 400 }), (words) => {
        read(reworded("lnbcrt1qqqqqq", () => words));
        read(rawInvoice({ fields: [], tail: words }));
      }),
      { numRuns: 300 },
    );
  });

  test("long input is refused within a millisecond, whatever it holds", () => {
    const long = [invoice + "q".repeat(180_000), `lnbcrt1${"q".repeat(180_000)}`, "L".repeat(180_000)];
    for (const text of long) read(text);
    const spent = cpuMs(() => {
      for (let round = 0; round < 100; round++) for (const text of long) expect(reason(text)).toBe("too_long");
    });
    expect(spent / 300).toBeLessThan(1);
  });

  test("the longest text that is read costs only a few milliseconds, even when made of empty fields", () => {
    const empty = reworded(rawInvoice(), (words) => [
      ...words.slice(0, 7),
      ...new Array<number>(1900).fill(0),
      ...words.slice(-104),
    ]);
    const full = rawInvoice({
      fields: fields("", ["2", new Array<number>(1000).fill(0)], ["8", new Array<number>(600).fill(0)]),
    });
    expect(full.length).toBeLessThan(MAX_INVOICE_LENGTH);
    expect([reason(empty), reason(full)]).toEqual(["bad_fields", "accepted"]);
    const spent = cpuMs(() => {
      for (let round = 0; round < 20; round++) for (const text of [empty, full]) read(text);
    });
    expect(spent / 40).toBeLessThan(20);
  });
});

test("an invoice tells by its human-readable part whether it names an amount", () => {
  for (const [hrp, named] of [
    ["lnbcrt", false],
    ["lnbc", false],
    ["lnbcrt10u", true],
    ["lnbc2500n", true],
    ["lntb1m", true],
    ["lntbs1", true],
  ] as const) {
    expect({ hrp, named: namesAmount(rawInvoice({ hrp })) }).toEqual({ hrp, named });
  }
});
