/**
 * Countries, services and operators the peer knows, made from the shipped lists. What the lists do not hold (visibility,
 * retry, operators, HeroSMS's own short country names) is from the live getCountries and getOperators answers.
 */
import countryRows from "../../../data/countriesList.json";
import serviceRows from "../../../data/servicesList.json";
import { callingCode } from "./phones.ts";

export interface Country {
  readonly id: number;
  readonly iso: string;
  /** HeroSMS's own English name. */
  readonly name: string;
  readonly callingCode: number;
  readonly visible: boolean;
  /** Numbers can receive more than one SMS. */
  readonly retry: boolean;
}

export interface Service {
  readonly code: string;
  readonly name: string;
}

const ids = (text: string): ReadonlySet<number> => new Set(text.split(" ").map(Number));

const INVISIBLE = ids("12 190 191 192 193 194 195 197 198 200 202 222");
const RETRY = ids(
  "1 2 4 5 6 7 8 10 11 13 14 15 16 19 22 23 24 25 27 29 31 32 33 34 36 37 39 40 43 44 45 46 47 48 49 50 51 52 54 56 57 59 62 63 " +
    "67 68 73 74 77 78 82 83 84 85 86 87 109 117 128 129 141 143 148 151 158 163 172 175 182 187 196 199 201 203",
);
/** Where HeroSMS's name is shorter than the name in the list. */
const OWN_NAMES: Readonly<Record<number, string>> = {
  63: "Czech",
  79: "Papua",
  95: "UAE",
  101: "Salvador",
  106: "Swaziland",
  108: "Bosnia",
  187: "USA",
};

/** In the order of the list. 12, "USA (virtual)", is gone from the live list. */
export const COUNTRIES: readonly Country[] = countryRows
  .filter(({ id }) => id !== 12)
  .map(({ id, iso, name }) => ({
    id,
    iso,
    name: OWN_NAMES[id] ?? name,
    callingCode: callingCode(iso),
    visible: !INVISIBLE.has(id),
    retry: RETRY.has(id),
  }));

/** The live list is about this long, most popular first. */
const LISTED_SERVICES = 811;
export const SERVICES: readonly Service[] = serviceRows.slice(0, LISTED_SERVICES);

const countryById = new Map(COUNTRIES.map((country) => [country.id, country]));
const serviceByCode = new Map(SERVICES.map((service) => [service.code, service]));

export const findCountry = (id: number): Country | null => countryById.get(id) ?? null;
export const findService = (code: string): Service | null => serviceByCode.get(code) ?? null;
export const serviceName = (code: string): string => (serviceByCode.get(code)?.name ?? code).trim();

/** Codes of the services sold for single SMS: the most popular ones after "full", which is for rent only. */
export const SOLD_SERVICES: readonly string[] = SERVICES.filter(({ code }) => code !== "full")
  .slice(0, 40)
  .map(({ code }) => code);

export const OPERATORS: Readonly<Record<number, readonly string[]>> = {
  6: ["axis", "byu", "indosat", "smartfren", "telkomsel", "three"],
  16: ["ee", "o2", "three", "vodafone"],
  22: ["airtel", "jio", "vodafone"],
  36: ["bell", "rogers", "telus"],
  43: ["o2", "telekom", "vodafone"],
  73: ["claro", "tim", "vivo"],
  187: ["att", "tmobile", "verizon"],
};

/** Lives longer than 20 minutes: service -> country -> minutes (v1 classifiers/activations/custom-durations). */
export const CUSTOM_MINUTES: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  tg: { 6: 45, 151: 45 },
  ig: { 62: 40 },
  wx: { 22: 60 },
};
