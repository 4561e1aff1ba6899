/**
 * Merges the provider's current lists into the catalogue files. The files are supersets: sales go by the live list, so
 * a row the provider no longer lists stays and is only reported, and old orders keep their names.
 *
 * Nothing is merged when a list looks broken: a bad night at the provider must not rewrite what we know.
 */
import type { ProviderCountry, ProviderService } from "../provider/port.ts";
import { fold } from "./fold.ts";
import { type CountryRow, isCountryId, isName, isServiceCode, MAX_ALIASES, type ServiceRow } from "./rows.ts";

export interface Renamed {
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** Rows by "id name" or "code name". */
export interface Changes {
  readonly added: readonly string[];
  readonly renamed: readonly Renamed[];
  /** In the file, not in the provider's list now. The rows stay. */
  readonly notListed: readonly string[];
}

export type Merge<T> =
  | { readonly ok: true; readonly rows: readonly T[]; readonly changes: Changes }
  | { readonly ok: false; readonly problem: string };

/**
 * Smallest share of the file's rows a list may have. Of the 2034 services in the file about 800 are on sale at a time,
 * so half would refuse every honest list of services.
 */
const MIN_SHARE = { countries: 1 / 2, services: 1 / 4 };

/**
 * New countries get no ISO code, because the provider tells none; a renamed one keeps its ISO code and gets its old name
 * as an alias. Rows stay sorted by id.
 */
export function mergeCountries(file: readonly CountryRow[], list: readonly ProviderCountry[]): Merge<CountryRow> {
  const known = new Map(file.map((row) => [row.id, row]));
  const listed = tidy(list.map(({ id, name }) => ({ key: id, name })));
  const problem = problemOf(listed, known, isCountryId, MIN_SHARE.countries) ?? swapped(listed, file);
  if (problem) return { ok: false, problem };

  const rows = new Map(known);
  const added: string[] = [];
  const renamed: Renamed[] = [];
  for (const { key: id, name } of listed) {
    const old = known.get(id);
    if (!old) {
      rows.set(id, { id, iso: null, name, aliases: [] });
      added.push(`${id} ${name}`);
    } else if (!namesOf(old).includes(fold(name))) {
      rows.set(id, { ...old, name, aliases: [...old.aliases, old.name].slice(-MAX_ALIASES) });
      renamed.push({ key: String(id), from: old.name, to: name });
    }
  }
  const notListed = missing(known, listed).map((row) => `${row.id} ${row.name}`);
  const sorted = [...rows.values()].sort((a, b) => a.id - b.id);
  return { ok: true, rows: sorted, changes: { added, renamed, notListed } };
}

/** The provider's order is by popularity and leads; rows it does not list follow in their old order. */
export function mergeServices(file: readonly ServiceRow[], list: readonly ProviderService[]): Merge<ServiceRow> {
  const known = new Map(file.map((row) => [row.code, row]));
  const listed = tidy(list.map(({ code, name }) => ({ key: code, name })));
  const problem = problemOf(listed, known, isServiceCode, MIN_SHARE.services);
  if (problem) return { ok: false, problem };

  const added: string[] = [];
  const renamed: Renamed[] = [];
  for (const { key: code, name } of listed) {
    const old = known.get(code);
    if (!old) added.push(`${code} ${name}`);
    else if (old.name !== name) renamed.push({ key: code, from: old.name, to: name });
  }
  const rest = missing(known, listed);
  const rows = [...listed.map(({ key: code, name }) => ({ code, name })), ...rest];
  return { ok: true, rows, changes: { added, renamed, notListed: rest.map(({ code, name }) => `${code} ${name}`) } };
}

interface Listed<K> {
  readonly key: K;
  readonly name: string;
}

/** The provider pads names with spaces ("Claude "). */
function tidy<K>(list: readonly Listed<K>[]): Listed<K>[] {
  return list.map(({ key, name }) => ({ key, name: name.trim() }));
}

/** The first reason not to believe a list, or null. */
function problemOf<K extends string | number>(
  listed: readonly Listed<K>[],
  known: ReadonlyMap<K, unknown>,
  isKey: (key: unknown) => boolean,
  minShare: number,
): string | null {
  if (listed.length === 0) return "The list is empty";
  if (listed.length < known.size * minShare) return `The list has ${listed.length} rows, the file ${known.size}`;
  const seen = new Set<K>();
  for (const [index, { key, name }] of listed.entries()) {
    if (!isKey(key)) return `Row ${index + 1} of the list has a bad id or code`;
    if (!isName(name) || fold(name) === "") return `"${key}" has no proper name`;
    if (seen.has(key)) return `"${key}" occurs twice in the list`;
    seen.add(key);
  }
  const familiar = listed.filter(({ key }) => known.has(key)).length;
  return familiar < listed.length / 2 ? `Only ${familiar} of ${listed.length} rows are known` : null;
}

/** An id that took over the name of another country: its ISO code would lie about every order. A person must look. */
function swapped(listed: readonly Listed<number>[], file: readonly CountryRow[]): string | null {
  const owner = new Map(file.flatMap((row) => namesOf(row).map((name) => [name, row.id])));
  for (const { key, name } of listed) {
    const other = owner.get(fold(name));
    if (other !== undefined && other !== key)
      return `Country ${key} is now called "${name}", which is country ${other}`;
  }
  return null;
}

const namesOf = (row: CountryRow): string[] => [row.name, ...row.aliases].map(fold);

function missing<K, T>(known: ReadonlyMap<K, T>, listed: readonly Listed<K>[]): T[] {
  const keys = new Set(listed.map(({ key }) => key));
  return [...known].filter(([key]) => !keys.has(key)).map(([, row]) => row);
}
