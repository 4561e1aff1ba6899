import { describe, expect, test } from "bun:test";
import { mergeCountries, mergeServices } from "../../src/catalog/refresh.ts";
import { checkCountryRows, checkServiceRows } from "../../src/catalog/rows.ts";

const FILE = [
  { id: 1, iso: "UA", name: "Ukraine", aliases: [] },
  { id: 2, iso: "KZ", name: "Kazakhstan", aliases: [] },
  { id: 18, iso: "CD", name: "DR Congo", aliases: ["DCongo"] },
  { id: 150, iso: "CG", name: "Congo", aliases: [] },
  { id: 187, iso: "US", name: "United States", aliases: ["USA", "US"] },
];
const LIVE = [
  { id: 187, name: "USA" },
  { id: 1, name: "Ukraine" },
  { id: 2, name: "Kazakhstan" },
  { id: 18, name: "DCongo" },
  { id: 150, name: "Congo" },
];
const countries = (list: { id: number; name: string }[]) =>
  mergeCountries(
    FILE,
    list.map((row) => ({ ...row, visible: true, rent: false })),
  );

describe("refreshed countries", () => {
  test("stay as they are when the provider says nothing new, also under its own names", () => {
    const unchanged = { ok: true, rows: FILE, changes: { added: [], renamed: [], notListed: [] } } as const;
    expect(countries(LIVE)).toEqual(unchanged);
    expect(countries(LIVE.map(({ id, name }) => ({ id, name: ` ${name} ` })))).toEqual(unchanged);
  });

  test("gain new rows in order of id, without an ISO code", () => {
    const merge = countries([...LIVE, { id: 20, name: "Macao " }]);
    if (!merge.ok) throw new Error(merge.problem);
    expect(merge.rows.map(({ id }) => id)).toEqual([1, 2, 18, 20, 150, 187]);
    expect(merge.rows[3]).toEqual({ id: 20, iso: null, name: "Macao", aliases: [] });
    expect(merge.changes).toEqual({ added: ["20 Macao"], renamed: [], notListed: [] });
    expect(checkCountryRows(merge.rows).ok).toBe(true);
  });

  test("keep ISO code and aliases under a new name, and the old name as an alias", () => {
    const merge = countries(LIVE.map((row) => (row.id === 18 ? { id: 18, name: "Zaire" } : row)));
    if (!merge.ok) throw new Error(merge.problem);
    expect(merge.rows[2]).toEqual({ id: 18, iso: "CD", name: "Zaire", aliases: ["DCongo", "DR Congo"] });
    expect(merge.changes.renamed).toEqual([{ key: "18", from: "DR Congo", to: "Zaire" }]);
  });

  test("keep rows the provider no longer lists, and report them", () => {
    const merge = countries(LIVE.slice(0, 3));
    if (!merge.ok) throw new Error(merge.problem);
    expect(merge.rows).toEqual(FILE);
    expect(merge.changes.notListed).toEqual(["18 DR Congo", "150 Congo"]);
  });

  test("never outgrow the limit of aliases", () => {
    const aliases = Array.from({ length: 20 }, (_, i) => `Name ${i}`);
    const merge = mergeCountries(
      [{ id: 1, iso: "UA", name: "Ukraine", aliases }],
      [{ id: 1, name: "New", visible: true, rent: false }],
    );
    if (!merge.ok) throw new Error(merge.problem);
    expect(merge.rows[0]?.aliases).toEqual([...aliases.slice(1), "Ukraine"]);
  });

  const broken: [why: string, list: { id: number; name: string }[], problem: string][] = [
    ["empty", [], "The list is empty"],
    ["half gone", LIVE.slice(0, 2), "The list has 2 rows, the file 5"],
    ["with a repeated id", [...LIVE, { id: 1, name: "Again" }], '"1" occurs twice in the list'],
    ["with a negative id", [...LIVE, { id: -1, name: "Minus" }], "Row 6 of the list has a bad id or code"],
    ["with a broken id", [...LIVE, { id: 1.5, name: "Half" }], "Row 6 of the list has a bad id or code"],
    ["with an empty name", [...LIVE, { id: 9, name: " " }], '"9" has no proper name'],
    ["with a name of signs only", [...LIVE, { id: 9, name: "???" }], '"9" has no proper name'],
    ["with an endless name", [...LIVE, { id: 9, name: "x".repeat(65) }], '"9" has no proper name'],
    [
      "of strangers",
      Array.from({ length: 6 }, (_, i) => ({ id: 300 + i, name: `N${i}` })),
      "Only 0 of 6 rows are known",
    ],
    [
      "with two ids swapped",
      LIVE.map((row) =>
        row.id === 18 ? { id: 18, name: "Congo" } : row.id === 150 ? { id: 150, name: "DCongo" } : row,
      ),
      'Country 18 is now called "Congo", which is country 150',
    ],
  ];
  for (const [why, list, problem] of broken) {
    test(`are refused from a list ${why}`, () => expect(countries(list)).toEqual({ ok: false, problem }));
  }
});

describe("refreshed services", () => {
  const file = ["go", "wa", "tg", "ot", "aa", "bb", "cc", "dd"].map((code) => ({ code, name: `Name ${code}` }));

  test("follow the provider's order; the rest keeps its own behind them", () => {
    const merge = mergeServices(file, [
      { code: "tg", name: "Name tg" },
      { code: "acz", name: "Claude " },
      { code: "go", name: "Google" },
    ]);
    if (!merge.ok) throw new Error(merge.problem);
    expect(merge.rows.map(({ code }) => code)).toEqual(["tg", "acz", "go", "wa", "ot", "aa", "bb", "cc", "dd"]);
    expect(merge.rows.slice(0, 3).map(({ name }) => name)).toEqual(["Name tg", "Claude", "Google"]);
    expect(merge.changes.added).toEqual(["acz Claude"]);
    expect(merge.changes.renamed).toEqual([{ key: "go", from: "Name go", to: "Google" }]);
    expect(merge.changes.notListed.length).toBe(6);
    expect(checkServiceRows(merge.rows).ok).toBe(true);
  });

  test("stay as they are when the provider says nothing new", () => {
    expect(mergeServices(file, file)).toEqual({
      ok: true,
      rows: file,
      changes: { added: [], renamed: [], notListed: [] },
    });
  });

  const broken: [why: string, list: { code: string; name: string }[], problem: string][] = [
    ["empty", [], "The list is empty"],
    ["three quarters gone", [{ code: "go", name: "A" }], "The list has 1 rows, the file 8"],
    ["with a repeated code", [...file, { code: "go", name: "A" }], '"go" occurs twice in the list'],
    ["with a bad code", [...file, { code: "GO", name: "A" }], "Row 9 of the list has a bad id or code"],
    ["with an empty code", [...file, { code: "", name: "A" }], "Row 9 of the list has a bad id or code"],
    ["without a name", [...file, { code: "zz", name: "" }], '"zz" has no proper name'],
    ["of strangers", Array.from({ length: 9 }, (_, i) => ({ code: `z${i}`, name: "Z" })), "Only 0 of 9 rows are known"],
  ];
  for (const [why, list, problem] of broken) {
    test(`are refused from a list ${why}`, () => expect(mergeServices(file, list)).toEqual({ ok: false, problem }));
  }
});
