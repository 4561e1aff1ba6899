/**
 * Opening an order: interpret, offer, price, reserve, ask the node for an invoice, then one commit. Everything that can be refused is
 * refused before an invoice exists.
 */
import { open as decideOpen } from "../../actors/order/decide.ts";
import type { Claim } from "../../actors/order/decision.ts";
import type { MicroUsd, Sats } from "../../actors/order/money.ts";
import type { Policy } from "../../actors/order/policy.ts";
import type { Order } from "../../actors/order/state.ts";
import type { Good, OrderId, Terms } from "../../actors/order/terms.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import type { World } from "../../actors/runtime/world.ts";
import { type LightningNode, NodeUnavailable } from "../lightning/port.ts";
import { type Multiplier, quoteSats } from "../pricing/quote.ts";
import type { RateBook } from "../pricing/rate.ts";
import { ProviderUnavailable } from "../provider/port.ts";
import { type Admission, temporarily } from "./admission.ts";
import { DESCRIPTIONS } from "./descriptions.ts";
import type { CreateInput } from "./desk.ts";
import { type DestinationRules, readDestination, refundToSend } from "./destination.ts";
import type { Owner } from "./holders.ts";
import type { RefundLadder } from "./ladder.ts";
import { type OfferSources, offerReactivation, offerRental, offerSms, price } from "./offer.ts";
import { newOrderId } from "./order-id.ts";
import type { Ownership } from "./ownership.ts";
import type { Patience } from "./patience.ts";
import { isProblem, type Problem } from "./problem.ts";
import { interpret, type Names, type Wanted } from "./request.ts";

export interface OpeningOptions {
  readonly world: World;
  readonly supervisor: Supervisor;
  readonly node: LightningNode;
  readonly names: Names;
  readonly offers: OfferSources;
  readonly admission: Admission;
  /** Whether a good is not sold to a client now, although others may have it. */
  readonly patience: Pick<Patience, "refusal">;
  readonly destinations: DestinationRules;
  readonly ladder: RefundLadder;
  readonly ownership: Ownership;
  readonly rates: Pick<RateBook, "current">;
  readonly multiplier: Multiplier;
  readonly policy: Policy;
}

/** The hashed idempotency key, with the digest of its request. */
export type KeyClaim = Claim & { readonly detail: string };

/** A claim on an idempotency key was lost: somebody opened an order with it meanwhile. */
export const KEY_TAKEN = "key_taken";

export class Opening {
  readonly #options: OpeningOptions;

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /** Opens one order, or says why not. */
  async open(input: CreateInput, owner: Owner, keyClaim: KeyClaim | null): Promise<Order | Problem | typeof KEY_TAKEN> {
    const { admission } = this.#options;
    const leave = admission.enter(owner);
    if (typeof leave !== "function") return leave;
    try {
      return await this.#admitted(input, owner, keyClaim);
    } catch (error) {
      if (error instanceof ProviderUnavailable) return temporarily("The number provider did not answer", 10);
      if (!(error instanceof NodeUnavailable)) throw error;
      admission.nodeFailed();
      return temporarily("The Lightning node did not answer", 10);
    } finally {
      leave();
    }
  }

  async #admitted(
    input: CreateInput,
    owner: Owner,
    keyClaim: KeyClaim | null,
  ): Promise<Order | Problem | typeof KEY_TAKEN> {
    const { names, destinations, admission, world } = this.#options;
    const wanted = interpret(input.request, names);
    if (isProblem(wanted)) return wanted;
    const destination = wanted.refundInvoice === null ? null : readDestination(wanted.refundInvoice, destinations);
    if (destination && isProblem(destination)) return destination;
    const refundAddress = wanted.refundAddress === null ? null : this.#options.ladder.address(wanted.refundAddress);
    if (refundAddress !== null && typeof refundAddress !== "string") return refundAddress;
    const parent = wanted.type === "receive-sms-reactivate" ? await this.#parent(wanted, input) : null;
    if (parent && isProblem(parent)) return parent;
    const peers = admission.peers();
    if (peers) return peers;
    const good = await this.#offer(wanted, parent);
    if (isProblem(good)) return good;
    const impatience = this.#options.patience.refusal(owner.client, good);
    if (impatience) return impatience;
    // Asked anew: the rate may have moved while the provider was asked.
    const priceSats = this.#price(good, wanted);
    if (typeof priceSats !== "number") return priceSats;
    const refund = refundToSend(priceSats, this.#options.policy);
    const tooDear =
      wanted.refundInvoice === null ? null : readDestination(wanted.refundInvoice, destinations, { refund });
    if (tooDear && isProblem(tooDear)) return tooDear;
    const release = await admission.reserve(owner, good, priceSats);
    if (typeof release !== "function") return release;
    try {
      const id = newOrderId(world);
      const terms = await this.#terms(id, good, priceSats, wanted);
      const opened = decideOpen({ id, terms, destination, refundAddress, now: world.now() });
      const order = await this.#commit(opened, owner.client, keyClaim);
      if (order !== KEY_TAKEN) admission.opened(order, owner);
      return order;
    } finally {
      release();
    }
  }

  #parent(wanted: Wanted, input: CreateInput): Promise<Order | Problem> {
    return this.#options.ownership.parent(wanted.parentOrderId, [input.parent, input.bearer]);
  }

  async #offer(wanted: Wanted, parent: Order | null): Promise<Good | Problem> {
    const { offers, world, rates, multiplier } = this.#options;
    if (parent) return offerReactivation(parent, world.now(), offers);
    const rate = rates.current();
    if (!rate) return noRate();
    const { maxPriceSats } = wanted;
    const affordable = (cost: MicroUsd): boolean =>
      maxPriceSats === null || quoteSats(cost, rate.cents, multiplier) <= maxPriceSats;
    return (wanted.type === "rent-number" ? offerRental : offerSms)(wanted, affordable, offers);
  }

  #price(good: Good, wanted: Wanted): Sats | Problem {
    const { rates, multiplier } = this.#options;
    const rate = rates.current();
    if (!rate) return noRate();
    return price(good.maxCost, rate.cents, multiplier, wanted.maxPriceSats);
  }

  async #terms(id: OrderId, good: Good, priceSats: Sats, wanted: Wanted): Promise<Terms> {
    const { world, node, policy, destinations } = this.#options;
    const createdAt = world.now();
    const invoice = await node.createInvoice({
      key: id,
      amountSats: priceSats,
      description: DESCRIPTIONS[good.type],
      expirySeconds: policy.invoiceExpiryMs / 1_000,
    });
    return {
      good,
      priceSats,
      createdAt,
      invoice: invoice.bolt11,
      paymentHash: invoice.paymentHash,
      invoiceExpiresAt: createdAt + policy.invoiceExpiryMs,
      node: destinations.ownPubkey,
      notifyNpub: wanted.notifyNpub,
      requestDigest: wanted.digest,
      policy,
    };
  }

  async #commit(
    opened: ReturnType<typeof decideOpen>,
    client: string,
    keyClaim: KeyClaim | null,
  ): Promise<Order | typeof KEY_TAKEN> {
    const nothing = { postings: [], effects: [], messages: [] };
    const claims = keyClaim ? [keyClaim] : [];
    const result = await this.#options.supervisor.open({
      before: null,
      ...opened,
      ...nothing,
      claims,
      openedBy: client,
    });
    if (result.kind === "claim_lost") return KEY_TAKEN;
    if (result.kind === "refused") throw result.error;
    return opened.order;
  }
}

const noRate = (): Problem => temporarily("No current bitcoin price is known", 30);
