/**
 * Environment -> typed configuration. Every setting stands in one table with its words for `.env.example`; every mistake is reported
 * at once, at boot, and never with a secret's value. A secret may come from a file: `NAME_FILE=/run/secrets/name`.
 */
import { DEFAULT_POLICY, type Policy, policyFault } from "../actors/order/policy.ts";
import { AddressSet } from "./api/address.ts";
import { parseRootKeys } from "./l402/keys.ts";
import { NODE_KINDS, type NodeAddress, type NodeKind } from "./node.ts";
import { readNode } from "./node-config.ts";
import { configuredRelayUrl } from "./nostr/relay-url.ts";
import { parseSecretKey } from "./notices/keys.ts";
import { LOG_LEVELS, type LogLevel } from "./ops/logs.ts";
import { type Multiplier, parseMultiplier } from "./pricing/quote.ts";
import { DEFAULT_CALLS_PER_SECOND } from "./provider/budget.ts";
import type { BanRules } from "./provider/guard.ts";
import { readAtMost } from "./read-at-most.ts";

export interface Setting {
  readonly name: string;
  readonly group: string;
  /** Shown in `.env.example`; empty when unset by default. */
  readonly fallback: string;
  readonly help: string;
  readonly secret?: boolean;
}

export const SETTINGS = [
  { group: "Server", name: "PORT", fallback: "3000", help: "Port of the API." },
  { group: "Server", name: "HOST", fallback: "127.0.0.1", help: "Address to listen on; 0.0.0.0 in a container." },
  {
    group: "Server",
    name: "PUBLIC_URL",
    fallback: "",
    help: "Base URL as customers reach it, e.g. https://sms.example.com.",
  },
  {
    group: "Server",
    name: "DATA_DIR",
    fallback: "./var",
    help: "Where the database and keys live. One server per directory.",
  },
  { group: "Server", name: "LOG_LEVEL", fallback: "info", help: "trace, debug, info, warn, error, fatal or silent." },
  { group: "Server", name: "LOG_FORMAT", fallback: "auto", help: "json, pretty, or auto: pretty on a terminal." },
  {
    group: "Server",
    name: "TRUSTED_PROXIES",
    fallback: "",
    help: "Addresses or CIDRs whose X-Forwarded-For is believed, comma-separated.",
  },
  {
    group: "Server",
    name: "METRICS_TOKEN",
    fallback: "",
    help: "Bearer token for /metrics; without one only this host may read it.",
    secret: true,
  },
  {
    group: "Server",
    name: "REFUSE_SANDBOX",
    fallback: "0",
    help: "1: never start in sandbox mode. Set in production packaging.",
  },
  {
    group: "Lightning",
    name: "LIGHTNING_URL",
    fallback: "sandbox:",
    help: "The node: lnd+https://host:8080, cln+https://host:3010, phoenixd+http://host:9740, nostr+walletconnect://..., or sandbox:.",
    secret: true,
  },
  {
    group: "Lightning",
    name: "LIGHTNING_MACAROON",
    fallback: "",
    help: "LND macaroon, hex. As a file: the binary macaroon or hex.",
    secret: true,
  },
  {
    group: "Lightning",
    name: "LIGHTNING_RUNE",
    fallback: "",
    help: "Core Lightning rune.",
    secret: true,
  },
  { group: "Lightning", name: "LIGHTNING_PASSWORD", fallback: "", help: "phoenixd's http-password.", secret: true },
  {
    group: "Lightning",
    name: "LIGHTNING_TLS_CERT_FILE",
    fallback: "",
    help: "PEM certificate of the node, when it signs its own.",
  },
  { group: "Provider", name: "HEROSMS_API_KEY", fallback: "", help: "API key of the HeroSMS account.", secret: true },
  { group: "Provider", name: "HEROSMS_URL", fallback: "https://hero-sms.com", help: "Base URL of HeroSMS." },
  {
    group: "Provider",
    name: "PROVIDER_CALLS_PER_SECOND",
    fallback: String(DEFAULT_CALLS_PER_SECOND),
    help: "Requests to HeroSMS a second, an eighth of them at once; 5 to 10000. Its rules allow 50: more only for an account with a raised allowance.",
  },
  {
    group: "Provider",
    name: "WEBHOOK_SECRET",
    fallback: "",
    help: "At least 22 characters; HeroSMS posts to /v2/l402/webhooks/rent/<secret>.",
    secret: true,
  },
  {
    group: "Provider",
    name: "WEBHOOK_ALLOW",
    fallback: "84.32.223.53,185.138.88.87",
    help: "Addresses that may post to /v2/l402/webhooks/rent.",
  },
  {
    group: "Provider",
    name: "BAN_PAIR_NUMBERS",
    fallback: "100",
    help: "HeroSMS bans a service and country after more numbers than this in a day. Sales pause at 60 % of it.",
  },
  {
    group: "Provider",
    name: "BAN_PAIR_PERCENT",
    fallback: "6",
    help: "... with less success than this. Sales pause below twice as much; 0 turns that off.",
  },
  {
    group: "Provider",
    name: "BAN_ACCOUNT_NUMBERS",
    fallback: "500",
    help: "HeroSMS throttles the account after this many numbers in a day. All sales pause at 60 % of it.",
  },
  {
    group: "Provider",
    name: "BAN_ACCOUNT_PERCENT",
    fallback: "3",
    help: "... with less success than this. All sales pause below twice as much; 0 turns that off.",
  },
  {
    group: "L402",
    name: "ROOT_KEY",
    fallback: "",
    help: "Macaroon master keys, kid:<64 hex>[,...], minting key first. Default: a file in DATA_DIR, made at first start.",
    secret: true,
  },
  {
    group: "Prices",
    name: "PRICE_MULTIPLIER",
    fallback: "1.5",
    help: "Price = provider cost x this, in sats, rounded up.",
  },
  {
    group: "Prices",
    name: "PRICE_SOURCES",
    fallback: "coingecko,coinbase,kraken,mempool",
    help: "BTC/USD sources; two must agree unless only one is named.",
  },
  { group: "Prices", name: "PRICE_MAX_AGE_SECONDS", fallback: "3600", help: "Sales stop when the last rate is older." },
  { group: "Prices", name: "COINGECKO_API_KEY", fallback: "", help: "CoinGecko key.", secret: true },
  { group: "Prices", name: "COINGECKO_PLAN", fallback: "demo", help: "demo or pro: which kind of key it is." },
  {
    group: "Prices",
    name: "FIREBASE_URL",
    fallback: "",
    help: "Realtime Database that shares the rate at sms4sats/fxrates/current.",
  },
  { group: "Prices", name: "FIREBASE_SECRET", fallback: "", help: "Database secret or ID token for it.", secret: true },
  {
    group: "Notices",
    name: "NOSTR_KEY",
    fallback: "",
    help: "nsec or hex; with it, code-received notices go out over Nostr.",
    secret: true,
  },
  {
    group: "Notices",
    name: "NOSTR_RELAYS",
    fallback: "wss://purplepag.es,wss://relay.damus.io",
    help: "Relays where recipients' relay lists are looked up.",
  },
  {
    group: "Rules",
    name: "BLOCKED_SERVICES",
    fallback: "",
    help: "Services that are not sold, comma-separated: codes or names.",
  },
  {
    group: "Rules",
    name: "BLOCKED_COUNTRIES",
    fallback: "",
    help: "Countries that are not sold, comma-separated: HeroSMS ids, ISO codes or names.",
  },
  {
    group: "Rules",
    name: "CODE_GRACE_SECONDS",
    fallback: "30",
    help: "More SMS may arrive this long after the first code was read.",
  },
  {
    group: "Rules",
    name: "ERASE_AFTER_MINUTES",
    fallback: "30",
    help: "Codes and texts are erased this long after an order's end.",
  },
  { group: "Rules", name: "INVOICE_EXPIRY_SECONDS", fallback: "300", help: "Life of our invoices; at most 300." },
  { group: "Rules", name: "OPERATOR_CONTACT", fallback: "", help: "How customers reach you; shown in /skill.md." },
  {
    group: "Rules",
    name: "INDEX_VERIFY_TOKEN",
    fallback: "",
    help: "Text served at /.well-known/402index-verify.txt.",
  },
  { group: "Limits", name: "MAX_UNPAID_PER_CLIENT", fallback: "20", help: "Unpaid orders open at once per address." },
  {
    group: "Limits",
    name: "MAX_CANCELLED_PER_CLIENT",
    fallback: "20",
    help: "Orders of one address and hour that may end without an SMS, unless half as many got one.",
  },
  { group: "Limits", name: "MAX_UNPAID", fallback: "10000", help: "Unpaid orders open at once in all." },
  { group: "Limits", name: "CREATE_PER_MINUTE", fallback: "30", help: "New orders per address and minute." },
  { group: "Limits", name: "READ_PER_MINUTE", fallback: "600", help: "Other requests per address and minute." },
  { group: "Limits", name: "MAX_RESIDENTS", fallback: "20000", help: "Orders kept in memory; others wake on demand." },
  { group: "Sandbox", name: "SANDBOX_PORT", fallback: "", help: "Port of the loopback peers; default PORT + 1." },
  {
    group: "Sandbox",
    name: "SANDBOX_URL",
    fallback: "",
    help: "Use peers that run as a process of their own (bun run sandbox).",
  },
  {
    group: "Sandbox",
    name: "SANDBOX_NODE",
    fallback: "lnd",
    help: "What the loopback node speaks: lnd, cln, phoenixd or nwc.",
  },
  {
    group: "Sandbox",
    name: "SANDBOX_SMS_AFTER_MS",
    fallback: "4000",
    help: "An SMS arrives by itself after this; off for never.",
  },
  {
    group: "Sandbox",
    name: "SANDBOX_BANS",
    fallback: "off",
    help: "on: the provider bans as HeroSMS does when too few numbers get an SMS.",
  },
] as const satisfies readonly Setting[];

