/**
 * The ways a refund can go beside an invoice, as the application offers them: an address is checked when it is given and asked when the refund
 * starts; a link is a secret of which only the digest is kept (docs/adr, "A ladder of refund destinations").
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { floorToSats, type Sats, toMsats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import type { Told } from "../../actors/runtime/actor.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import { checkRefundInvoice } from "../lightning/refund-invoice.ts";
import { type AddressRules, payRequestUrl } from "../lnurl/address.ts";
import { sha256Hex } from "../sha256.ts";
import { type DestinationRules, isTaken, refundToSend } from "./destination.ts";
import { type Problem, problem } from "./problem.ts";

export interface LadderOptions {
  readonly supervisor: Supervisor;
  readonly destinations: DestinationRules;
  readonly addresses: AddressRules;
}

/** Why a withdrawal was not taken, in words for the wallet's screen. */
export type WithdrawRefused = { readonly refused: string };

const SECRET = /^[0-9a-f]{64}$/;
/** As for what an address gives: time for one or two tries. */
const MIN_LIFE_SECONDS = 150;
const NO_LINK: WithdrawRefused = { refused: "This link is not valid, or was used already" };

export class RefundLadder {
  readonly #options: LadderOptions;

  constructor(options: LadderOptions) {
    this.#options = options;
  }

  /** The address in the form that is kept, or why it is none. */
  address(text: string): string | Problem {
    const { addresses } = this.#options;
    if (payRequestUrl(text, addresses) !== null) return text.trim();
    return problem("INVALID_REFUND_ADDRESS", "This is no Lightning address or LNURL that a refund can be sent to", {
      suggestion: "Send a Lightning address such as name@wallet.com, or an LNURL-pay of a public HTTPS server",
      details: { field: "refundAddress" },
    });
  }

  /** Issues a link for an order that waits for a destination. @throws what the engine throws */
  async newLink(order: Order): Promise<{ readonly told: Told; readonly secret: string }> {
    const secret = bytesToHex(this.#options.destinations.world.random(32));
    const told = await this.#options.supervisor.tell(order.id, { type: "LinkAsked", secretHash: digestOf(secret) });
    return { told, secret };
  }

  /** What a link is good for, sats. Unknown orders, used links and wrong secrets are the same. */
  terms(orderId: string, secret: string): Sats | WithdrawRefused {
    const order = this.#linked(orderId, secret);
    return order ? floorToSats(order.owedMsats) : NO_LINK;
  }

  /** Pays the refund to the invoice of whoever holds the link. Resolves when that is decided, not when it is paid. */
  async use(orderId: string, secret: string, invoice: string): Promise<"taken" | WithdrawRefused> {
    const order = this.#linked(orderId, secret);
    if (!order) return NO_LINK;
    const { supervisor, destinations } = this.#options;
    const { world, network, ownPubkey, journal } = destinations;
    const amountSats = floorToSats(order.owedMsats);
    const verdict = checkRefundInvoice({
      invoice,
      network,
      now: world.now(),
      minLifeSeconds: MIN_LIFE_SECONDS,
      ownPubkey,
      amountMsats: toMsats(amountSats),
      refund: refundToSend(amountSats, order.terms.policy),
    });
    if (!verdict.ok) return { refused: verdict.message };
    if (isTaken(journal, verdict.paymentHash, order.id)) return { refused: "This invoice is already in use" };
    const { paymentHash, expiresAt } = verdict;
    const destination = { invoice: verdict.invoice, paymentHash, expiresAt };
    const { reply } = await supervisor.tell(order.id, { type: "LinkUsed", secretHash: digestOf(secret), destination });
    return reply.ok ? "taken" : NO_LINK;
  }

  #linked(orderId: string, secret: string): Order | null {
    if (!SECRET.test(secret)) return null;
    const order = this.#options.supervisor.read(orderId as OrderId);
    // Digests are compared: the time that takes tells nothing about the secret.
    return order?.withdrawLink?.secretHash === digestOf(secret) ? order : null;
  }
}

const digestOf = (secret: string): string => sha256Hex(hexToBytes(secret));
