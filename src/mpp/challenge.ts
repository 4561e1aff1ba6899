/**
 * The `Payment` challenge of the Machine Payments Protocol over a Lightning invoice (draft-httpauth-payment-00, section "Challenge";
 * draft-lightning-charge-00). It carries everything that is needed to judge the credential that answers it, bound together by an HMAC,
 * so nothing is stored for it.
 */
import { encodeJson } from "./wire.ts";

/** What is to be paid, and for which order. */
export interface Charge {
  readonly orderId: string;
  /** BOLT 11, lower case. */
  readonly invoice: string;
  /** Lower-case hex. */
  readonly paymentHash: string;
  readonly amountSats: number;
  /** ISO 8601 UTC; not after the invoice's own end. */
  readonly expires: string;
}

/** The parameters of a challenge that a credential echoes. */
export interface ChallengeParameters {
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  readonly request: string;
  readonly expires: string;
}

/** BOLT 11 prefixes and the names the draft gives their networks; for others the request has none. */
const NETWORKS: readonly (readonly [prefix: RegExp, name: string])[] = [
  [/^lnbcrt/, "regtest"],
  [/^lntbs/, "signet"],
  [/^lnbc/, "mainnet"],
];

/**
 * The id that binds a challenge: base64url(HMAC-SHA256(secret, slots joined by "|")). Slots that are not used stay empty, the pipes
 * remain. A pipe inside a slot would let two challenges share an id.
 * @throws RangeError for a pipe in a slot.
 */
export function challengeId(
  secret: Uint8Array,
  slots: ChallengeParameters & { digest?: string; opaque?: string },
): string {
  const { realm, method, intent, request, expires, digest = "", opaque = "" } = slots;
  const parts = [realm, method, intent, request, expires, digest, opaque];
  if (parts.some((part) => part.includes("|"))) throw new RangeError("A slot of a challenge holds a pipe");
  return new Bun.CryptoHasher("sha256", secret).update(parts.join("|")).digest("base64url");
}

/**
 * The word of another scheme inside this header would be misread by clients that search for it. An id that holds one by chance (one in
 * 200,000) is not sent: L402 alone does.
 */
const UNLUCKY = /L402|LSAT/;

/**
 * The challenge as a `WWW-Authenticate` value, or null when it cannot be sent. Neither digest, opaque nor description are used: clients
 * do not echo them.
 */
export function paymentChallenge(secret: Uint8Array, realm: string, charge: Charge): string | null {
  const { orderId, invoice, paymentHash, amountSats, expires } = charge;
  const network = NETWORKS.find(([prefix]) => prefix.test(invoice))?.[1];
  const request = encodeJson({
    amount: String(amountSats),
    currency: "sat",
    externalId: orderId,
    methodDetails: { invoice, ...(network !== undefined && { network }), paymentHash },
  });
  const parameters = { realm, method: "lightning", intent: "charge", request, expires };
  const id = challengeId(secret, parameters);
  const header =
    `Payment id="${id}", realm="${realm}", method="lightning", intent="charge", ` +
    `request="${request}", expires="${expires}"`;
  return UNLUCKY.test(header) ? null : header;
}
