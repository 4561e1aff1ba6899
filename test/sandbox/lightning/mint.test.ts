import { describe, expect, setSystemTime, test } from "bun:test";
import { decode } from "bolt11";
import { readInvoice } from "../../../src/sandbox/lightning/decode.ts";
import { type Mint, mintInvoice, networkParameters, publicKey } from "../../../src/sandbox/lightning/mint.ts";

const HASH = "0001020304050607080900010203040506070809000102030405060708090102";
/** The key and payee of the examples in BOLT 11. */
const SECRET_KEY = Uint8Array.from(
  Buffer.from("e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734", "hex"),
);
const PAYEE = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
const TIMESTAMP = 1_496_314_658;

function mint(over: Partial<Mint> = {}): string {
  return mintInvoice({ paymentHash: HASH, timestamp: TIMESTAMP, secretKey: SECRET_KEY, ...over });
}

describe("mintInvoice", () => {
  test("signs so that the payee of the BOLT 11 examples is recovered", () => {
    expect(decode(mint()).payeeNodeKey).toBe(PAYEE);
    expect(publicKey(SECRET_KEY)).toBe(PAYEE);
  });

  test("writes amount, time, hash, secret and expiry as the BOLT 11 example '$3 for a cup of coffee' does", () => {
    // The example has another description and no `c`, so it is compared field by field.
    const coffee = mint({ amountMsat: 250_000_000, network: "bc", expirySeconds: 60, paymentSecret: "11".repeat(32) });
    expect(coffee).toStartWith("lnbc2500u1pvjluez");
    expect(coffee).toContain("pp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypq");
    expect(coffee).toContain("sp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs");
    expect(coffee).toContain("xqzpu");
  });

  test("writes every field it was given and nothing the library would make up", () => {
    const invoice = decode(
      mint({
        amountMsat: 1_234_000,
        description: "Zahlung für Ümläute",
        expirySeconds: 300,
        finalCltv: 18,
        paymentSecret: "22".repeat(32),
      }),
    );
    expect(invoice.network?.bech32).toBe("bcrt");
    expect(invoice.satoshis).toBe(1234);
    expect(invoice.timestamp).toBe(TIMESTAMP);
    expect(invoice.timeExpireDate).toBe(TIMESTAMP + 300);
    expect(invoice.tagsObject).toMatchObject({
      payment_hash: HASH,
      payment_secret: "22".repeat(32),
      description: "Zahlung für Ümläute",
      expire_time: 300,
      min_final_cltv_expiry: 18,
    });
    expect(invoice.tags.map((tag) => tag.tagName)).toEqual([
      "payment_hash",
      "payment_secret",
      "description",
      "expire_time",
      "min_final_cltv_expiry",
      "feature_bits",
    ]);
  });

  test("leaves the amount out of the prefix when none is given", () => {
    expect(mint().slice(0, mint().lastIndexOf("1"))).toBe("lnbcrt");
    expect(decode(mint()).millisatoshis).toBeNull();
  });

  test("makes odd invoices: one millisat, no expiry, no secret, no features, another network", () => {
    expect(decode(mint({ amountMsat: 1 })).millisatoshis).toBe("1");
    expect(decode(mint({ expirySeconds: null })).timeExpireDate).toBeUndefined();
    const old = decode(mint({ paymentSecret: null, features: [] }));
    expect(old.tagsObject.payment_secret).toBeUndefined();
    expect(old.tagsObject.feature_bits).toBeUndefined();
    expect(decode(mint({ network: "tb" })).network?.bech32).toBe("tb");
    expect(decode(mint({ network: "tbs" }), networkParameters("tbs")).payeeNodeKey).toBe(PAYEE);
  });

  test.each([[[8, 14, 17]], [[9, 15]], [[8, 14, 16, 48]], [[8, 14, 100]], [[8, 14, 101]], [[0, 14, 19, 20]]])(
    "sets exactly the feature bits %p",
    (features) => {
      expect(readInvoice(mint({ features }))).toMatchObject({ ok: true, features });
    },
  );

  test("refuses what the wire cannot carry", () => {
    const wrong: Partial<Mint>[] = [
      { paymentHash: "zz".repeat(32) },
      { paymentHash: "00".repeat(31) },
      { paymentSecret: "00" },
      { amountMsat: 1.5 },
      { amountMsat: 0 },
      { timestamp: 2 ** 35 },
      { timestamp: -1 },
      { expirySeconds: -1 },
      { finalCltv: 0 },
      { features: [-1] },
    ];
    for (const over of wrong) expect(() => mint(over)).toThrow(RangeError);
  });

  test("does not look at the clock: the same fields make the same invoice a year later", () => {
    const first = mint();
    setSystemTime(new Date("2031-01-01T00:00:00Z"));
    expect(mint()).toBe(first);
    setSystemTime();
  });
});

describe("readInvoice", () => {
  test("reads what was minted, and BOLT 11's defaults for what was not", () => {
    expect(readInvoice(mint({ expirySeconds: null, amountMsat: 1500 }))).toEqual({
      ok: true,
      payee: PAYEE,
      paymentHash: HASH,
      paymentSecret: "5e".repeat(32),
      amountMsat: 1500,
      timestamp: TIMESTAMP,
      expirySeconds: 3600,
      description: "",
      descriptionHash: "",
      finalCltv: 80,
      features: [8, 14, 17],
    });
  });

  test("accepts upper case, as QR codes have it", () => {
    expect(readInvoice(mint().toUpperCase())).toMatchObject({ ok: true, payee: PAYEE });
  });

  test("refuses other networks, damage, and lengths that would burn CPU, each in lnd's words", () => {
    const reason = (text: string) => {
      const read = readInvoice(text);
      return read.ok ? "read" : read.reason;
    };
    expect(reason(mint({ network: "bc" }))).toBe("invoice not for current active network 'regtest'");
    expect(reason(mint({ network: "tbs" }))).toBe("invoice not for current active network 'regtest'");
    expect(reason("hello")).toBe('prefix should be "ln"');
    expect(reason(`${mint().slice(0, -1)}${mint().endsWith("q") ? "p" : "q"}`)).toBe(
      "unable to decode payment request",
    );
    expect(reason("lnbcrt1")).toBe("unable to decode payment request");
    expect(reason(`lnbcrt1${"q".repeat(8_000)}`)).toBe("invoice is too large");
  });
});
