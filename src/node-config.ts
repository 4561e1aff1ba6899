/** The part of the configuration that names the Lightning node and its secrets. Mistakes are collected like all others. */
import { X509Certificate } from "node:crypto";
import { NODE_URLS, type NodeAddress, type NodeKind, parseNodeUrl } from "./node.ts";

/** A wallet connection is a secret as a whole, and has no other. */
const SECRETS = {
  lnd: { setting: "LIGHTNING_MACAROON", name: "LND" },
  cln: { setting: "LIGHTNING_RUNE", name: "Core Lightning" },
  phoenixd: { setting: "LIGHTNING_PASSWORD", name: "phoenixd" },
} as const satisfies Record<Exclude<NodeKind, "nwc">, { readonly setting: string; readonly name: string }>;
const WITH_SECRET = ["lnd", "cln", "phoenixd"] as const;

type Setting = "LIGHTNING_URL" | "LIGHTNING_TLS_CERT_FILE" | (typeof SECRETS)[keyof typeof SECRETS]["setting"];

/** As `config.ts` reads settings. */
interface Reader {
  readonly problems: string[];
  text(name: Setting): string;
  file(name: Setting): string | null;
  macaroon(name: Setting): string;
  wrong<T>(name: Setting, expected: string, instead: T): T;
}

/** Base64url of a hash and restrictions. */
const RUNE = /^[A-Za-z0-9_-]{43,}={0,2}$/;

/** A secret of another kind of node is a mistake: a forgotten LIGHTNING_URL must not turn a shop into a toy. */
export function readNode(read: Reader, sandbox: boolean): NodeAddress {
  const url = sandbox ? null : parseNodeUrl(read.text("LIGHTNING_URL"));
  if (!sandbox && !url) read.wrong("LIGHTNING_URL", NODE_URLS, null);
  const tlsCa = certificate(read);
  const rune = read.text("LIGHTNING_RUNE");
  const secrets = {
    lnd: read.macaroon("LIGHTNING_MACAROON"),
    cln: rune === "" || RUNE.test(rune) ? rune : read.wrong("LIGHTNING_RUNE", "a rune", ""),
    phoenixd: read.text("LIGHTNING_PASSWORD"),
  };
  for (const kind of WITH_SECRET) {
    const { setting, name } = SECRETS[kind];
    if (url?.kind === kind && secrets[kind] === "") read.problems.push(`${setting} is needed to talk to ${name}`);
    if ((url || sandbox) && url?.kind !== kind && secrets[kind] !== "") {
      const what = url
        ? `names ${url.kind === "nwc" ? "a wallet connection" : SECRETS[url.kind].name}`
        : "names no node";
      read.problems.push(`${setting} is set, but LIGHTNING_URL ${what}`);
    }
  }
  if (url?.kind === "nwc") return url;
  const baseUrl = url?.baseUrl ?? "";
  switch (url?.kind) {
    case "cln":
      return { kind: "cln", baseUrl, rune: secrets.cln, tlsCa };
    case "phoenixd":
      return { kind: "phoenixd", baseUrl, password: secrets.phoenixd };
    default:
      return { kind: "lnd", baseUrl, macaroonHex: secrets.lnd, tlsCa };
  }
}

/** One that is none would make every call fail as if the node were not there. */
function certificate(read: Reader): string | null {
  // An editor's byte order mark is no part of it, and TLS would find no certificate behind it.
  const text = read.file("LIGHTNING_TLS_CERT_FILE")?.replace(/^\ufeff/, "") ?? null;
  if (text === null || text.trim() === "") return null;
  try {
    new X509Certificate(text);
    return text;
  } catch {
    return read.wrong("LIGHTNING_TLS_CERT_FILE", "the path of a certificate in PEM", null);
  }
}
