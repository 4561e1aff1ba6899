/**
 * `macaroon`: looks into a credential, narrows one, mints the one of an order again, or revokes it. Tokens come on standard input, because
 * arguments are seen by everybody on the machine. Exit codes: 0 done, 1 not found or not ours, 2 could not run.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import type { OrderId } from "../../actors/order/terms.ts";
import { Store } from "../../actors/runtime/store.ts";
import { iso, type Millis, type World } from "../../actors/runtime/world.ts";
import { type Presented, presentedAs } from "../l402/authorization.ts";
import { encodeBase64 } from "../l402/base64.ts";
import { CAPABILITIES, type Capability, readCaveats } from "../l402/caveats.ts";
import { readCredential } from "../l402/credential.ts";
import { decodeIdentifier } from "../l402/identifier.ts";
import type { RootKeys } from "../l402/keys.ts";
import { attenuate, encodeMacaroon, type Macaroon } from "../l402/macaroon.ts";
import type { Revocations } from "../l402/revocations.ts";
import { macaroonFor } from "../orders/credential.ts";
import { openReadOnly } from "./doctor/database.ts";

export interface MacaroonOptions {
  readonly world: World;
  readonly dataDir: string;
  /** The master keys, or null when there are none yet. Only asked for when they are needed. @throws Error */
  readonly keys: () => RootKeys | null;
  readonly revocations: () => Revocations & { revoke(orderId: string): void };
  /** Everything on standard input. */
  readonly input: () => Promise<string>;
  readonly out: (line: string) => void;
}

export const MACAROON_USAGE = `Usage: macaroon inspect                     what the token on standard input is, and whether it is ours
       macaroon attenuate [--can read,cancel,refund] [--for 2h]
                                            the macaroon on standard input, narrowed; needs no key
       macaroon mint ORDER [--can ...] [--for 2h]
                                            the macaroon of an order, for a customer who lost it
       macaroon revoke ORDER                every credential of an order stops working; mint gives the new one

  --for is a length of time from now: 90s, 30m, 2h, 7d. A token may be "L402 <macaroon>:<preimage>", or the macaroon alone.

Exit code: 0 done, 1 not found or not ours, 2 could not run`;

const MAX_INPUT = 16 * 1024;

/** What is wrong with the command line or its input. */
class Wrong extends Error {}

/** @returns the exit code. */
export async function runMacaroon(args: readonly string[], options: MacaroonOptions): Promise<number> {
  const { out } = options;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { can: { type: "string" }, for: { type: "string" } },
    });
    const [verb, order, ...more] = positionals;
    const caveats = caveatsOf(values, options.world.now());
    if (more.length > 0) throw new Wrong("Too many arguments");
    switch (verb) {
      case "inspect":
        return await inspect(options);
      case "attenuate":
        if (caveats.length === 0) throw new Wrong("Nothing to narrow: give --can or --for");
        return print(out, encode(narrowed((await presented(options)).macaroon, caveats)), 0);
      case "mint":
        return mintAgain(order, caveats, options);
      case "revoke":
        return revoke(order, options);
      default:
        throw new Wrong(verb === undefined ? "What is to be done?" : `Unknown command "${verb}"`);
    }
  } catch (error) {
    if (!(error instanceof Wrong) && !(error instanceof TypeError)) throw error;
    return print(out, `${error.message}\n\n${MACAROON_USAGE}`, 2);
  }
}

function print(out: MacaroonOptions["out"], text: string, code: number): number {
  out(text);
  return code;
}

async function presented({ input }: MacaroonOptions): Promise<Presented> {
  const text = (await input()).trim();
  if (text.length > MAX_INPUT) throw new Wrong("The token is too long");
  const [first, second] = presentedAs(text.includes(":") || text === "" ? text : `${text}:`).credentials;
  if (!first || second) throw new Wrong("Standard input must hold one token");
  return first;
}

