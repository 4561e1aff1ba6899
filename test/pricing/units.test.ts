import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseUsdPerBtc, readCents, usdCentsPerBtc } from "../../src/pricing/units.ts";

test("reads the decimal texts and numbers that price sources send, dropping fractions of a cent", () => {
  expect(parseUsdPerBtc("63450.00")).toBe(usdCentsPerBtc(6_345_000));
  expect(parseUsdPerBtc("63450.10000")).toBe(usdCentsPerBtc(6_345_010));
  expect(parseUsdPerBtc("63450.1")).toBe(usdCentsPerBtc(6_345_010));
  expect(parseUsdPerBtc("63450.999999")).toBe(usdCentsPerBtc(6_345_099));
  expect(parseUsdPerBtc(67187.34)).toBe(usdCentsPerBtc(6_718_734));
  expect(parseUsdPerBtc(43753)).toBe(usdCentsPerBtc(4_375_300));
  expect(parseUsdPerBtc("100")).toBe(usdCentsPerBtc(10_000));
});

test("anything that is not a plausible price is no price", () => {
  const defects = [Number.NaN, Number.POSITIVE_INFINITY, 0, -1, 99.99, 1e9, 1e21, "", "-1", "0", "1e5", "NaN", "0x10"];
  const shapes = [null, undefined, {}, [], ["63450"], true, "63,450.00", "63450.", ".5", "1".repeat(400)];
  for (const defect of [...defects, ...shapes]) expect(parseUsdPerBtc(defect)).toBeNull();
  for (const defect of [9_999, 10_000_000_001, 6_345_000.5, Number.NaN, "6345000", null]) {
    expect(readCents(defect)).toBeNull();
  }
  expect(() => usdCentsPerBtc(0)).toThrow(RangeError);
});

test("every whole number of cents reads back from its decimal text, as a text and as a JSON number", () => {
  fc.assert(
    fc.property(fc.integer({ min: 10_000, max: 10_000_000_000 }), (cents) => {
      const text = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
      expect(parseUsdPerBtc(text)).toBe(usdCentsPerBtc(cents));
      expect(parseUsdPerBtc(JSON.parse(text))).toBe(usdCentsPerBtc(cents));
    }),
  );
});