type Name = (typeof SETTINGS)[number]["name"];

/** Real peers, or the sandbox; never half of each. */
export type Peers =
  | {
      readonly kind: "real";
      readonly node: NodeAddress;
      readonly heroSms: { readonly baseUrl: string; readonly apiKey: string };
    }
  | {
      readonly kind: "sandbox";
      /** What its node speaks. */
      readonly node: NodeKind;
      readonly port: number;
      readonly url: string | null;
      readonly smsAfterMs: number | null;
      readonly bans: boolean;
    };

export interface Config {
  readonly port: number;
  readonly host: string;
  readonly publicUrl: string;
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly logFormat: "json" | "pretty" | "auto";
  readonly trustedProxies: readonly string[];
  readonly metricsToken: string | null;
  readonly peers: Peers;
  readonly providerCallsPerSecond: number;
  /** When the provider bans. */
  readonly banRules: BanRules;
  readonly webhookSecret: string | null;
  readonly webhookAllow: readonly string[];
  /** Text for `parseRootKeys`, or null for the key file in `dataDir`. */
  readonly rootKey: string | null;
  readonly multiplier: Multiplier;
  readonly multiplierText: string;
  readonly priceSources: readonly PriceSourceName[];
  readonly priceMaxAgeMs: number;
  readonly coinGecko: { readonly apiKey: string; readonly plan: "demo" | "pro" } | null;
  readonly firebase: { readonly url: string; readonly secret: string | null } | null;
  readonly nostr: { readonly secretKey: Uint8Array; readonly relays: readonly string[] } | null;
  /** As written; `loadNames` knows what is meant. */
  readonly blockedServices: readonly string[];
  readonly blockedCountries: readonly string[];
  readonly policy: Policy;
  readonly eraseMessagesMs: number;
  readonly operatorContact: string | null;
  readonly indexVerifyToken: string | null;
  readonly maxUnpaidPerClient: number;
  readonly maxCancelledPerClient: number;
  readonly maxUnpaid: number;
  readonly createPerMinute: number;
  readonly readPerMinute: number;
  readonly maxResidents: number;
}

