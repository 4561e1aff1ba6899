import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { checkCountryRows, checkServiceRows, formatRows } from "../../src/catalog/rows.ts";

const data = (name: string) => Bun.file(join(import.meta.dir, "../../data", name));

describe("the shipped files", () => {
  test("hold valid countries, sorted by id, in the written form", async () => {
    const text = await data("countriesList.json").text();
    const checked = checkCountryRows(JSON.parse(text));
    if (!checked.ok) throw new Error(checked.problem);
    expect(checked.rows.length).toBe(205);
    expect(formatRows(checked.rows)).toBe(text);
    expect(checked.rows.map(({ id }) => id)).toEqual(checked.rows.map(({ id }) => id).sort((a, b) => a - b));
  });

  test("hold valid services in the written form", async () => {
    const text = await data("servicesList.json").text();
    const checked = checkServiceRows(JSON.parse(text));
    if (!checked.ok) throw new Error(checked.problem);
    expect(checked.rows.length).toBe(2034);
    expect(formatRows(checked.rows)).toBe(text);
  });
});

describe("a country row", () => {
  const row = { id: 1, iso: "UA", name: "Ukraine", aliases: ["Ukraina"] };

  test("may lack an ISO code, and loses unknown fields", () => {
    expect(checkCountryRows([{ ...row, iso: null, more: 1 }])).toEqual({ ok: true, rows: [{ ...row, iso: null }] });
  });

  const broken: [why: string, rows: unknown][] = [
    ["no list", { 0: row }],
    ["null", null],
    ["an empty list", []],
    ["too long a list", Array.from({ length: 1001 }, (_, id) => ({ ...row, id }))],
    ["a row that is null", [null]],
    ["a row that is a list", [[]]],
    ["an id as text", [{ ...row, id: "1" }]],
    ["a negative id", [{ ...row, id: -1 }]],
    ["a broken id", [{ ...row, id: 1.5 }]],
    ["a lower-case ISO code", [{ ...row, iso: "ua" }]],
    ["a missing ISO code", [{ id: 1, name: "Ukraine", aliases: [] }]],
    ["an empty name", [{ ...row, name: "" }]],
    ["a padded name", [{ ...row, name: " Ukraine" }]],
    ["a name with a line break", [{ ...row, name: "Ukr\naine" }]],
    ["an endless name", [{ ...row, name: "x".repeat(65) }]],
    ["aliases that are no list", [{ ...row, aliases: "Ukraina" }]],
    ["an alias that is no text", [{ ...row, aliases: [1] }]],
    ["too many aliases", [{ ...row, aliases: Array.from({ length: 21 }, (_, i) => `a${i}`) }]],
  ];
  for (const [why, rows] of broken) test(`with ${why} is refused`, () => expect(checkCountryRows(rows).ok).toBe(false));

  test("that occurs twice is refused by name", () => {
    expect(checkCountryRows([row, row])).toEqual({ ok: false, problem: '"1" occurs twice' });
  });
});

describe("a service row", () => {
  test("needs a short lower-case code and a name", () => {
    for (const code of ["", "TG", "t g", "telegrams", 1, null, "т"]) {
      expect(checkServiceRows([{ code, name: "Telegram" }]).ok).toBe(false);
    }
    expect(checkServiceRows([{ code: "tg" }])).toEqual({ ok: false, problem: "Row 1 is malformed" });
    expect(
      checkServiceRows([
        { code: "tg", name: "A" },
        { code: "tg", name: "B" },
      ]),
    ).toEqual({
      ok: false,
      problem: '"tg" occurs twice',
    });
    expect(
      checkServiceRows([
        { code: "tg", name: "A" },
        { code: "wa", name: "A" },
      ]).ok,
    ).toBe(true);
  });
});
