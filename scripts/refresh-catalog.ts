/**
 * Reloads the catalogue files from the provider.
 *
 *   bun run refresh:catalog [--dry-run] [--out DIR]
 *
 * Needs no API key: `getCountries` and `getServicesList` answer without one (HeroSMS docs). Both lists are checked before
 * either file is touched; each file is replaced in one step. HEROSMS_URL names another host. Exit code 1 with one line
 * on stderr when the provider cannot be reached or a list looks broken; 2 for wrong arguments.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RealWorld } from "../actors/runtime/world.ts";
import { type Changes, type Merge, mergeCountries, mergeServices } from "../src/catalog/refresh.ts";
import { type Checked, checkCountryRows, checkServiceRows, formatRows } from "../src/catalog/rows.ts";
import { createHeroSms } from "../src/provider/herosms/adapter.ts";
import { ProviderUnavailable } from "../src/provider/port.ts";
import { commandLine } from "../test/support/command-line.ts";

const SHIPPED = join(import.meta.dir, "..", "data");
const COUNTRIES = "countriesList.json";
const SERVICES = "servicesList.json";
/** Longest list of changes of one kind that is printed in full. */
const MAX_SHOWN = 20;

/** An expected reason to stop; its message is all the user sees. */
class Stop extends Error {}

async function main(): Promise<void> {
  const { dryRun, out } = options();
  const world = new RealWorld();
  const baseUrl = process.env.HEROSMS_URL ?? "https://hero-sms.com";
  const provider = createHeroSms({ world, baseUrl, apiKey: "" });

  const [countries, services] = await Promise.all([provider.countries(), provider.services()]);
  const countriesFile = await readRows(out, COUNTRIES, checkCountryRows);
  const servicesFile = await readRows(out, SERVICES, checkServiceRows);
  const mergedCountries = accepted("countries", mergeCountries(countriesFile.rows, countries));
  const mergedServices = accepted("services", mergeServices(servicesFile.rows, services));

  report("countries", mergedCountries.rows.length, mergedCountries.changes);
  report("services", mergedServices.rows.length, mergedServices.changes);
  await replace(dryRun, [
    { path: join(out, COUNTRIES), before: countriesFile.text, after: formatRows(mergedCountries.rows) },
    { path: join(out, SERVICES), before: servicesFile.text, after: formatRows(mergedServices.rows) },
  ]);
}

function options(): { dryRun: boolean; out: string } {
  const { values } = commandLine(import.meta.path, { "dry-run": { type: "boolean" }, out: { type: "string" } });
  return { dryRun: values["dry-run"] ?? false, out: values.out ?? SHIPPED };
}

/** The rows known so far: of the directory that is refreshed, or the shipped ones when it holds none yet. */
async function readRows<T>(directory: string, name: string, check: (value: unknown) => Checked<T>) {
  const own = await textOf(join(directory, name));
  const text = own ?? (await textOf(join(SHIPPED, name)));
  if (text === null) throw new Stop(`File "${name}" is missing`);
  const checked = check(parsed(name, text));
  if (!checked.ok) throw new Stop(`File "${name}" is broken: ${checked.problem}`);
  return { rows: checked.rows, text: own };
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Stop(`File "${name}" is not JSON`);
  }
}

function accepted<T>(what: string, merge: Merge<T>): Extract<Merge<T>, { ok: true }> {
  if (!merge.ok) throw new Stop(`The provider's ${what} look broken: ${merge.problem}`);
  return merge;
}

function report(what: string, total: number, { added, renamed, notListed }: Changes): void {
  console.log(
    `${what}: ${total} rows, ${added.length} added, ${renamed.length} renamed, ${notListed.length} not listed now`,
  );
  show("added", added);
  show(
    "renamed",
    renamed.map(({ key, from, to }) => `${key} "${from}" to "${to}"`),
  );
  show("not listed now", notListed);
  if (what === "countries" && added.length > 0)
    console.log("  New countries have no ISO code or alias yet: add them by hand");
}

function show(kind: string, lines: readonly string[]): void {
  for (const line of lines.slice(0, MAX_SHOWN)) console.log(`  ${kind}: ${line}`);
  if (lines.length > MAX_SHOWN) console.log(`  ${kind}: ${lines.length - MAX_SHOWN} more`);
}

interface Replacement {
  readonly path: string;
  /** null when there is no file yet. */
  readonly before: string | null;
  readonly after: string;
}

/** A reader sees an old file or a new one, never a part: both new texts are written aside, then renamed into place. */
async function replace(dryRun: boolean, replacements: readonly Replacement[]): Promise<void> {
  const changed = replacements.filter(({ before, after }) => before !== after);
  for (const { path } of replacements.filter((one) => !changed.includes(one))) console.log(`${path} is up to date`);
  if (dryRun) {
    for (const { path } of changed) console.log(`${path} would change`);
    return;
  }
  try {
    for (const { path, after } of changed) await writeFile(aside(path), after, { flush: true });
  } catch (error) {
    for (const { path } of changed) await rm(aside(path), { force: true });
    throw new Stop(`The new files cannot be written: ${(error as NodeJS.ErrnoException).code ?? "unknown reason"}`);
  }
  for (const { path } of changed) {
    await rename(aside(path), path);
    console.log(`${path} replaced`);
  }
}

const aside = (path: string): string => `${path}.new`;

try {
  await main();
} catch (error) {
  if (error instanceof Stop || error instanceof ProviderUnavailable) {
    console.error(`${error.message}; no file was changed`);
    process.exitCode = 1;
  } else throw error;
}
