import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, envExample, loadConfig, SETTINGS, type Setting } from "../src/config.ts";
import { NODE_KINDS, NODE_URLS } from "../src/node.ts";
import { NODE_KINDS as LOOPBACK_KINDS } from "../src/sandbox/lightning/peer.ts";
import { CERTIFICATE, KEY } from "./ops/certificates.ts";

const ROOT = join(import.meta.dir, "..");
const REAL = { LIGHTNING_URL: "lnd+https://node:8080", LIGHTNING_MACAROON: "0201", HEROSMS_API_KEY: "key" };

const RUNE = "k3JQ5cRvC2mNa7Yw0UeXzB9fLdTgHsKqPoIiVuWyEtA9MA==";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "l402-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function good(env: Record<string, string>): Config {
  const loaded = loadConfig(env);
  if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
  return loaded.config;
}

function problems(env: Record<string, string>): readonly string[] {
  const loaded = loadConfig(env);
  return loaded.ok ? [] : loaded.problems;
}

describe("the table of settings", () => {
  test("is what .env.example says", () => {
    expect(readFileSync(join(ROOT, ".env.example"), "utf8")).toBe(envExample());
  });

  test("is read in full by loadConfig, and nothing else is", () => {
    const asked = new Set<string>();
    const spy = (env: Record<string, string>) =>
      new Proxy(env, {
        get(target, name) {
          if (typeof name === "string") asked.add(name);
          return Reflect.get(target, name);
        },
      });
    loadConfig(spy({ NOSTR_KEY: "01".repeat(32) }));
    loadConfig(spy(REAL));
    const settings: readonly Setting[] = SETTINGS;
    const known = settings.flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name]));
    expect(settings.map(({ name }) => name).filter((name) => !asked.has(name))).toEqual([]);
    expect([...asked].filter((name) => !known.includes(name))).toEqual([]);
  });

  test("names every environment variable that the sources read", async () => {
    const names: readonly string[] = SETTINGS.map(({ name }) => name);
    const readers: string[] = [];
    const unknown: string[] = [];
    for await (const path of new Bun.Glob("{src,actors}/**/*.ts").scan(ROOT)) {
      const source = await Bun.file(join(ROOT, path)).text();
      if (!/\b(?:process|Bun|import\.meta)\.env\b/.test(source)) continue;
      readers.push(path);
      const direct = [...source.matchAll(/\benv(?:\.|\[["'])([A-Z][A-Z0-9_]+)/g)].map((match) => match[1] ?? "");
      const taken = [...source.matchAll(/\{([^{}]*)\}\s*=\s*(?:process|Bun)\.env/g)].flatMap((match) =>
        (match[1] ?? "").split(",").map((name) => name.trim()),
      );
      unknown.push(...[...direct, ...taken].filter((name) => name !== "" && !names.includes(name)));
    }
    expect(readers.sort()).toEqual(["src/main.ts", "src/sandbox/standalone.ts"]);
    expect(unknown).toEqual([]);
  });

  test("has defaults that are good, and a name only once", () => {
    const settings: readonly Setting[] = SETTINGS;
    expect(good({}).peers.kind).toBe("sandbox");
    expect(good(Object.fromEntries(settings.map(({ name, fallback }) => [name, fallback])))).toEqual(good({}));
    expect(new Set(settings.map(({ name }) => name)).size).toBe(settings.length);
  });
});

describe("mistakes", () => {
  test("are reported all at once, each by the name of its setting", () => {
    const wrong = {
      PORT: "70000",
      PUBLIC_URL: "example.com",
      LOG_LEVEL: "loud",
      LOG_FORMAT: "xml",
      TRUSTED_PROXIES: "10.0.0.0/99",
      METRICS_TOKEN: "short",
      REFUSE_SANDBOX: "yes",
      WEBHOOK_SECRET: "has spaces in it, and is long enough",
      WEBHOOK_ALLOW: "everybody",
      ROOT_KEY: "0:abc",
      PRICE_MULTIPLIER: "-1",
      PRICE_SOURCES: "coingecko,tealeaves",
      PRICE_MAX_AGE_SECONDS: "1e9",
      COINGECKO_PLAN: "gold",
      FIREBASE_URL: "ftp://rates",
      NOSTR_KEY: "nsec1nonsense",
      CODE_GRACE_SECONDS: "601",
      ERASE_AFTER_MINUTES: "-5",
      INVOICE_EXPIRY_SECONDS: "301",
      MAX_UNPAID_PER_CLIENT: "0",
      MAX_UNPAID: "1.5",
      CREATE_PER_MINUTE: "many",
      READ_PER_MINUTE: "0x10",
      MAX_RESIDENTS: "0",
      SANDBOX_PORT: "-1",
      SANDBOX_URL: "localhost:3001",
      SANDBOX_SMS_AFTER_MS: "never",
    };
    const found = problems(wrong);
    for (const name of Object.keys(wrong)) expect(found.join("\n")).toContain(name);
    expect(found.length).toBe(Object.keys(wrong).length);
  });

  test("include URLs to which no path can be appended", () => {
    for (const url of ["https://x/?a", "https://x/#a", "https://user:hush@x", "https://x y", "x"]) {
      expect([url, problems({ PUBLIC_URL: url })]).toEqual([
        url,
        ["PUBLIC_URL must be an http(s) URL without user and query"],
      ]);
    }
    expect(good({ PUBLIC_URL: "https://x:8443/shop/" }).publicUrl).toBe("https://x:8443/shop");
  });

  test("never show the value of a secret", () => {
    const secret = "s3cr3t!value";
    const env = Object.fromEntries(
      (SETTINGS as readonly Setting[]).filter((setting) => setting.secret).map(({ name }) => [name, secret]),
    );
    expect(JSON.stringify(loadConfig({ ...env, LIGHTNING_URL: `lnd+https://${secret} x` }))).not.toContain(secret);
  });

  test("include a port for which there is no next one", () => {
    expect(problems({ PORT: "65535" })).toEqual(["SANDBOX_PORT must be a whole number from 0 to 65535"]);
    expect(problems({ PORT: "65535", SANDBOX_PORT: "3001" })).toEqual([]);
  });

  test("include relays that are none, once a Nostr key is set", () => {
    expect(problems({ NOSTR_RELAYS: "https://relay.example.com" })).toEqual([]);
    expect(problems({ NOSTR_KEY: "01".repeat(32), NOSTR_RELAYS: "https://relay.example.com" })).toEqual([
      "NOSTR_RELAYS must be ws:// or wss:// URLs, comma-separated",
    ]);
  });
});

describe("bounds", () => {
  const edges: [name: string, low: string, high: string, beyond: string][] = [
    ["PORT", "0", "65535", "65536"],
    ["INVOICE_EXPIRY_SECONDS", "60", "300", "301"],
    ["CODE_GRACE_SECONDS", "0", "600", "601"],
    ["ERASE_AFTER_MINUTES", "0", "43200", "43201"],
    ["PRICE_MAX_AGE_SECONDS", "60", "86400", "86401"],
    ["PRICE_MULTIPLIER", "0.01", "1000", "1000.1"],
    ["SANDBOX_SMS_AFTER_MS", "0", "86400000", "86400001"],
  ];
  test.each(edges)("%s takes %s and %s, and not %s", (name, low, high, beyond) => {
    const env = { SANDBOX_PORT: "3001" };
    expect([low, high].map((value) => problems({ ...env, [name]: value }))).toEqual([[], []]);
    expect(problems({ ...env, [name]: beyond })).toHaveLength(1);
  });

  test("of a secret are 22 characters of an address, white space around not counted", () => {
    expect(problems({ WEBHOOK_SECRET: "a".repeat(21) })).toHaveLength(1);
    expect(good({ WEBHOOK_SECRET: ` ${"a".repeat(22)}\n` }).webhookSecret).toBe("a".repeat(22));
  });
});

describe("peers", () => {
  test("are the sandbox when nothing is configured, on the next port", () => {
    expect(good({ PORT: "4000" }).peers).toEqual({
      kind: "sandbox",
      node: "lnd",
      port: 4001,
      url: null,
      smsAfterMs: 4000,
      bans: false,
    });
    expect(good({ PORT: "0", SANDBOX_SMS_AFTER_MS: "off" }).peers).toMatchObject({ port: 0, smsAfterMs: null });
    expect(good({ SANDBOX_URL: "http://127.0.0.1:3001/" }).peers).toMatchObject({ url: "http://127.0.0.1:3001" });
  });

  test("are real with node, macaroon and API key", () => {
    expect(good({ ...REAL, LIGHTNING_URL: "lnd+http://127.0.0.1:8080/" }).peers).toEqual({
      kind: "real",
      node: { kind: "lnd", baseUrl: "http://127.0.0.1:8080", macaroonHex: "0201", tlsCa: null },
      heroSms: { baseUrl: "https://hero-sms.com", apiKey: "key" },
    });
  });

  test("are any of the nodes, each with its own secret", () => {
    const { LIGHTNING_MACAROON: _, ...base } = REAL;
    const node = (env: Record<string, string>) => {
      const { peers } = good({ ...base, ...env });
      return peers.kind === "real" ? peers.node : null;
    };
    expect(node({ LIGHTNING_URL: "cln+https://node:3010", LIGHTNING_RUNE: RUNE })).toEqual({
      kind: "cln",
      baseUrl: "https://node:3010",
      rune: RUNE,
      tlsCa: null,
    });
    expect(
      node({ LIGHTNING_URL_FILE: file("url", "cln+http://node:3010\n"), LIGHTNING_URL: "", LIGHTNING_RUNE: RUNE }),
    ).toMatchObject({
      baseUrl: "http://node:3010",
    });
    expect(problems({ ...base, LIGHTNING_URL: "cln+https://node:3010", LIGHTNING_RUNE: "x y" })).toContain(
      "LIGHTNING_RUNE must be a rune",
    );
  });

  test("of the sandbox speak what is asked for", () => {
    for (const node of NODE_KINDS) expect(good({ SANDBOX_NODE: node }).peers).toMatchObject({ kind: "sandbox", node });
    expect(problems({ SANDBOX_NODE: "eclair" })).toEqual([`SANDBOX_NODE must be one of ${NODE_KINDS.join(", ")}`]);
    expect([...LOOPBACK_KINDS]).toEqual([...NODE_KINDS]);
  });

  const halves: [what: string, env: Record<string, string>, problem: string][] = [
    ["a provider without a node", { HEROSMS_API_KEY: "key" }, "HEROSMS_API_KEY is set, but LIGHTNING_URL is not"],
    ["a node without a provider", { ...REAL, HEROSMS_API_KEY: "" }, "LIGHTNING_URL is set, but HEROSMS_API_KEY is not"],
    ["a node without a macaroon", { ...REAL, LIGHTNING_MACAROON: "" }, "LIGHTNING_MACAROON is needed"],
    ["a rune for LND", { ...REAL, LIGHTNING_RUNE: RUNE }, "LIGHTNING_RUNE is set, but LIGHTNING_URL names LND"],
    ["a rune without a node", { LIGHTNING_RUNE: RUNE }, "LIGHTNING_RUNE is set, but LIGHTNING_URL names no node"],
    ["a macaroon without a node", { LIGHTNING_MACAROON: "0201" }, "LIGHTNING_MACAROON is set, but LIGHTNING_URL"],
    ["a database secret without its URL", { FIREBASE_SECRET: "x" }, "FIREBASE_SECRET is set, but FIREBASE_URL is not"],
  ];
  test.each(halves)("%s is refused", (_, env, problem) => {
    const found = problems(env);
    expect(found).toHaveLength(1);
    expect(found[0]).toStartWith(problem);
  });

  test.each([
    "https://node:8080",
    "lnd+ftp://node",
    "lnd+https://node:99999",
    "lnd+https://node/v1",
    "eclair+https://n",
  ])("a node at %s is refused", (url) => {
    expect(problems({ ...REAL, LIGHTNING_URL: url })).toEqual([`LIGHTNING_URL must be ${NODE_URLS}`]);
  });

  test("are never the sandbox where it is refused", () => {
    const refusal = ["Sandbox mode is refused here: set LIGHTNING_URL and HEROSMS_API_KEY"];
    expect(problems({ REFUSE_SANDBOX: "1" })).toEqual(refusal);
    expect(problems({ REFUSE_SANDBOX: "1", LIGHTNING_URL: "sandbox:" })).toEqual(refusal);
    expect(problems({ REFUSE_SANDBOX: "0" })).toEqual([]);
    expect(problems({ REFUSE_SANDBOX: "1", ...REAL })).toEqual([]);
    // A word that is not understood must not count as "no".
    expect(problems({ REFUSE_SANDBOX: "true" })).toEqual(["REFUSE_SANDBOX must be one of 0, 1"]);
  });
});

describe("secrets from files", () => {
  test("are read without the white space around them; a direct value comes first", () => {
    const path = file("api-key", "  from-file\n");
    const { HEROSMS_API_KEY: _, ...rest } = REAL;
    const fromFile = good({ ...rest, HEROSMS_API_KEY_FILE: path }).peers;
    expect(fromFile).toMatchObject({ heroSms: { apiKey: "from-file" } });
    expect(good({ ...REAL, HEROSMS_API_KEY_FILE: path }).peers).toMatchObject({ heroSms: { apiKey: "key" } });
    // Compose files write `NAME=` for what is not set.
    expect(good({ ...rest, HEROSMS_API_KEY: "", HEROSMS_API_KEY_FILE: path }).peers).toEqual(fromFile);
  });

  test("exist for every secret and for nothing else", () => {
    const missing = join(folder, "missing");
    for (const { name, secret } of SETTINGS as readonly Setting[]) {
      // The macaroon's file, for one, is read whichever peers are chosen.
      const found = problems({ ...REAL, [name]: "", [`${name}_FILE`]: missing }).join("\n");
      expect([name, found.includes(`${name}_FILE names a file that cannot be read`)]).toEqual([name, secret === true]);
    }
  });

  test("that are missing, empty or huge are mistakes", () => {
    expect(problems({ ROOT_KEY_FILE: join(folder, "missing") })[0]).toStartWith(
      "ROOT_KEY_FILE names a file that cannot",
    );
    expect(problems({ ROOT_KEY_FILE: file("empty", "") })[0]).toStartWith("ROOT_KEY_FILE names an empty file");
    const huge = file("huge", new Uint8Array(64 * 1024 + 1));
    expect(problems({ ROOT_KEY_FILE: huge })[0]).toStartWith("ROOT_KEY_FILE names a file of more than 65536 bytes");
    const { HEROSMS_API_KEY: _, LIGHTNING_URL: __, LIGHTNING_MACAROON: ___, ...none } = REAL;
    expect(problems({ ...none, HEROSMS_API_KEY_FILE: file("empty-key", "") })).toHaveLength(1);
    expect(problems({ ROOT_KEY_FILE: "/dev/zero" })[0]).toStartWith("ROOT_KEY_FILE names a file of more than 65536");
  });

  test.each([
    ["a line break", "\n"],
    ["a line break of Windows", "\r\n"],
    ["blanks", "  "],
    ["a byte order mark", "\ufeff"],
  ])("that hold only %s are empty: no shop starts as a sandbox for it", (_, blank) => {
    const path = file("blank", blank);
    const both = problems({ LIGHTNING_URL_FILE: path, HEROSMS_API_KEY_FILE: path }).join("\n");
    expect(both).toContain("LIGHTNING_URL_FILE names an empty file");
    expect(both).toContain("HEROSMS_API_KEY_FILE names an empty file");
    expect(problems({ ...REAL, LIGHTNING_MACAROON: "", LIGHTNING_MACAROON_FILE: path })).not.toEqual([]);
    expect(problems({ ROOT_KEY_FILE: path })).toHaveLength(1);
  });

  test("are not shown when they stand where the file's path should", () => {
    const wallet = "nostr+walletconnect://b889ff?relay=wss%3A%2F%2Frelay.example.com&secret=4343";
    const key = `0:${"ab".repeat(32)}`;
    const found = problems({ ...REAL, LIGHTNING_URL: "", LIGHTNING_URL_FILE: wallet, ROOT_KEY_FILE: key });
    expect(found).toContain("LIGHTNING_URL_FILE names a file that cannot be read");
    expect(found).toContain("ROOT_KEY_FILE names a file that cannot be read");
    expect(problems({ ROOT_KEY_FILE: "./missing" })).toEqual([
      'ROOT_KEY_FILE names a file that cannot be read: "./missing"',
    ]);
  });

  test("may come through a pipe", async () => {
    const program = `import { loadConfig } from ${JSON.stringify(join(import.meta.dir, "../src/config.ts"))};
      const loaded = loadConfig({ METRICS_TOKEN_FILE: "/dev/stdin" });
      console.log(loaded.ok && loaded.config.metricsToken);`;
    const words = `(printf piped-; sleep 0.05; echo a-token-of-22-letters) | "$0" -e "$1"`;
    const child = Bun.spawn(["sh", "-c", words, process.execPath, program], { stdout: "pipe" });
    expect(await new Response(child.stdout).text()).toBe("piped-a-token-of-22-letters\n");
  });

  const { LIGHTNING_MACAROON: _, ...withoutMacaroon } = REAL;
  const macaroonOf = (env: Record<string, string>) => {
    const { peers } = good({ ...withoutMacaroon, ...env });
    return peers.kind === "real" && peers.node.kind === "lnd" ? peers.node.macaroonHex : null;
  };

  test("may be LND's binary macaroon, or its hex", () => {
    const bytes = Uint8Array.of(2, 1, 0x0a, 0xff, 0x80, 0x20);
    expect(macaroonOf({ LIGHTNING_MACAROON_FILE: file("admin.macaroon", bytes) })).toBe("02010aff8020");
    expect(macaroonOf({ LIGHTNING_MACAROON_FILE: file("admin.hex", "02010AFF8020\n") })).toBe("02010aff8020");
    const marked = file("marked.hex", "\ufeff02010aff8020\r\n");
    expect(macaroonOf({ LIGHTNING_MACAROON_FILE: marked })).toBe("02010aff8020");
    expect(macaroonOf({ LIGHTNING_MACAROON: "", LIGHTNING_MACAROON_FILE: file("again", bytes) })).toBe("02010aff8020");
    expect(problems({ ...REAL, LIGHTNING_MACAROON: "AgEKbG5k" })).toContain("LIGHTNING_MACAROON must be hex");
  });

  test("hold the node's certificate as it is, but for a byte order mark", () => {
    for (const text of [CERTIFICATE, `${KEY}${CERTIFICATE}`, CERTIFICATE.replaceAll("\n", "\r\n")]) {
      for (const mark of ["", "\ufeff"]) {
        const { peers } = good({ ...REAL, LIGHTNING_TLS_CERT_FILE: file("tls.cert", mark + text) });
        expect(peers).toMatchObject({ node: { tlsCa: text } });
      }
    }
  });

  test.each([
    ["a key", KEY],
    ["a page", "<html></html>"],
    ["a torn certificate", CERTIFICATE.slice(0, 200)],
    ["the binary form", new Uint8Array(Buffer.from(CERTIFICATE.replace(/-.*-/g, ""), "base64"))],
  ])("that hold %s in the place of the node's certificate are a mistake", (_, text) => {
    const found = problems({ ...REAL, LIGHTNING_TLS_CERT_FILE: file("no.cert", text) });
    expect(found).toEqual(["LIGHTNING_TLS_CERT_FILE must be the path of a certificate in PEM"]);
  });
});

test("lists are split at commas, without blanks and empty entries", () => {
  const config = good({
    BLOCKED_SERVICES: " tg, wa ,,",
    BLOCKED_COUNTRIES: "16, France",
    TRUSTED_PROXIES: "10.0.0.0/8, ::1",
    PRICE_SOURCES: "kraken,coingecko",
  });
  expect(config.blockedServices).toEqual(["tg", "wa"]);
  expect(config.blockedCountries).toEqual(["16", "France"]);
  expect(config.trustedProxies).toEqual(["10.0.0.0/8", "::1"]);
  expect(config.priceSources).toEqual(["coingecko", "kraken"]);
});

test("a wallet connection is a secret, and may come from a file", () => {
  const dir = mkdtempSync(join(tmpdir(), "l402-nwc-"));
  try {
    const path = join(dir, "nwc");
    const wallet = "b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4";
    writeFileSync(
      path,
      `nostr+walletconnect://${wallet}?relay=wss%3A%2F%2Frelay.example.com&secret=${"43".repeat(32)}\n`,
    );
    const loaded = loadConfig({ LIGHTNING_URL_FILE: path, HEROSMS_API_KEY: "key" });
    expect(loaded).toMatchObject({
      ok: true,
      config: { peers: { kind: "real", node: { kind: "nwc", connection: { wallet } } } },
    });
    const broken = loadConfig({ LIGHTNING_URL: "nostr+walletconnect://abc?secret=hush", HEROSMS_API_KEY: "key" });
    expect(broken).toMatchObject({ ok: false });
    expect(JSON.stringify(broken)).not.toContain("hush");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
