/**
 * Which country a customer means. The file is a superset of what is sold: names are resolved here, stock is asked live.
 */
import shipped from "../../data/countriesList.json" with { type: "json" };
import { fold, MAX_INPUT } from "./fold.ts";
import { type Named, nearest } from "./nearest.ts";
import { type CountryRow, checkCountryRows } from "./rows.ts";

export type CountryAnswer =
  /** "auto" leaves the choice to us. */
  | { readonly ok: true; readonly country: CountryRow | "auto" }
  /** At most five rows the customer may have meant. */
  | { readonly ok: false; readonly nearest: readonly CountryRow[] };

const AUTO: CountryAnswer = { ok: true, country: "auto" };

export class Countries {
  /** Sorted as in the file. */
  readonly rows: readonly CountryRow[];
  readonly #byId = new Map<number, CountryRow>();
  /** ISO codes, then names, then aliases: the first to claim a text keeps it. */
  readonly #byText = new Map<string, CountryRow>();
  readonly #names: Named<CountryRow>[] = [];

  /** `rows` as checked by `checkCountryRows`. */
  constructor(rows: readonly CountryRow[]) {
    this.rows = rows;
    for (const row of rows) this.#byId.set(row.id, row);
    // Two rows may share an ISO code (12 and 187 are both US); the one that lists the code as an alias owns it.
    for (const row of rows) if (row.iso && row.aliases.includes(row.iso)) this.#claim(row.iso, row);
    for (const row of rows) if (row.iso) this.#claim(row.iso, row);
    for (const row of rows) this.#claim(row.name, row);
    for (const row of rows) for (const alias of row.aliases) this.#claim(alias, row);
  }

  /** The row of a provider id. */
  byId(id: number): CountryRow | null {
    return this.#byId.get(id) ?? null;
  }

  /**
   * Finds a country by numeric id (a number or its digits), ISO 3166-1 alpha-2 code, English name or alias; "auto" is
   * itself. Case, accents, spaces and punctuation do not count, and "&" is "and".
   */
  resolve(input: string | number): CountryAnswer {
    if (typeof input === "number") return answer(this.byId(input), []);
    const text = input.trim();
    if (text === "auto") return AUTO;
    if (text.length > MAX_INPUT) return answer(null, []);
    if (/^\d+$/.test(text)) return answer(/^(?:0|[1-9]\d{0,8})$/.test(text) ? this.byId(Number(text)) : null, []);
    // A sign or a decimal point makes another number of it, which punctuation-blind folding would hide.
    if (/^[-+]?[\d.]+$/.test(text)) return answer(null, []);
    const key = keyOf(text);
    if (key === "auto") return AUTO;
    const row = this.#byText.get(key);
    return row ? { ok: true, country: row } : answer(null, nearest(key, this.#names));
  }

  #claim(text: string, row: CountryRow): void {
    const key = keyOf(text);
    if (key === "") return;
    if (!this.#byText.has(key)) this.#byText.set(key, row);
    if (text !== row.iso) this.#names.push({ key, row });
  }
}

export type LoadedCountries =
  | { readonly ok: true; readonly countries: Countries }
  | { readonly ok: false; readonly problem: string };

/** Countries of a file that was refreshed later than this build, given its parsed content. */
export function loadCountries(parsed: unknown): LoadedCountries {
  const checked = checkCountryRows(parsed);
  return checked.ok ? { ok: true, countries: new Countries(checked.rows) } : checked;
}

/** The countries this build ships with. */
export const SHIPPED_COUNTRIES = new Countries(shipped);

function answer(row: CountryRow | null, near: readonly CountryRow[]): CountryAnswer {
  return row ? { ok: true, country: row } : { ok: false, nearest: near };
}

function keyOf(text: string): string {
  return fold(text.replaceAll("&", " and "));
}
