/**
 * Unpaid orders are rows without an actor's timer. This sweep closes them when their invoice expired: it cancels the invoice at the node,
 * because only then is it surely unpaid, or waits until the node cannot settle it any more, and tells the order what the node said.
 */
import type { Store } from "../../actors/runtime/store.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import { type Cancel, type Millis, nextTick, type World } from "../../actors/runtime/world.ts";
import { type LightningNode, NodeUnavailable } from "../lightning/port.ts";

/** An invoice may settle in its last second; the node needs a moment to say so. */
const AFTER_EXPIRY_MS = 15_000;
const MAX_SLEEP_MS = 60_000;
const MIN_SLEEP_MS = 5_000;
const SLICE = 50;

type OpenInvoice = ReturnType<Store["expiredUnpaid"]>[number];

export interface UnpaidOptions {
  readonly world: World;
  readonly store: Store;
  readonly supervisor: Supervisor;
  readonly node: Pick<LightningNode, "cancelInvoice" | "traits">;
  readonly failed: (error: unknown) => void;
}

export class UnpaidSweep {
  readonly #options: UnpaidOptions;
  #timer: Cancel | null = null;
  #stopped = true;

  constructor(options: UnpaidOptions) {
    this.#options = options;
  }

  /** How long after its expiry an invoice is asked about. */
  get #patienceMs(): number {
    return AFTER_EXPIRY_MS + this.#options.node.traits.settlesAfterExpiryMs;
  }

  start(): void {
    this.#stopped = false;
    void this.#sweep();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
  }

  /**
   * Closes an order before its invoice expires, because others need what it holds.
   * @returns whether it holds nothing any more: one that is paid at this very moment needs it all. Never rejects.
   */
  async closeEarly(id: string): Promise<boolean> {
    try {
      const order = this.#options.store.order(id);
      if (order?.state.kind !== "unpaid") return order === null || order.state.kind === "lapsed";
      return (await this.#close({ id: order.id, paymentHash: order.terms.paymentHash })) === "lapsed";
    } catch (error) {
      this.#options.failed(error);
      return false;
    }
  }

  async #sweep(): Promise<void> {
    const { world, failed } = this.#options;
    let next: Millis;
    try {
      next = this.#next(await this.#closeExpired());
    } catch (error) {
      failed(error);
      next = nextTick(world.now() + MIN_SLEEP_MS, MAX_SLEEP_MS);
    }
    if (!this.#stopped) this.#timer = world.at(next, () => void this.#sweep());
  }

  /** @returns whether every expired order left `unpaid`. Those that cannot leave now do not stand in the way of the others. */
  async #closeExpired(): Promise<boolean> {
    const { world, store } = this.#options;
    const before = world.now() - this.#patienceMs;
    let stayed = 0;
    for (;;) {
      const expired = store.expiredUnpaid(before, SLICE, stayed);
      const ends = await Promise.all(expired.map((order) => this.#close(order)));
      stayed += ends.filter((end) => end === "stays" || end === "node_silent").length;
      if (expired.length < SLICE || ends.includes("node_silent") || this.#stopped) return stayed === 0;
    }
  }

  #next(all: boolean): Millis {
    const { world, store } = this.#options;
    const now = world.now();
    const expiry = all ? store.nextUnpaidExpiry() : null;
    const wanted = expiry === null ? Number.POSITIVE_INFINITY : expiry + this.#patienceMs + 1;
    return Math.min(Math.max(wanted, now + MIN_SLEEP_MS), nextTick(now + MIN_SLEEP_MS, MAX_SLEEP_MS));
  }

  async #close({ id, paymentHash }: OpenInvoice): Promise<"lapsed" | "paid" | "stays" | "node_silent"> {
    const { node, supervisor, failed } = this.#options;
    try {
      const state = await node.cancelInvoice(paymentHash);
      if (state.kind === "open") return "stays";
      if (state.kind === "settled") {
        const { settledAt, receivedMsats } = state.settlement;
        await supervisor.tell(id, { type: "Settled", settledAt, receivedMsats });
        return "paid";
      }
      await supervisor.tell(id, { type: "SurelyUnpaid" });
      return "lapsed";
    } catch (error) {
      failed(error);
      return error instanceof NodeUnavailable ? "node_silent" : "stays";
    }
  }
}
