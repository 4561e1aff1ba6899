/** The orders of a run as they were last committed, and which of them a call, an activation or a hash belongs to. */
import type { Kind, Order } from "../../actors/order/state.ts";
import { numberOf } from "../../actors/order/state.ts";
import { ACTIONS, type Call } from "./calls.ts";
import type { Stage } from "./stages.ts";

export class Orders {
  readonly #byId = new Map<string, Order>();
  readonly #byActivation = new Map<string, string>();
  /** Payment hashes, and those of refunds. */
  readonly #byHash = new Map<string, string>();
  readonly #count = new Map<Kind, number>();
  /** Orders that are neither over nor wait for a person or a payment. */
  #moving = 0;

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Order | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<Order> {
    return this.#byId.values();
  }

  follow(order: Order): void {
    const before = this.#byId.get(order.id);
    this.#byId.set(order.id, order);
    if (before) this.#add(before, -1);
    else this.#byHash.set(order.terms.paymentHash, order.id);
    this.#add(order, 1);
    const number = numberOf(order) ?? order.loose?.found;
    if (number) this.#byActivation.set(number.activationId, order.id);
    if (order.destination) this.#byHash.set(order.destination.paymentHash, order.id);
  }

  /** Its row is gone: buried, or never written. */
  forget(id: string): void {
    const order = this.#byId.get(id);
    if (!order) return;
    this.#byId.delete(id);
    this.#add(order, -1);
  }

  byActivation(id: string): Order | undefined {
    return this.#byId.get(this.#byActivation.get(id) ?? "");
  }

  byHash(hash: string): Order | undefined {
    return this.#byId.get(this.#byHash.get(hash) ?? "");
  }

  /** Whether nothing moves any more without a person, a payment or a new destination. */
  get atRest(): boolean {
    return this.#moving === 0;
  }

  /** Kinds in which there is an order now. */
  stages(): Stage[] {
    return [...this.#count].filter(([, n]) => n > 0).map(([kind]) => kind);
  }

  /** Stages of the orders that a call concerns: of the one that it names, else of all that it may be made for. */
  concernedBy({ action, subject }: Call): readonly Stage[] {
    const possible = ACTIONS[action] as readonly Stage[];
    const order = subject === null ? undefined : (this.byActivation(subject) ?? this.byHash(subject));
    if (order && possible.includes(order.state.kind)) return [order.state.kind];
    return possible.filter((stage) => stage === "opening" || (this.#count.get(stage) ?? 0) > 0);
  }

  #add(order: Order, by: 1 | -1): void {
    const { kind } = order.state;
    this.#count.set(kind, (this.#count.get(kind) ?? 0) + by);
    if (moves(order)) this.#moving += by;
  }
}

/** Rests: over, waiting for its customer's destination, or visibly for a person while the node holds its refund. */
function moves({ state, attention }: Order): boolean {
  switch (state.kind) {
    case "lapsed":
    case "done":
    case "refundStuck":
      return false;
    case "refundUnknown":
      return attention === null;
    default:
      return true;
  }
}