async function inspect(options: MacaroonOptions): Promise<number> {
  const { out, world } = options;
  const token = await presented(options);
  const { macaroon, preimage } = token;
  const identifier = decodeIdentifier(macaroon.identifier);
  const terms = readCaveats(macaroon.caveats);
  out(`location      ${macaroon.location === null ? "none" : printable(macaroon.location)}`);
  out(`payment hash  ${identifier?.paymentHash ?? "none: the identifier is not one of L402 version 0"}`);
  out(`key id        ${identifier?.tokenId[0] ?? "none"}`);
  for (const { id, vid } of macaroon.caveats)
    out(`caveat        ${vid === null ? withoutProof(printable(id)) : "third-party"}`);
  if (terms) {
    out(`order         ${terms.orderId}`);
    out(`may           ${terms.capabilities === "all" ? "everything" : [...terms.capabilities].join(", ")}`);
    out(`valid until   ${iso(terms.validUntil)}${terms.validUntil <= world.now() ? " (expired)" : ""}`);
  }
  out(`preimage      ${preimage === null && terms?.preimage == null ? "not shown" : "shown"}`);
  const keys = options.keys();
  if (!keys) return print(out, "verdict       unknown: there are no keys here", 1);
  const judgement = { keys, now: world.now(), revocations: options.revocations() };
  const { kind } = readCredential({ credentials: [token], malformed: false }, judgement);
  return print(out, `verdict       ${VERDICTS[kind]}`, kind === "paid" || kind === "unpaid" ? 0 : 1);
}

const VERDICTS = {
  paid: "ours, and the invoice was paid",
  unpaid: "ours, without proof of payment",
  invalid: "not ours, changed, revoked, or with a caveat that is not understood",
  none: "no credential",
} as const;

function mintAgain(order: string | undefined, caveats: readonly string[], options: MacaroonOptions): number {
  const { out, dataDir, keys, revocations } = options;
  if (order === undefined || !/^[0-9a-f]{32}$/.test(order)) throw new Wrong("Which order? Its id has 32 hex digits");
  const rootKeys = keys();
  if (!rootKeys) return print(out, "There are no keys here", 2);
  const opened = openReadOnly(dataDir);
  if (!opened.ok) return print(out, opened.problem, 2);
  try {
    const found = new Store(opened.db).order(order as OrderId);
    if (!found) return print(out, "No such order", 1);
    const [first] = presentedAs(`${macaroonFor(found, { keys: rootKeys, revocations: revocations() })}:`).credentials;
    if (!first) throw new Error("A minted macaroon cannot be read");
    return print(out, encode(narrowed(first.macaroon, caveats)), 0);
  } finally {
    opened.db.close();
  }
}

function revoke(order: string | undefined, { out, dataDir, revocations }: MacaroonOptions): number {
  if (order === undefined || !/^[0-9a-f]{32}$/.test(order)) throw new Wrong("Which order? Its id has 32 hex digits");
  // Not made here: no server would read what is written there.
  if (!existsSync(dataDir)) return print(out, `No directory "${dataDir}"`, 2);
  revocations().revoke(order);
  return print(
    out,
    `Every credential of order ${order} handed out so far is revoked; a running server knows within seconds`,
    0,
  );
}

function caveatsOf({ can, for: span }: { can?: string | undefined; for?: string | undefined }, now: Millis): string[] {
  const caveats: string[] = [];
  if (can !== undefined) {
    const names = can.split(",").map((name) => name.trim());
    const unknown = names.find((name) => !CAPABILITIES.includes(name as Capability));
    if (unknown !== undefined) throw new Wrong(`Unknown capability "${unknown}"; there are ${CAPABILITIES.join(", ")}`);
    caveats.push(`sms_capabilities=${names.join(",")}`);
  }
  if (span !== undefined) caveats.push(`sms_valid_until=${Math.floor((now + lengthOf(span)) / 1000)}`);
  return caveats;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function lengthOf(text: string): Millis {
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (!(ms > 0)) throw new Wrong(`"${text}" is no length of time; write 90s, 30m, 2h or 7d`);
  return ms;
}

/** A wider caveat than one before it makes the token worthless, so it is said here and not at the customer's first request. */
function narrowed(macaroon: Macaroon, caveats: readonly string[]): Macaroon {
  const result = caveats.reduce(attenuate, macaroon);
  if (caveats.length > 0 && !readCaveats(result.caveats)) throw new Wrong("The token is narrower than that already");
  return result;
}

const encode = (macaroon: Macaroon): string => encodeBase64(encodeMacaroon(macaroon));

/** The proof of payment may be among the caveats; whoever looks over the shoulder need not see it. */
const withoutProof = (caveat: string): string => caveat.replace(/^(preimage=).*/, "$1(shown)");

/** Bytes of a stranger's token, for a terminal. */
const printable = (bytes: Uint8Array): string =>
  new TextDecoder()
    .decode(bytes)
    .replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
