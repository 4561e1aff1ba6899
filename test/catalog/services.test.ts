import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { loadServices, SHIPPED_SERVICES as shipped } from "../../src/catalog/services.ts";
import { cpuMs } from "../support/cpu.ts";

const codeOf = (input: string, services = shipped): string | null => {
  const answer = services.resolve(input);
  return answer.ok ? answer.service.code : null;
};
const nearestTo = (input: string): string[] => {
  const answer = shipped.resolve(input);
  if (answer.ok) throw new Error(`"${input}" is a service`);
  return answer.nearest.map(({ code }) => code);
};

describe("every shipped service", () => {
  test("resolves by its code", () => {
    expect(shipped.rows.length).toBe(2034);
    for (const row of shipped.rows) {
      expect(codeOf(row.code)).toBe(row.code);
      expect(codeOf(` ${row.code} `)).toBe(row.code);
      expect(shipped.byCode(row.code)).toBe(row);
    }
  });

  // Each pair has one name and two codes; the more popular one answers to the name.
  const outranked = new Map([
    ["apn", "abd"],
    ["se", "ws"],
    ["air", "hf"],
  ]);
  // The name of each is, letter for letter, the code of another.
  const nameIsCode = new Map([["yh", "hh"]]);

  test("resolves by its name, the more popular one of a shared name", () => {
    for (const { code, name } of shipped.rows) {
      expect([name, codeOf(name)]).toEqual([name, outranked.get(code) ?? nameIsCode.get(code) ?? code]);
    }
  });

  test("resolves by its name in another case and without spaces", () => {
    for (const { code, name } of shipped.rows) {
      const written = `${name.toUpperCase().replaceAll(" ", "")}.`;
      expect([written, codeOf(written)]).toEqual([written, outranked.get(code) ?? code]);
    }
  });
});

describe("a service as people write it", () => {
  const table: [input: string, code: string][] = [
    ["other", "ot"],
    ["Any other", "ot"],
    ["any", "any"],
    ["Any", "ot"],
    ["telegram", "tg"],
    ["Telegram", "tg"],
    ["TG", "tg"],
    ["whatsapp", "wa"],
    ["WhatsApp", "wa"],
    ["Whats App", "wa"],
    ["WA", "wa"],
    ["openai", "dr"],
    ["ChatGPT", "dr"],
    ["twitter", "tw"],
    ["x", "tw"],
    ["X.com", "tw"],
    ["google", "go"],
    ["Gmail", "go"],
    ["YouTube", "go"],
    ["Google,youtube,Gmail", "go"],
    ["instagram", "ig"],
    ["threads", "ig"],
    ["tiktok", "lf"],
    ["Douyin", "lf"],
    ["1688", "hw"],
    ["alibaba", "ab"],
    ["uber", "ub"],
    ["yandex", "ya"],
    ["Discord", "ds"],
    ["line", "me"],
    ["Outlook", "mm"],
    ["full", "full"],
    ["Full rent", "full"],
    ["aol", "aol"],
    ["AOL", "pm"],
    ["1xbet", "wj"],
    ["MoneyControl", "qt"],
    ["ChampionCasino", "uj"],
    ["163com", "wp"],
    ["Теlеgrаm", "tg"],
    ["Столото", "wd"],
    ["feeld", "ws"],
  ];
  for (const [input, code] of table) {
    test(`${JSON.stringify(input)} is ${code}`, () => expect(codeOf(input)).toBe(code));
  }
});

describe("an unknown service", () => {
  const odd = [
    "",
    " ",
    "+",
    ",,,",
    "__proto__",
    "constructor",
    "valueOf",
    "💥",
    "📱tg💥x",
    "\u0000",
    "-1",
    "1.5",
    "99999",
    "null",
    "x".repeat(10_000),
    "\u{FDFA}".repeat(64),
    "telegram".repeat(9),
    "ｔｇｔｇｔｇｔｇ",
  ];
  for (const input of odd) {
    test(`such as ${JSON.stringify(input.slice(0, 24))} is refused with at most five guesses`, () => {
      const answer = shipped.resolve(input);
      expect(answer.ok).toBe(false);
      expect(answer.ok ? 99 : answer.nearest.length).toBeLessThanOrEqual(5);
    });
  }

  test("gets the nearest names, nearest and most popular first", () => {
    expect(nearestTo("telegramm")[0]).toBe("tg");
    expect(nearestTo("watsapp")[0]).toBe("wa");
    expect(nearestTo("instgram")[0]).toBe("ig");
    expect(nearestTo("discrod")[0]).toBe("ds");
    expect(nearestTo("tele")[0]).toBe("tg");
    expect(nearestTo("my telegram account")).toContain("tg");
    expect(nearestTo("qqqqzzzzxxxx")).toEqual([]);
  });

  test("is searched for in bounded time", () => {
    const inputs = ["a", "e", "x".repeat(64), "aaaaaaaaaaaa", "onlinecheckwriterz", "mectobctpeчиплahetaz"];
    for (const input of inputs) {
      const times = Array.from({ length: 5 }, () => cpuMs(() => shipped.resolve(input)));
      expect(Math.min(...times)).toBeLessThan(10);
    }
  });
});

test("no text makes the search throw or guess at length", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.constantFrom(...shipped.rows.map(({ name }) => name)).map((name) => name.slice(1)),
  );
  fc.assert(
    fc.property(text, (input) => {
      const answer = shipped.resolve(input);
      if (!answer.ok) expect(answer.nearest.length).toBeLessThanOrEqual(5);
    }),
    { numRuns: 300 },
  );
});

test("a refreshed file replaces the shipped services, unless it is broken", () => {
  const loaded = loadServices([{ code: "zz", name: "Zed" }]);
  if (!loaded.ok) throw new Error(loaded.problem);
  expect(codeOf("ZED", loaded.services)).toBe("zz");
  expect(codeOf("other", loaded.services)).toBeNull();
  expect(loadServices([])).toEqual({ ok: false, problem: "Not 1 to 10000 rows: 0" });
});
