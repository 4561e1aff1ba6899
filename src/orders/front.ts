/** The desk, staffed: create with the replay and idempotency rules, read, cancel, redirect a refund (docs/architecture.md, "HTTP"). */
import type { Refusal, Reply } from "../../actors/order/decision.ts";
import { floorToSats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import { MailboxFull, Quarantined } from "../../actors/runtime/actor.ts";
import { JournalUnavailable } from "../../actors/runtime/journal.ts";
import type { Store } from "../../actors/runtime/store.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import { iso, type World } from "../../actors/runtime/world.ts";
import { challengeHeader } from "../l402/challenge.ts";
import type { RootKeys } from "../l402/keys.ts";
import type { Revocations } from "../l402/revocations.ts";
import { sha256Hex } from "../sha256.ts";
import { temporarily } from "./admission.ts";
import { macaroonFor } from "./credential.ts";
import type { Bearer, Challenge, Created, CreateInput, Eventually, OrderDesk } from "./desk.ts";
import { type DestinationRules, destinationTaken, readDestination, refundToSend } from "./destination.ts";
import type { RefundLadder, WithdrawRefused } from "./ladder.ts";
import { KEY_TAKEN, type KeyClaim, type Opening } from "./open.ts";
import { Owners } from "./owners.ts";
import { isProblem, type Problem, problem } from "./problem.ts";
import { digestOf } from "./request.ts";
import { endedLongAgo, type OrderView, type ViewLimits } from "./view.ts";
import { Views } from "./views.ts";

/** A replayed purchase of an order that ended longer ago than this means a new one. */
const REPLAY_GRACE_MS = 60_000;

export interface FrontOptions {
  readonly world: World;
  readonly supervisor: Supervisor;
  readonly store: Store;
  readonly keys: RootKeys;
  readonly revocations: Revocations;
  readonly opening: Opening;
  readonly destinations: DestinationRules;
  readonly ladder: RefundLadder;
  readonly limits: ViewLimits;
  /** News about an activation, from the webhook. */
  readonly onHint: (activationId: string) => void;
  /** A reader waits for news. */
  readonly onRead: () => void;
}

export class Front implements OrderDesk {
  readonly #options: FrontOptions;
  readonly #views: Views;
  readonly #owners: Owners;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#views = new Views(options);
    this.#owners = new Owners(options.keys);
  }

  async create(input: CreateInput): Promise<Created> {
    return guarded(async () => {
      const existing = await this.#replayed(input);
      if (existing) return existing;
      const keyClaim = claimFor(input);
      const { opening } = this.#options;
      const owner = this.#owners.of(input);
      // Twice at most: a lost claim means that the order it names exists now.
      for (let tries = 0; tries < 2; tries++) {
        const same = keyClaim && this.#sameKey(keyClaim);
        if (same) return same;
        const opened = await opening.open(input, owner, keyClaim);
        if (opened === KEY_TAKEN) continue;
        return isProblem(opened) ? opened : this.#challenge(opened);
      }
      return temporarily("The idempotency key is being used right now", 1);
    });
  }

  /** Without a promise unless the order has to be moved: clients poll, and mostly find it where it was. */
  read(bearer: Bearer): Eventually<OrderView | Problem> {
    const order = this.#find(bearer);
    if (!order) return notFound();
    const { kind } = order.state;
    if (kind === "unpaid" || kind === "lapsed") {
      return guarded(async () => this.#view(await this.#prove(order), bearer));
    }
    if (kind === "waiting" || kind === "renting") this.#options.onRead();
    return this.#view(order, bearer);
  }

  async challengeAgain(orderId: string, macaroon: string): Promise<Challenge | Problem> {
    const order = this.#options.supervisor.read(orderId as OrderId);
    if (!order || !this.#payable(order)) {
      return problem("INVALID_MACAROON", "A preimage is needed to read this order", {
        suggestion:
          "If you have not paid, its invoice has expired: open a new order. If you have, send macaroon:preimage",
      });
    }
    return this.#challenge(order, macaroon);
  }

  macaroonOf(bearer: Bearer): string | null {
    const order = this.#find(bearer);
    return order && bearer.capabilities === "all" ? macaroonFor(order, this.#options) : null;
  }

  async cancel(bearer: Bearer): Promise<OrderView | Problem> {
    return guarded(async () => {
      const order = this.#find(bearer);
      if (!order) return notFound();
      const told = await this.#options.supervisor.tell(order.id, { type: "CancelAsked" });
      return this.#answer(told.reply, told.order, bearer);
    });
  }

  async setRefundInvoice(bearer: Bearer, refundInvoice: string): Promise<OrderView | Problem> {
    return guarded(async () => {
      const order = this.#find(bearer);
      if (!order) return notFound();
      const { terms, owedMsats } = order;
      const amountSats = owedMsats > 0 ? floorToSats(owedMsats) : terms.priceSats;
      const refund = refundToSend(amountSats, terms.policy);
      const destination = readDestination(refundInvoice, this.#options.destinations, { orderId: order.id, refund });
      if (isProblem(destination)) return destination;
      const told = await this.#options.supervisor.tell(order.id, { type: "DestinationGiven", destination });
      return this.#answer(told.reply, told.order, bearer);
    });
  }

  async setRefundAddress(bearer: Bearer, refundAddress: string): Promise<OrderView | Problem> {
    return guarded(async () => {
      const order = this.#find(bearer);
      if (!order) return notFound();
      const address = this.#options.ladder.address(refundAddress);
      if (typeof address !== "string") return address;
      const told = await this.#options.supervisor.tell(order.id, { type: "AddressGiven", address });
      return this.#answer(told.reply, told.order, bearer);
    });
  }

  async refundLink(bearer: Bearer): Promise<{ order: OrderView; secret: string } | Problem> {
    return guarded(async () => {
      const order = this.#find(bearer);
      if (!order) return notFound();
      const { told, secret } = await this.#options.ladder.newLink(order);
      const view = this.#answer(told.reply, told.order, bearer);
      return isProblem(view) ? view : { order: view, secret };
    });
  }

  withdrawTerms(orderId: string, secret: string): number | WithdrawRefused {
    return this.#options.ladder.terms(orderId, secret);
  }

  async withdraw(orderId: string, secret: string, invoice: string): Promise<"taken" | WithdrawRefused> {
    const answer = await guarded(() => this.#options.ladder.use(orderId, secret, invoice));
    return typeof answer === "object" && isProblem(answer) ? { refused: answer.message } : answer;
  }

  hint(activationId: string): void {
    this.#options.onHint(activationId);
  }

  /** Credential replay, and the same invoice for a credential without its preimage. */
  async #replayed(input: CreateInput): Promise<Created | null> {
    const { bearer, unpaidBearer, request, emptyBody, idempotencyKey } = input;
    const order = bearer && this.#find(bearer);
    if (bearer && order) {
      const sameBody = emptyBody || order.terms.requestDigest === digestOf(request);
      const sameKey = idempotencyKey === null || this.#keyOwner(idempotencyKey) === order.id;
      const lives = !endedLongAgo(order, this.#options.world.now(), REPLAY_GRACE_MS);
      if (sameBody && sameKey && lives) {
        const view = await this.read(bearer);
        return isProblem(view) ? view : { kind: "existing", order: view };
      }
    }
    if (unpaidBearer && !bearer) {
      const challenge = await this.challengeAgain(unpaidBearer.orderId, unpaidBearer.macaroon);
      if (!isProblem(challenge)) return challenge;
    }
    return null;
  }

  #sameKey(claim: KeyClaim): Created | null {
    const owner = this.#options.store.claimOwner(claim.kind, claim.value);
    if (!owner) return null;
    if (owner.detail !== claim.detail) {
      return problem("IDEMPOTENCY_CONFLICT", "This Idempotency-Key was used with another request body");
    }
    const order = this.#options.supervisor.read(owner.orderId);
    if (order && this.#payable(order)) return this.#challenge(order);
    const statusUrl = `/v2/l402/order/${owner.orderId}`;
    // A shown preimage is paid too, also before the node's word: nobody is told to buy again what they paid for.
    return order?.payment || order?.provenAt != null
      ? problem("IDEMPOTENCY_CONFLICT", "The order of this Idempotency-Key is paid", {
          suggestion: "Read it with its credential",
          details: { statusUrl },
        })
      : problem("IDEMPOTENCY_CONFLICT", "The invoice of this Idempotency-Key expired", {
          suggestion: "Use a new Idempotency-Key",
        });
  }

  /** Whether its invoice may still be handed out: nobody is asked to pay one that is paid, or that is over. */
  #payable({ state, provenAt, terms }: Order): boolean {
    return state.kind === "unpaid" && provenAt === null && this.#options.world.now() < terms.invoiceExpiresAt;
  }

  #keyOwner(key: string): string | null {
    return this.#options.store.claimOwner("idempotency_key", hashOf(key))?.orderId ?? null;
  }

  /** The order of a credential, or null: unknown and foreign look the same. */
  #find(bearer: Bearer): Order | null {
    const order = this.#options.supervisor.read(bearer.orderId as OrderId);
    return order?.terms.paymentHash === bearer.paymentHash ? order : null;
  }

  /** The customer showed a preimage: paid for the reader; the node is asked for its word. */
  async #prove(order: Order): Promise<Order> {
    try {
      const told = await this.#options.supervisor.tell(order.id, { type: "PreimageShown" });
      return told.order;
    } catch (error) {
      // It can be read, not moved; a person looks into it.
      if (error instanceof Quarantined) return order;
      throw error;
    }
  }

  #answer(reply: Reply, order: Order, bearer: Bearer): OrderView | Problem {
    return reply.ok ? this.#view(order, bearer) : refusal(reply.refusal, this.#options.world.now());
  }

  #view(order: Order, { capabilities }: Bearer): OrderView {
    const view = this.#views.of(order);
    // A delegate who may not read gets no code to see: the owner's grace must not start with that.
    const seen = capabilities === "all" || capabilities.has("read");
    if (seen && view.code !== null && order.codeReadAt === null) {
      // Not awaited: losing it only keeps the number a little longer.
      this.#options.supervisor.tell(order.id, { type: "CodeRead" }).catch(() => {});
    }
    return view;
  }

  #challenge(order: Order, presented?: string): Challenge {
    const { invoice, paymentHash, priceSats, invoiceExpiresAt } = order.terms;
    const macaroon = presented ?? macaroonFor(order, this.#options);
    const header = challengeHeader(macaroon, invoice);
    const expiresAt = iso(invoiceExpiresAt);
    return { kind: "challenge", orderId: order.id, invoice, macaroon, header, priceSats, paymentHash, expiresAt };
  }
}