export const PRICE_SOURCE_NAMES = ["coingecko", "coinbase", "kraken", "mempool"] as const;
export type PriceSourceName = (typeof PRICE_SOURCE_NAMES)[number];

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config }
  /** One line per mistake, naming the setting, never a secret's value. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Shortest secret path: 128 bits in base64url. */
const MIN_SECRET = 22;
/** Largest file that a setting may name, bytes: a chain of certificates is a tenth of it. */
const MAX_FILE = 64 * 1024;

/**
 * Reads and checks the whole environment. The only file access is that of `_FILE` settings.
 * @param needsProvider false for whoever uses the node alone, which may be there first.
 */
export function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  { needsProvider = true }: { readonly needsProvider?: boolean } = {},
): LoadedConfig {
  const read = new Reader(env);
  const port = read.integer("PORT", 0, 65_535);
  const peers = readPeers(read, port, needsProvider);
  const policy: Policy = {
    ...DEFAULT_POLICY,
    invoiceExpiryMs: read.integer("INVOICE_EXPIRY_SECONDS", 60, 300) * 1_000,
    codeGraceMs: read.integer("CODE_GRACE_SECONDS", 0, 600) * 1_000,
  };
  const fault = policyFault(policy);
  if (fault) read.problems.push(fault);
  const multiplierText = read.text("PRICE_MULTIPLIER");
  const config: Config = {
    port,
    host: read.text("HOST"),
    publicUrl: read.url("PUBLIC_URL"),
    dataDir: read.text("DATA_DIR"),
    logLevel: read.oneOf("LOG_LEVEL", LOG_LEVELS),
    logFormat: read.oneOf("LOG_FORMAT", ["json", "pretty", "auto"]),
    trustedProxies: read.addresses("TRUSTED_PROXIES"),
    metricsToken: read.longSecret("METRICS_TOKEN"),
    peers,
    providerCallsPerSecond: read.integer("PROVIDER_CALLS_PER_SECOND", 5, 10_000),
    banRules: {
      pair: {
        numbers: read.integer("BAN_PAIR_NUMBERS", 10, 1_000_000),
        percent: read.integer("BAN_PAIR_PERCENT", 0, 50),
      },
      account: {
        numbers: read.integer("BAN_ACCOUNT_NUMBERS", 10, 10_000_000),
        percent: read.integer("BAN_ACCOUNT_PERCENT", 0, 50),
      },
    },
    webhookSecret: read.longSecret("WEBHOOK_SECRET"),
    webhookAllow: read.addresses("WEBHOOK_ALLOW"),
    rootKey: readRootKey(read),
    multiplier:
      parseMultiplier(multiplierText) ?? read.wrong("PRICE_MULTIPLIER", "a decimal above 0, at most 1000", ONE),
    multiplierText,
    priceSources: read.listOf("PRICE_SOURCES", PRICE_SOURCE_NAMES),
    priceMaxAgeMs: read.integer("PRICE_MAX_AGE_SECONDS", 60, 86_400) * 1_000,
    coinGecko: readCoinGecko(read),
    firebase: readFirebase(read),
    nostr: readNostr(read),
    blockedServices: read.list("BLOCKED_SERVICES"),
    blockedCountries: read.list("BLOCKED_COUNTRIES"),
    policy,
    eraseMessagesMs: read.integer("ERASE_AFTER_MINUTES", 0, 43_200) * 60_000,
    operatorContact: read.orNull("OPERATOR_CONTACT"),
    indexVerifyToken: read.orNull("INDEX_VERIFY_TOKEN"),
    maxUnpaidPerClient: read.integer("MAX_UNPAID_PER_CLIENT", 1, 1_000_000),
    maxCancelledPerClient: read.integer("MAX_CANCELLED_PER_CLIENT", 1, 1_000_000),
    maxUnpaid: read.integer("MAX_UNPAID", 1, 10_000_000),
    createPerMinute: read.integer("CREATE_PER_MINUTE", 1, 10_000_000),
    readPerMinute: read.integer("READ_PER_MINUTE", 1, 100_000_000),
    maxResidents: read.integer("MAX_RESIDENTS", 1, 10_000_000),
  };
  return read.problems.length > 0 ? { ok: false, problems: read.problems } : { ok: true, config };
}

