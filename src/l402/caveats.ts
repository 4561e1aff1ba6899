/**
 * The caveats of our macaroons and what they mean. Form and repetition rules are aperture's (l402/caveat.go,
 * l402/satisfier.go): `condition=value`, split at the first "=", and a repeated condition may only narrow.
 *
 * aperture skips conditions it does not know. Here they refuse: whoever added one meant to restrict the token, and a
 * restriction that nobody enforces is none.
 */
import type { Millis } from "../../actors/runtime/world.ts";
import type { Caveat } from "./macaroon.ts";

/** The service name all conditions are built from. */
const SERVICE = "sms";
/** Name and tier, as aperture writes them. There is one tier. */
const SERVICE_TIER = `${SERVICE}:0`;

export const CAPABILITIES = ["read", "cancel", "refund", "extend"] as const;
export type Capability = (typeof CAPABILITIES)[number];
/** What a credential may do: everything, or only what is listed. */
export type Rights = ReadonlySet<Capability> | "all";

/** What a macaroon grants once all its caveats are read. */
export interface Terms {
  readonly orderId: string;
  /** From this time on the macaroon is expired. */
  readonly validUntil: Millis;
  readonly capabilities: Rights;
  /** Lower-case hex, from a `preimage=` caveat: lnget and aperture's client put the proof of payment there. */
  readonly preimage: string | null;
}

/** The caveats every macaroon is minted with: full rights to one order until a time. */
export function mintedCaveats(orderId: string, validUntil: Millis): string[] {
  // Whole seconds on the wire; rounded up, so that the promise made to the order is kept.
  const seconds = Math.ceil(validUntil / 1000);
  return [`services=${SERVICE_TIER}`, `order=${orderId}`, `${SERVICE}_valid_until=${seconds}`];
}

/** @returns null when any caveat is third-party, unknown, malformed, or wider than one before it. */
export function readCaveats(caveats: readonly Caveat[]): Terms | null {
  let service = false;
  let orderId: string | null = null;
  let validUntil: Millis | null = null;
  let capabilities: Rights = "all";
  let preimage: string | null = null;
  for (const caveat of caveats) {
    const [condition, value] = split(caveat);
    switch (condition) {
      case "services":
        // One service with one tier: narrowing leaves nothing to choose.
        if (value.split(",").some((entry) => entry !== SERVICE_TIER)) return null;
        service = true;
        break;
      case "order":
        if (value === "" || (orderId !== null && orderId !== value)) return null;
        orderId = value;
        break;
      case `${SERVICE}_valid_until`: {
        const until = /^\d{1,12}$/.test(value) ? Number(value) * 1000 : null;
        if (until === null || (validUntil !== null && until > validUntil)) return null;
        validUntil = until;
        break;
      }
      case `${SERVICE}_capabilities`: {
        const narrowed = narrow(capabilities, value);
        if (!narrowed) return null;
        capabilities = narrowed;
        break;
      }
      case "preimage":
        if (!/^[0-9a-f]{64}$/i.test(value)) return null;
        if (preimage !== null && preimage !== value.toLowerCase()) return null;
        preimage = value.toLowerCase();
        break;
      default:
        return null;
    }
  }
  if (!service || orderId === null || validUntil === null) return null;
  return { orderId, validUntil, capabilities, preimage };
}

export function allows(rights: Rights, capability: Capability): boolean {
  return rights === "all" || rights.has(capability);
}

function split(caveat: Caveat): [condition: string | null, value: string] {
  const text = caveat.vid === null ? utf8(caveat.id) : null;
  const at = text?.indexOf("=") ?? -1;
  return text === null || at < 0 ? [null, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** A complete list takes nothing away: it is "all". */
function narrow(rights: Rights, value: string): Rights | null {
  const narrowed = new Set<Capability>();
  for (const name of value.split(",")) {
    const capability = CAPABILITIES.find((known) => known === name);
    if (!capability || !allows(rights, capability)) return null;
    narrowed.add(capability);
  }
  return narrowed.size === CAPABILITIES.length ? "all" : narrowed;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}
