/**
 * The rows of the two catalogue files, `data/countriesList.json` and `data/servicesList.json`: their shape, their
 * validation and the one text form they are written in, a row a line, so that a refresh reads well in a diff.
 */
import type { CountryId, ServiceCode } from "../provider/port.ts";

export interface CountryRow {
  readonly id: CountryId;
  /** ISO 3166-1 alpha-2 (XK for Kosovo), or null while nobody has told: the provider does not. */
  readonly iso: string | null;
  readonly name: string;
  readonly aliases: readonly string[];
}

export interface ServiceRow {
  readonly code: ServiceCode;
  /** Not unique. */
  readonly name: string;
}

export type Checked<T> =
  | { readonly ok: true; readonly rows: readonly T[] }
  | { readonly ok: false; readonly problem: string };

const MAX_COUNTRIES = 1_000;
const MAX_SERVICES = 10_000;
export const MAX_ALIASES = 20;
const MAX_NAME = 64;

/** Checks a parsed countries file: fields, limits, and that no id occurs twice. Other fields of a row are dropped. */
export function checkCountryRows(value: unknown): Checked<CountryRow> {
  return checkRows(value, MAX_COUNTRIES, (row) => {
    const { id, iso, name, aliases } = row;
    if (!isCountryId(id) || !(iso === null || isIso(iso)) || !isName(name)) return null;
    if (!Array.isArray(aliases) || aliases.length > MAX_ALIASES || !aliases.every(isName)) return null;
    return { key: id, row: { id, iso, name, aliases } };
  });
}

/** Checks a parsed services file likewise; no code occurs twice. */
export function checkServiceRows(value: unknown): Checked<ServiceRow> {
  return checkRows(value, MAX_SERVICES, ({ code, name }) =>
    isServiceCode(code) && isName(name) ? { key: code, row: { code, name } } : null,
  );
}

/** The file's text: a JSON array with one object a line. */
export function formatRows(rows: readonly (CountryRow | ServiceRow)[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`;
}

export function isCountryId(value: unknown): value is CountryId {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 99_999;
}

export function isServiceCode(value: unknown): value is ServiceCode {
  return typeof value === "string" && /^[a-z0-9]{1,8}$/.test(value);
}

/** A name fit to be shown: trimmed, not empty, at most 64 characters, none of them a control character. */
export function isName(value: unknown): value is string {
  return (
    typeof value === "string" &&
    value.length > 0 &&
    value.length <= MAX_NAME &&
    value === value.trim() &&
    !/\p{C}/u.test(value)
  );
}

function isIso(value: unknown): value is string {
  return typeof value === "string" && /^[A-Z]{2}$/.test(value);
}

function checkRows<T>(
  value: unknown,
  limit: number,
  check: (row: Record<string, unknown>) => { key: string | number; row: T } | null,
): Checked<T> {
  if (!Array.isArray(value)) return { ok: false, problem: "Not a list" };
  if (value.length === 0 || value.length > limit)
    return { ok: false, problem: `Not 1 to ${limit} rows: ${value.length}` };
  const rows: T[] = [];
  const seen = new Set<string | number>();
  for (const [index, item] of value.entries()) {
    const checked = typeof item === "object" && item !== null ? check(item) : null;
    if (!checked) return { ok: false, problem: `Row ${index + 1} is malformed` };
    if (seen.has(checked.key)) return { ok: false, problem: `"${checked.key}" occurs twice` };
    seen.add(checked.key);
    rows.push(checked.row);
  }
  return { ok: true, rows };
}
