/**
 * The names of what is sold: the lists that ship with the program or refreshed ones in the data directory, and what the operator blocks by
 * these names. A block that names nothing is a mistake: it would silently sell what somebody meant to forbid.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Countries, loadCountries, SHIPPED_COUNTRIES } from "./catalog/countries.ts";
import { loadServices, type Services, SHIPPED_SERVICES } from "./catalog/services.ts";
import type { Config } from "./config.ts";
import type { Names } from "./orders/request.ts";

export type NamesConfig = Pick<Config, "dataDir" | "blockedServices" | "blockedCountries">;

export interface LoadedNames {
  readonly names: Names;
  /** Refreshed lists that cannot be used, and why; the shipped ones are in their place. */
  readonly ignored: readonly string[];
  /** One line per mistake in what is blocked, as those of the configuration. */
  readonly problems: readonly string[];
}

export function loadNames(config: NamesConfig): LoadedNames {
  const ignored: string[] = [];
  const countries = refreshed(config.dataDir, "countriesList.json", ignored, (parsed) => {
    const loaded = loadCountries(parsed);
    return loaded.ok ? loaded.countries : loaded.problem;
  });
  const services = refreshed(config.dataDir, "servicesList.json", ignored, (parsed) => {
    const loaded = loadServices(parsed);
    return loaded.ok ? loaded.services : loaded.problem;
  });
  const lists = { countries: countries ?? SHIPPED_COUNTRIES, services: services ?? SHIPPED_SERVICES };
  const problems: string[] = [];
  const blockedServices = new Set(config.blockedServices.flatMap((text) => serviceOf(text, lists.services, problems)));
  const blockedCountries = new Set(
    config.blockedCountries.flatMap((text) => countriesOf(text, lists.countries, problems)),
  );
  return { names: { ...lists, blockedServices, blockedCountries }, ignored, problems };
}

function refreshed<T extends object>(
  dataDir: string,
  file: string,
  ignored: string[],
  load: (parsed: unknown) => T | string,
): T | null {
  const path = join(dataDir, file);
  if (!existsSync(path)) return null;
  try {
    const loaded = load(JSON.parse(readFileSync(path, "utf8")));
    if (typeof loaded !== "string") return loaded;
    ignored.push(`${file}: ${loaded}`);
  } catch (error) {
    ignored.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return null;
}

function serviceOf(text: string, services: Services, problems: string[]): string[] {
  const found = services.resolve(text);
  if (found.ok) return [found.service.code];
  problems.push(`BLOCKED_SERVICES names no service that is known: "${text}"${near(found.nearest)}`);
  return [];
}

/** A name or ISO code means every list entry of that country: the United States have two. */
function countriesOf(text: string, countries: Countries, problems: string[]): number[] {
  const found = countries.resolve(text);
  if (!found.ok || found.country === "auto") {
    problems.push(`BLOCKED_COUNTRIES names no country that is known: "${text}"${near(found.ok ? [] : found.nearest)}`);
    return [];
  }
  const { id, iso } = found.country;
  if (/^\d+$/.test(text) || !iso) return [id];
  return countries.rows.filter((row) => row.iso === iso).map((row) => row.id);
}

const near = (rows: readonly { readonly name: string }[]): string =>
  rows.length === 0 ? "" : `; did you mean ${rows.map(({ name }) => `"${name}"`).join(", ")}?`;
