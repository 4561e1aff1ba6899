/** Nobody may reactivate a number they did not buy: a full-rights credential of an order in the same chain proves it. */
import type { Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import { sleep, type World } from "../../actors/runtime/world.ts";
import type { Bearer } from "./desk.ts";
import { type Problem, problem } from "./problem.ts";

/** A chain longer than this is not followed. */
const MAX_CHAIN = 100;
/** How long finishing the parent at the provider is waited for. */
const FINISH_WAIT_MS = 4_000;
const FINISH_STEP_MS = 100;

const notYours = (): Problem =>
  problem("INVALID_MACAROON", "A full-rights credential of the earlier order is needed", {
    suggestion: "Send the earlier order's credential in Authorization or in parentCredential",
  });

export class Ownership {
  readonly #world: World;
  readonly #supervisor: Supervisor;

  constructor(world: World, supervisor: Supervisor) {
    this.#world = world;
    this.#supervisor = supervisor;
  }

  /**
   * The earlier order, finished at the provider. Missing, foreign and unknown alike are INVALID_MACAROON; an order that has no code
   * yet is UNAVAILABLE.
   */
  async parent(orderId: string, proofs: readonly (Bearer | null)[]): Promise<Order | Problem> {
    // Before anything is looked up, so that nobody without an order of their own learns by the time whether this one exists.
    if (!proofs.some((proof) => proof?.capabilities === "all")) return notYours();
    const order = this.#read(orderId);
    const proven = proofs.some((proof) => proof !== null && this.#proves(proof, orderId));
    if (!order || !proven) return notYours();
    switch (order.state.kind) {
      case "done":
        return order;
      case "delivered":
      case "finishing":
        return this.#finished(order.id);
      // It gave its number back, and waits for days perhaps: nobody shall wait with it.
      case "resolving":
      case "refunding":
      case "refundUnknown":
      case "refundStuck":
        return problem("UNAVAILABLE", "The earlier order has no number that could be had again", {
          suggestion: "Order a new number",
          retryable: false,
        });
      case "unpaid":
      case "lapsed":
      case "buying":
      case "buyUnknown":
      case "waiting":
      case "closing":
      case "renting":
        return problem("UNAVAILABLE", "The earlier order is not finished yet", { retryAfterSeconds: 30 });
    }
  }

  async #finished(id: OrderId): Promise<Order | Problem> {
    await this.#supervisor.tell(id, { type: "FinishAsked" });
    const until = this.#world.now() + FINISH_WAIT_MS;
    for (;;) {
      const order = this.#supervisor.read(id);
      if (order?.state.kind === "done") return order;
      if (this.#world.now() >= until) {
        return problem("UNAVAILABLE", "The earlier order is being finished", { retryAfterSeconds: 5 });
      }
      await sleep(this.#world, FINISH_STEP_MS);
    }
  }

  #proves(proof: Bearer, orderId: string): boolean {
    if (proof.capabilities !== "all") return false;
    const own = this.#read(proof.orderId);
    if (!own || own.terms.paymentHash !== proof.paymentHash) return false;
    return this.#root(proof.orderId) === this.#root(orderId);
  }

  /** The first order of the chain that this number's orders form. */
  #root(orderId: string): string {
    let id = orderId;
    for (let links = 0; links < MAX_CHAIN; links++) {
      const good = this.#read(id)?.terms.good;
      if (good?.type !== "receive-sms-reactivate") return id;
      id = good.parentOrderId;
    }
    return id;
  }

  #read(orderId: string): Order | null {
    return this.#supervisor.read(orderId as OrderId);
  }
}