const ONE: Multiplier = { numerator: 1n, denominator: 1n };

function readPeers(read: Reader, port: number, needsProvider: boolean): Peers {
  const apiKey = read.text("HEROSMS_API_KEY");
  const sandboxNode = read.text("LIGHTNING_URL") === "sandbox:";
  const node = readNode(read, sandboxNode);
  if (sandboxNode && apiKey === "") return readSandbox(read, port);
  if (sandboxNode) read.problems.push("HEROSMS_API_KEY is set, but LIGHTNING_URL is not: configure both or neither");
  else if (apiKey === "" && needsProvider)
    read.problems.push("LIGHTNING_URL is set, but HEROSMS_API_KEY is not: configure both or neither");
  return { kind: "real", node, heroSms: { baseUrl: read.url("HEROSMS_URL"), apiKey } };
}

function readSandbox(read: Reader, port: number): Peers {
  if (read.oneOf("REFUSE_SANDBOX", ["0", "1"]) === "1") {
    read.problems.push("Sandbox mode is refused here: set LIGHTNING_URL and HEROSMS_API_KEY");
  }
  const own = read.text("SANDBOX_PORT");
  const url = read.url("SANDBOX_URL");
  const after = read.text("SANDBOX_SMS_AFTER_MS");
  return {
    kind: "sandbox",
    node: read.oneOf("SANDBOX_NODE", NODE_KINDS),
    port: own === "" && port < 65_535 ? (port === 0 ? 0 : port + 1) : read.integer("SANDBOX_PORT", 0, 65_535),
    url: url === "" ? null : url,
    smsAfterMs: after === "off" ? null : read.integer("SANDBOX_SMS_AFTER_MS", 0, 86_400_000),
    bans: read.oneOf("SANDBOX_BANS", ["off", "on"]) === "on",
  };
}

