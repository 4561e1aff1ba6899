/**
 * Which service a customer means. Codes are the provider's; names come in any form people use.
 *
 * Codes and names overlap: "aol" is the code of Paysera while AOL has the code "pm". Text that is a code as it stands is
 * that code; any other spelling is first taken for a name.
 */
import shipped from "../../data/servicesList.json" with { type: "json" };
import { fold, MAX_INPUT } from "./fold.ts";
import { type Named, nearest } from "./nearest.ts";
import { checkServiceRows, type ServiceRow } from "./rows.ts";

export type ServiceAnswer =
  | { readonly ok: true; readonly service: ServiceRow }
  /** At most five rows the customer may have meant. */
  | { readonly ok: false; readonly nearest: readonly ServiceRow[] };

/** What people call services whose name at the provider is another. */
const ALIASES: Readonly<Record<string, string>> = {
  other: "ot",
  any: "ot",
  anyservice: "ot",
  rent: "full",
  chatgpt: "dr",
  gpt: "dr",
  x: "tw",
  xcom: "tw",
  twittercom: "tw",
  insta: "ig",
  wapp: "wa",
  weixin: "wb",
  line: "me",
  kakao: "kt",
  vkontakte: "vk",
  outlook: "mm",
  hotmail: "mm",
  azure: "mm",
  icloud: "wx",
  snap: "fu",
  mercadolibre: "cq",
  proton: "dp",
};

export class Services {
  /** Most popular first. */
  readonly rows: readonly ServiceRow[];
  readonly #byCode = new Map<string, ServiceRow>();
  /** Whole names, then parts of names, then aliases; the more popular row keeps a text that several claim. */
  readonly #byText = new Map<string, ServiceRow>();
  readonly #names: Named<ServiceRow>[] = [];

  /** `rows` as checked by `checkServiceRows`. */
  constructor(rows: readonly ServiceRow[]) {
    this.rows = rows;
    for (const row of rows) this.#byCode.set(row.code, row);
    for (const row of rows) this.#claim(row.name, row);
    // Several services sold as one: "Google,youtube,Gmail", "Instagram+Threads", "TikTok/Douyin".
    for (const row of rows) {
      const parts = row.name.split(/[,/+]/);
      if (parts.length > 1) for (const part of parts) this.#claim(part, row);
    }
    for (const [alias, code] of Object.entries(ALIASES)) {
      const row = this.#byCode.get(code);
      if (row) this.#claim(alias, row);
    }
  }

  /** The row of a provider code. */
  byCode(code: string): ServiceRow | null {
    return this.#byCode.get(code) ?? null;
  }

  /**
   * Finds a service by its exact code, else by name, part of a name or alias (case, accents, spaces, punctuation and
   * Cyrillic look-alikes do not count), else by its code in another case.
   */
  resolve(input: string): ServiceAnswer {
    const text = input.trim();
    if (text.length > MAX_INPUT) return { ok: false, nearest: [] };
    const coded = this.#byCode.get(text);
    if (coded) return { ok: true, service: coded };
    const key = fold(text);
    const row = this.#byText.get(key) ?? this.#byCode.get(text.toLowerCase());
    return row ? { ok: true, service: row } : { ok: false, nearest: nearest(key, this.#names) };
  }

  #claim(text: string, row: ServiceRow): void {
    const key = fold(text);
    if (key === "") return;
    if (!this.#byText.has(key)) this.#byText.set(key, row);
    this.#names.push({ key, row });
  }
}

export type LoadedServices =
  | { readonly ok: true; readonly services: Services }
  | { readonly ok: false; readonly problem: string };

/** Services of a file that was refreshed later than this build, given its parsed content. */
export function loadServices(parsed: unknown): LoadedServices {
  const checked = checkServiceRows(parsed);
  return checked.ok ? { ok: true, services: new Services(checked.rows) } : checked;
}

/** The services this build ships with. */
export const SHIPPED_SERVICES = new Services(shipped);
