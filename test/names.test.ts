import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadNames } from "../src/names.ts";

const dataDir = mkdtempSync(join(tmpdir(), "l402-names-"));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

const load = (blockedServices: readonly string[], blockedCountries: readonly string[], dir = "/nonexistent") =>
  loadNames({ dataDir: dir, blockedServices, blockedCountries });

test("services are blocked by code, name or alias", () => {
  const { names, problems } = load(["tg", "WhatsApp", "chatgpt"], []);
  expect(problems).toEqual([]);
  expect([...names.blockedServices]).toEqual(["tg", "wa", "dr"]);
});

test("countries are blocked by id, ISO code, name or alias, and a name means every entry of the country", () => {
  const { names, problems } = load([], ["16", "DE", "usa"]);
  expect(problems).toEqual([]);
  expect([...names.blockedCountries]).toEqual([16, 43, 12, 187]);
  expect([...load([], ["187"]).names.blockedCountries]).toEqual([187]);
});

test("what names nothing is a mistake", () => {
  expect(load(["zzzzzz"], ["auto", "99999", "Grmany"]).problems).toEqual([
    'BLOCKED_SERVICES names no service that is known: "zzzzzz"',
    'BLOCKED_COUNTRIES names no country that is known: "auto"',
    'BLOCKED_COUNTRIES names no country that is known: "99999"',
    'BLOCKED_COUNTRIES names no country that is known: "Grmany"; did you mean "Germany"?',
  ]);
});

test("refreshed lists replace the shipped ones, unless they cannot be used", () => {
  writeFileSync(join(dataDir, "servicesList.json"), JSON.stringify([{ code: "zz", name: "Brand new" }]));
  writeFileSync(join(dataDir, "countriesList.json"), "[{");
  const { names, ignored, problems } = load(["brand new"], ["GB"], dataDir);
  expect(problems).toEqual([]);
  expect([...names.blockedServices]).toEqual(["zz"]);
  expect([...names.blockedCountries]).toEqual([16]);
  expect(ignored).toEqual([expect.stringContaining("countriesList.json: ")]);
});
