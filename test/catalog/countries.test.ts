import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Countries, loadCountries, SHIPPED_COUNTRIES as shipped } from "../../src/catalog/countries.ts";

const idOf = (input: string | number, countries = shipped): number | "auto" | null => {
  const answer = countries.resolve(input);
  return answer.ok ? (answer.country === "auto" ? "auto" : answer.country.id) : null;
};
const nearestTo = (input: string): string[] => {
  const answer = shipped.resolve(input);
  if (answer.ok) throw new Error(`"${input}" is a country`);
  return answer.nearest.map(({ name }) => name);
};

describe("every shipped country", () => {
  test("resolves by id, as a number and as digits", () => {
    expect(shipped.rows.length).toBe(205);
    for (const { id } of shipped.rows) expect([idOf(id), idOf(String(id)), idOf(` ${id} `)]).toEqual([id, id, id]);
  });

  test("resolves by ISO code in any case, except the virtual USA, whose code is the real one's", () => {
    for (const { id, iso } of shipped.rows) {
      const expected = id === 12 ? 187 : id;
      expect([id, idOf(iso ?? ""), idOf((iso ?? "").toLowerCase())]).toEqual([id, expected, expected]);
    }
  });

  test("resolves by name and by every alias, in any case and spacing", () => {
    for (const { id, name, aliases } of shipped.rows) {
      for (const text of [name, ...aliases]) {
        for (const written of [text, text.toUpperCase(), text.toLowerCase(), text.replaceAll(" ", "-"), ` ${text} `]) {
          expect([written, idOf(written)]).toEqual([written, id]);
        }
      }
    }
  });

  test("is found again by id", () => {
    expect(shipped.byId(187)?.name).toBe("United States");
    expect(shipped.byId(0)).toBeNull();
  });
});

describe("a country as people write it", () => {
  const table: [input: string | number, id: number | "auto"][] = [
    ["US", 187],
    ["usa", 187],
    ["U.S.A.", 187],
    ["United States of America", 187],
    ["USA (virtual)", 12],
    ["12", 12],
    ["uk", 16],
    ["England", 16],
    ["Britain", 16],
    ["America", 187],
    ["Holland", 48],
    ["Burma", 5],
    ["Espana", 56],
    ["GB", 16],
    ["Réunion", 146],
    ["reunion", 146],
    ["Côte d’Ivoire", 27],
    ["cote divoire", 27],
    ["Türkiye", 62],
    ["São Tomé & Príncipe", 178],
    ["Bosnia & Herzegovina", 108],
    ["BOSNIA", 108],
    ["hongkong", 14],
    ["ＵＳ", 187],
    ["auto", "auto"],
    ["AUTO", "auto"],
    [" Auto ", "auto"],
    ["DR Congo", 18],
    ["congo", 150],
    ["Guinea", 68],
    ["Niger", 139],
    ["Сuba", 113],
  ];
  for (const [input, id] of table) test(`${JSON.stringify(input)} is ${id}`, () => expect(idOf(input)).toBe(id));
});

describe("an unknown country", () => {
  const odd: (string | number)[] = [
    "",
    " ",
    "XX",
    "0",
    "00187",
    "0187",
    "187.0",
    "-187",
    "+187",
    "1e2",
    "0x10",
    "999",
    "99999999999999999999",
    "١٨٧",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "null",
    "undefined",
    "🇺🇸",
    "💥",
    "\u0000",
    "%00",
    "'; DROP TABLE",
    -1,
    187.5,
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    "x".repeat(10_000),
    "1".repeat(10_000),
    " ".repeat(10_000),
    "\u{FDFA}".repeat(64),
  ];
  for (const input of odd) {
    test(`such as ${JSON.stringify(String(input).slice(0, 24))} is refused with at most five guesses`, () => {
      const answer = shipped.resolve(input);
      expect(answer.ok).toBe(false);
      expect(answer.ok ? 99 : answer.nearest.length).toBeLessThanOrEqual(5);
    });
  }

  const guesses: [input: string, first: string][] = [
    ["Germny", "Germany"],
    ["Brasil", "Brazil"],
    ["Phillipines", "Philippines"],
    ["Holy Netherlands", "Netherlands"],
    ["The Gambia", "Gambia"],
    ["Unitd Kingdm", "United Kingdom"],
    ["Swi", "Switzerland"],
  ];
  for (const [input, first] of guesses)
    test(`"${input}" may mean ${first}`, () => expect(nearestTo(input)[0]).toBe(first));

  test("gets guesses of five different countries at most", () => {
    const names = nearestTo("United");
    expect(names).toEqual(["United Kingdom", "United Arab Emirates", "United States"]);
    expect(nearestTo("S").length).toBe(5);
    expect(new Set(nearestTo("S")).size).toBe(5);
  });

  test("gets none for a number", () => {
    expect(nearestTo("999")).toEqual([]);
    expect(shipped.resolve(999)).toEqual({ ok: false, nearest: [] });
  });
});

test("no text makes the search throw or guess at length", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.double()), (input) => {
      const answer = shipped.resolve(input);
      if (!answer.ok) expect(answer.nearest.length).toBeLessThanOrEqual(5);
    }),
    { numRuns: 500 },
  );
});

test("a refreshed file replaces the shipped countries, unless it is broken", () => {
  const loaded = loadCountries([{ id: 5, iso: null, name: "Atlantis", aliases: ["Poseidonis"] }]);
  if (!loaded.ok) throw new Error(loaded.problem);
  expect(idOf("poseidonis", loaded.countries)).toBe(5);
  expect(idOf("US", loaded.countries)).toBeNull();
  expect(loadCountries([{ id: 5 }])).toEqual({ ok: false, problem: "Row 1 is malformed" });
});

test("a shared ISO code goes to the row that lists it as an alias, else to the first", () => {
  const rows = [
    { id: 1, iso: "AA", name: "First", aliases: [] },
    { id: 2, iso: "AA", name: "Second", aliases: ["AA"] },
    { id: 3, iso: "BB", name: "Third", aliases: [] },
    { id: 4, iso: "BB", name: "Fourth", aliases: [] },
  ];
  expect(idOf("aa", new Countries(rows))).toBe(2);
  expect(idOf("bb", new Countries(rows))).toBe(3);
});
