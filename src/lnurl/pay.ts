/**
 * Getting an invoice from a refund address: the pay request (LUD-06, LUD-16), then its callback with the exact amount. The invoice must be
 * for exactly that amount, commit to the request's metadata, and pass the rules of refund invoices.
 */
import type { AddressAnswer } from "../../actors/order/commands.ts";
import { type Sats, toMsats } from "../../actors/order/money.ts";
import type { Network } from "../lightning/port.ts";
import { checkRefundInvoice } from "../lightning/refund-invoice.ts";
import { sha256Hex } from "../sha256.ts";
import { payRequestUrl, publicUrl } from "./address.ts";
import { type Asking, askUrl } from "./ask.ts";

export interface AddressQuestion {
  readonly address: string;
  readonly amountSats: Sats;
  readonly maxFeeSats: Sats;
}

export interface PayerRules extends Asking {
  readonly network: Network;
  readonly ownPubkey: string;
  /** Whether the hash belongs to something of ours already. */
  readonly isTaken: (paymentHash: string) => boolean;
}

/** An invoice must live long enough to be paid, and for one or two tries. */
const MIN_LIFE_SECONDS = 150;
const MAX_METADATA = 64 * 1024;

/** Asks a refund address for an invoice of exactly the refund. Never throws. */
export async function askAddress(question: AddressQuestion, rules: PayerRules): Promise<AddressAnswer> {
  const { address, amountSats, maxFeeSats } = question;
  const url = payRequestUrl(address, rules);
  if (url === null) return refused("no_address");
  const offer = await askUrl(url, rules);
  if (offer.kind === "lost") return { kind: "unavailable", reason: offer.reason };
  const { tag, callback, minSendable, maxSendable, metadata } = offer.body;
  if (offer.body.status === "ERROR") return { kind: "unavailable", reason: "said_error" };
  if (tag !== "payRequest" || typeof callback !== "string") return refused("no_pay_request");
  if (typeof metadata !== "string" || metadata.length > MAX_METADATA) return refused("no_metadata");
  const amountMsats = toMsats(amountSats);
  if (!isCount(minSendable) || !isCount(maxSendable)) return refused("no_limits");
  if (amountMsats < minSendable || amountMsats > maxSendable) return refused("amount_out_of_range");
  const target = publicUrl(callback, rules);
  if (target === null) return refused("callback_elsewhere");
  const asked = new URL(target);
  asked.searchParams.set("amount", String(amountMsats));
  const answer = await askUrl(asked.href, rules);
  if (answer.kind === "lost") return { kind: "unavailable", reason: answer.reason };
  const { pr } = answer.body;
  if (answer.body.status === "ERROR") return { kind: "unavailable", reason: "said_error" };
  if (typeof pr !== "string") return refused("no_invoice");
  const verdict = checkRefundInvoice({
    invoice: pr,
    network: rules.network,
    now: rules.world.now(),
    minLifeSeconds: MIN_LIFE_SECONDS,
    ownPubkey: rules.ownPubkey,
    amountMsats,
    descriptionHash: sha256Hex(metadata),
    refund: { amountSats, maxFeeSats },
  });
  if (!verdict.ok) return refused("invoice_refused");
  const { invoice, paymentHash, expiresAt } = verdict;
  return rules.isTaken(paymentHash)
    ? refused("hash_taken")
    : { kind: "invoice", destination: { invoice, paymentHash, expiresAt } };
}

const refused = (reason: string): AddressAnswer => ({ kind: "refused", reason });

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
