/**
 * Clients as their sources show them, each reduced to its rules: how it reads a challenge, what it sends back, and how it comes again. No
 * client's code is in here; the names say whose rules they are.
 */
import bolt11 from "bolt11";
import { decodeL402, withCaveat } from "./macaroon-v2.ts";

export interface Challenge {
  readonly macaroon: string;
  readonly invoice: string;
}

/** Forms of a challenge that are around, beside ours. */
export const FORMS = {
  /** The protocol text of 2026, to the letter. */
  spec: (m: string, i: string) => `L402 version="0", token="${m}", invoice="${i}"`,
  spring: (m: string, i: string) => `L402 version="0", token="${m}", macaroon="${m}", invoice="${i}"`,
  noSpace: (m: string, i: string) => `L402 macaroon="${m}",invoice="${i}"`,
  /** LSAT first, then L402, merged into one line: aperture. */
  merged: (m: string, i: string) => `LSAT macaroon="${m}", invoice="${i}", L402 macaroon="${m}", invoice="${i}"`,
} as const;
export type Form = keyof typeof FORMS;

export interface Client {
  readonly name: string;
  /** @throws Error when this client would give up. */
  readonly read: (response: Response, body: string) => Challenge;
  /** Header lines of the paid request, in order. */
  readonly show: (challenge: Challenge, preimage: string) => readonly (readonly [string, string])[];
  /** Other forms of a challenge that it cannot read. */
  readonly cannotRead: readonly Form[];
  /** It sends the purchase again without body and headers. */
  readonly dropsBody?: true;
  /** It asks for a fresh challenge before it pays, and pays the last one. */
  readonly asksAgain?: true;
  /** It knows only the URL it bought at, and repeats the purchase instead of reading the order. */
  readonly repeats?: true;
}

const header = (response: Response): string => response.headers.get("www-authenticate") ?? "";

function found(match: RegExpExecArray | null, from: string): Challenge {
  const { macaroon, invoice } = match?.groups ?? {};
  if (!macaroon || !invoice) throw new Error(`No challenge in ${from}`);
  return { macaroon, invoice };
}

/** Sats of an invoice, as clients with a budget read them; amountless ones are refused. */
export function amountOf(invoice: string): number {
  const match = /^ln(?:bcrt|bc|tb)(\d+)([munp])1/.exec(invoice);
  const divisor = { m: 1e3, u: 1e6, n: 1e9, p: 1e12 }[match?.[2] ?? ""];
  if (!match?.[1] || !divisor) throw new Error("Invoice has no amount");
  return (Number(match[1]) / divisor) * 1e8;
}

export const hashOf = (invoice: string): string => String(bolt11.decode(invoice).tagsObject.payment_hash);

const credential = (scheme: string, { macaroon }: Challenge, preimage: string) =>
  ["Authorization", `${scheme} ${macaroon}:${preimage}`] as const;
const asL402 = (challenge: Challenge, preimage: string) => [credential("L402", challenge, preimage)];