function readCoinGecko(read: Reader): Config["coinGecko"] {
  const apiKey = read.orNull("COINGECKO_API_KEY");
  const plan = read.oneOf("COINGECKO_PLAN", ["demo", "pro"]);
  return apiKey === null ? null : { apiKey, plan };
}

function readFirebase(read: Reader): Config["firebase"] {
  const url = read.url("FIREBASE_URL");
  const secret = read.orNull("FIREBASE_SECRET");
  if (url !== "") return { url, secret };
  if (secret !== null) read.problems.push("FIREBASE_SECRET is set, but FIREBASE_URL is not");
  return null;
}

function readNostr(read: Reader): Config["nostr"] {
  const text = read.orNull("NOSTR_KEY");
  if (text === null) return null;
  const secretKey = parseSecretKey(text);
  if (!secretKey) return read.wrong("NOSTR_KEY", "an nsec or 64 hex digits", null);
  const relays = read.list("NOSTR_RELAYS");
  if (relays.length === 0 || relays.some((relay) => configuredRelayUrl(relay) === null)) {
    read.wrong("NOSTR_RELAYS", "ws:// or wss:// URLs, comma-separated", null);
  }
  return { secretKey, relays };
}

function readRootKey(read: Reader): string | null {
  const text = read.orNull("ROOT_KEY");
  const parsed = text === null ? null : parseRootKeys(text);
  if (parsed && !parsed.ok) read.problems.push(`ROOT_KEY: ${parsed.problem}`);
  return text;
}

