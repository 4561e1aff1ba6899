import { expect, test } from "bun:test";
import { microTime, moscowTime, parseTime, utcTime, zonelessTime } from "../../../src/sandbox/provider/times.ts";

const TIME = Date.UTC(2026, 1, 28, 22, 30, 5);

test("one time has four forms on the wire", () => {
  expect(utcTime(TIME)).toBe("2026-02-28T22:30:05+00:00");
  expect(moscowTime(TIME)).toBe("2026-03-01T01:30:05+03:00");
  expect(zonelessTime(TIME)).toBe("2026-03-01 01:30:05");
  expect(microTime(TIME)).toBe("2026-02-28T22:30:05.000000Z");
});

test("ISO times are read as Date reads them, for every day of a leap cycle", () => {
  for (let day = Date.UTC(1999, 0, 1, 12); day < Date.UTC(2005, 0, 1); day += 86_400_000) {
    expect(parseTime(new Date(day).toISOString())).toBe(day);
  }
  for (const text of ["2026-02-28", "2026-02-28T22:30Z", "2026-02-28T22:30:05+03:00", "2026-02-28T22:30:05-05:30"]) {
    expect(parseTime(text)).toBe(Date.parse(text));
  }
});

test("an offset whose plus sign was not encoded is understood; nonsense is not", () => {
  expect(parseTime("2026-02-28T22:30:05 03:00")).toBe(TIME - 3 * 3_600_000);
  for (const text of ["", "now", "2026-13-01", "2026-01-32", "1790000000", "2026-01-01T"])
    expect(parseTime(text)).toBeNull();
});