export const CLIENTS: readonly Client[] = [
  {
    // lightninglabs/lnget: l402/header.go, client/transport.go.
    name: "lnget",
    cannotRead: ["spec", "spring"],
    asksAgain: true,
    read: (response) => {
      if (!/^(l402|lsat)/i.test(header(response))) throw new Error("First scheme is not L402");
      const rule = /(?:LSAT|L402)\s+macaroon="(?<macaroon>[^"]+)",\s*invoice="(?<invoice>[^"]+)"/i;
      const challenge = found(rule.exec(header(response)), "header");
      decodeL402(Buffer.from(challenge.macaroon, "base64"));
      if (amountOf(challenge.invoice) > 1000) throw new Error("Above the default cap");
      return challenge;
    },
    // Its stored token is the macaroon with the preimage as a caveat; aperture's SetHeader writes both schemes.
    show: ({ macaroon }, preimage) => {
      const paid = withCaveat(Buffer.from(macaroon, "base64"), `preimage=${preimage}`).toString("base64");
      return ["LSAT", "L402"].map((scheme) => ["Authorization", `${scheme} ${paid}:${preimage}`] as const);
    },
  },
  {
    // lightninglabs/aperture: l402/client_interceptor.go.
    name: "aperture's client",
    cannotRead: ["spec", "spring", "noSpace"],
    read: (response) =>
      found(/(?:LSAT|L402) macaroon="(?<macaroon>.*?)", invoice="(?<invoice>.*?)"/.exec(header(response)), "header"),
    show: ({ macaroon }, preimage) => {
      const paid = withCaveat(Buffer.from(macaroon, "base64"), `preimage=${preimage}`);
      return [
        ...asL402({ macaroon: paid.toString("base64"), invoice: "" }, preimage),
        ["Macaroon", paid.toString("hex")],
      ];
    },
  },
  {
    // lightninglabs/L402sdk: crates/l402-proto/src/challenge.rs.
    name: "L402sdk",
    cannotRead: ["spec"],
    repeats: true,
    read: (response) => {
      const value = header(response);
      if (!/^(L402|LSAT) /.test(value)) throw new Error("Scheme is case-sensitive");
      const parts = value.slice(5).match(/(?:[^,"]|"[^"]*")+/g) ?? [];
      const pairs = parts.map((part) => {
        const at = part.indexOf("=");
        if (at < 0) throw new Error("A part has no =");
        return [
          part.slice(0, at).trim(),
          part
            .slice(at + 1)
            .trim()
            .replace(/^"|"$/g, ""),
        ] as const;
      });
      const { macaroon = "", invoice = "" } = Object.fromEntries(pairs);
      if (!/^ln(bc|tb)/.test(invoice) || amountOf(invoice) <= 0) throw new Error("Not an invoice with an amount");
      return { macaroon, invoice };
    },
    show: asL402,
  },
  {
    // refined-element/l402-ts and its siblings for Python and .NET.
    name: "l402-requests",
    cannotRead: ["spec", "spring"],
    read: (response) => {
      const rule = /(?:L402|LSAT)\s+macaroon="(?<macaroon>[^"]+)"\s*,\s*invoice="(?<invoice>[^"]+)"/i;
      const challenge = found(rule.exec(header(response)), "header");
      if (amountOf(challenge.invoice) > 1000) throw new Error("Above the default cap");
      return challenge;
    },
    show: asL402,
  },
  {
    // ShinyDapps/l402-kit: src/client.ts. Reads the body alone.
    name: "l402-kit",
    cannotRead: [],
    repeats: true,
    read: (response, body) => {
      if (!response.headers.get("content-type")?.includes("json")) throw new Error("Not JSON");
      const { macaroon, invoice, priceSats } = JSON.parse(body) as Record<string, unknown>;
      if (typeof macaroon !== "string" || typeof invoice !== "string" || typeof priceSats !== "number") {
        throw new Error("402 response missing macaroon field");
      }
      return { macaroon, invoice };
    },
    show: asL402,
  },
  {
    // Fewsats/L402-python: l402/client/credentials/credentials.py. Greedy up to a blank.
    name: "L402-python",
    cannotRead: ["spec", "noSpace"],
    repeats: true,
    read: (response) => {
      const [, macaroon] = /macaroon="([^ ]+)"/.exec(header(response)) ?? [];
      const [, invoice] = /invoice="([^ ]+)"/.exec(header(response)) ?? [];
      if (!macaroon || !invoice) throw new Error("No challenge");
      return { macaroon, invoice };
    },
    show: asL402,
  },
  {
    // cnghockey/sats4ai-l402-examples: `grep -i 'www-authenticate.*L402' | grep -oP 'macaroon="\K[^"]+'` on `curl -i`.
    name: "sats4ai's curl",
    cannotRead: ["spec", "merged"],
    read: (response) => {
      const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`);
      const line = lines.filter((text) => /www-authenticate.*L402/i.test(text));
      const only = (name: string): string => {
        const hits = line.flatMap((text) => [...text.matchAll(new RegExp(`${name}="([^"]+)"`, "g"))]);
        if (hits.length !== 1) throw new Error(`${hits.length} lines of ${name}`);
        return hits[0]?.[1] ?? "";
      };
      return { macaroon: only("macaroon"), invoice: only("invoice") };
    },
    show: asL402,
  },
  {
    // Tierion/lsat-js: src/lsat.ts, caveat.ts.
    name: "lsat-js",
    cannotRead: ["spec"],
    read: (response) => {
      const parts = header(response).slice("LSAT".length).split(",");
      const values = parts.map((part) => /(\w+)="(.*)"\s*$/.exec(part));
      if (values.includes(null)) throw new Error("A value is not quoted");
      const { macaroon = "", invoice = "" } = Object.fromEntries(values.map((match) => [match?.[1], match?.[2] ?? ""]));
      const { caveats, paymentHash } = decodeL402(Buffer.from(macaroon, "base64"));
      if (caveats.some((caveat) => !/[=<>]/.test(caveat))) throw new Error("A caveat cannot be decoded");
      if (paymentHash !== hashOf(invoice)) throw new Error("Not the hash of the invoice");
      return { macaroon, invoice };
    },
    show: (challenge, preimage) => [credential("LSAT", challenge, preimage)],
  },
  {
    // sulusolutions/gol402: the retry has neither body nor headers, and the store writes the scheme twice.
    name: "gol402",
    cannotRead: ["spec"],
    dropsBody: true,
    read: (response) => {
      if (!/^(LSAT|L402)/.test(header(response))) throw new Error("First scheme is not L402");
      const [, macaroon] = /macaroon="([^"]*)"/.exec(header(response)) ?? [];
      const [, invoice] = /invoice="([^"]*)"/.exec(header(response)) ?? [];
      if (!macaroon || !invoice) throw new Error("No challenge");
      return { macaroon, invoice };
    },
    show: (challenge, preimage) => [credential("L402 L402", challenge, preimage)],
  },
  {
    // forgesworn/402-mcp: src/l402/parse.ts.
    name: "402-mcp",
    cannotRead: ["spec"],
    read: (response) => {
      const [, rest = ""] = /^(?:L402|LSAT)\s+(.+)$/.exec(header(response)) ?? [];
      const [, macaroon] = /macaroon="([^"]+)"/.exec(rest) ?? [];
      const [, invoice] = /invoice="(ln(?:bc|bcrt|tb)[a-z0-9]+)"/.exec(rest) ?? [];
      if (!macaroon || !invoice || amountOf(invoice) > 1000) throw new Error("No challenge it would pay");
      return { macaroon, invoice };
    },
    show: asL402,
  },
  {
    // ngx-l402/ngx-l402: examples/agent.py.
    name: "ngx-l402's agent",
    cannotRead: [],
    read: (response) => {
      const fields = [...header(response).matchAll(/(\w+)\s*=\s*"([^"]*)"/g)].map(([, name, value]) => [name, value]);
      const { macaroon, token, invoice } = Object.fromEntries(fields) as Record<string, string>;
      if (!(macaroon || token) || !invoice) throw new Error("No challenge");
      return { macaroon: macaroon || (token ?? ""), invoice };
    },
    show: asL402,
  },
];