/** Collects mistakes instead of stopping at the first. */
class Reader {
  readonly problems: string[] = [];
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  text(name: Name): string {
    const setting: Setting | undefined = SETTINGS.find((candidate) => candidate.name === name);
    const direct = this.#env[name]?.trim();
    if (direct) return direct;
    return (setting?.secret && this.#fromFile(name)?.toString("utf8").trim()) || (setting?.fallback ?? "");
  }

  orNull(name: Name): string | null {
    return this.text(name) || null;
  }

  /** Content of a file that a setting names, or null when it is unset. */
  file(name: Name): string | null {
    const path = this.text(name);
    return path === "" ? null : (this.#readFile(name, path)?.toString("utf8") ?? null);
  }

  macaroon(name: Name): string {
    const direct = this.#env[name]?.trim();
    const bytes = direct ? null : this.#fromFile(name);
    // An editor's byte order mark before hex is white space; binary, which is no UTF-8, stays as it is.
    const text = direct || bytes?.toString("utf8").trim() || "";
    if (text === "" || /^(?:[0-9a-f]{2})+$/i.test(text)) return text.toLowerCase();
    return bytes ? bytes.toString("hex") : this.wrong(name, "hex", "");
  }

  integer(name: Name, min: number, max: number): number {
    const text = this.text(name);
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    return this.wrong(name, `a whole number from ${min} to ${max}`, min);
  }

  oneOf<const T extends string>(name: Name, allowed: readonly T[]): T {
    const text = this.text(name);
    const found = allowed.find((word) => word === text);
    return found ?? this.wrong(name, `one of ${allowed.join(", ")}`, allowed[0] as T);
  }

  list(name: Name): string[] {
    return this.text(name)
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  }

  listOf<const T extends string>(name: Name, allowed: readonly T[]): T[] {
    const items = this.list(name);
    const good = allowed.filter((word) => items.includes(word));
    if (good.length !== items.length || good.length === 0) this.wrong(name, `some of ${allowed.join(", ")}`, null);
    return good;
  }

  addresses(name: Name): string[] {
    const items = this.list(name);
    try {
      new AddressSet(items);
    } catch {
      this.wrong(name, "addresses or CIDR blocks, comma-separated", null);
    }
    return items;
  }

  url(name: Name): string {
    const text = this.text(name).replace(/\/+$/, "");
    // Paths are appended to it.
    if (text === "" || (/^https?:\/\/[^\s?#@]+$/.test(text) && URL.canParse(text))) return text;
    return this.wrong(name, "an http(s) URL without user and query", "");
  }

  longSecret(name: Name): string | null {
    const secret = this.orNull(name);
    if (secret !== null && !/^[A-Za-z0-9_-]+$/.test(secret)) return this.wrong(name, "letters, digits, - and _", null);
    if (secret !== null && secret.length < MIN_SECRET)
      return this.wrong(name, `at least ${MIN_SECRET} characters`, null);
    return secret;
  }

  wrong<T>(name: Name, expected: string, instead: T): T {
    this.problems.push(`${name} must be ${expected}`);
    return instead;
  }

  #fromFile(name: Name): Buffer | null {
    const path = this.#env[`${name}_FILE`]?.trim();
    return path ? this.#readFile(`${name}_FILE`, path) : null;
  }

  #readFile(name: string, path: string): Buffer | null {
    // What is no path may be the secret itself, put there by mistake.
    const which = /^\.{0,2}\//.test(path) ? `: "${path}"` : "";
    try {
      const bytes = readAtMost(path, MAX_FILE + 1);
      if (bytes.length > MAX_FILE) {
        this.problems.push(`${name} names a file of more than ${MAX_FILE} bytes${which}`);
        return null;
      }
      // An empty secret would count as unset, and a shop start as a sandbox. A line break alone is what an unset variable leaves in a file.
      if (bytes.toString("utf8").trim() === "") this.problems.push(`${name} names an empty file${which}`);
      return bytes;
    } catch {
      this.problems.push(`${name} names a file that cannot be read${which}`);
      return null;
    }
  }
}

/** The commented `.env.example`: every setting with its words and default. */
export function envExample(): string {
  const lines = ["# Every setting, with its default. A secret may come from a file: NAME_FILE=/run/secrets/name"];
  let group = "";
  for (const setting of SETTINGS as readonly Setting[]) {
    if (setting.group !== group) {
      group = setting.group;
      lines.push("", `## ${group}`);
    }
    lines.push("", `# ${setting.help}`, `# ${setting.name}=${setting.fallback}`);
  }
  return `${lines.join("\n")}\n`;
}