const hashOf = (key: string): string => sha256Hex(`idempotency:${key}`);

function claimFor({ idempotencyKey, request }: CreateInput): KeyClaim | null {
  if (idempotencyKey === null) return null;
  return { kind: "idempotency_key", value: hashOf(idempotencyKey), detail: digestOf(request) };
}

const notFound = (): Problem => problem("NOT_FOUND", "No such order");

function refusal({ code, retryAt }: Refusal, now: number): Problem {
  switch (code) {
    case "REFUND_DESTINATION_TAKEN":
      return destinationTaken();
    case "CANCEL_TOO_SOON": {
      const retryAfterSeconds = Math.max(1, Math.ceil(((retryAt ?? now) - now) / 1_000));
      return problem(code, "The order can be cancelled from 3 minutes after payment", { retryAfterSeconds });
    }
    case "CANCEL_SMS_RECEIVED":
      return problem(code, "An SMS was received: the order cannot be cancelled");
    case "CANCEL_NOT_ALLOWED":
      return problem(code, "Orders of this type cannot be cancelled");
    case "REFUND_NOT_PENDING":
      return problem(code, "No refund of this order waits for a destination");
  }
}

/** What the engine may answer instead of doing it becomes a problem to retry; nothing happened then. */
async function guarded<T>(work: () => Promise<T>): Promise<T | Problem> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof JournalUnavailable) return temporarily("Nothing can be stored right now", 5);
    if (error instanceof MailboxFull) return temporarily("This order is busy", 2);
    if (error instanceof Quarantined) return temporarily("This order is being looked into", 300);
    throw error;
  }
}
