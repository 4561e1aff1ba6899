/** Whether the node can be sold through: it answers, is synced, and how much it could send. Renewed on a clock. */
import type { Sats } from "../../actors/order/money.ts";
import { type Cancel, type Millis, nextTick, type World } from "../../actors/runtime/world.ts";
import type { LightningNode, NodeInfo } from "./port.ts";

const CHECK_MS = 60_000;
/** After a failed check, look again soon. */
const RETRY_MS = 5_000;
/** Without a good answer for this long, nothing is sold. */
const STALE_MS = 180_000;

export class NodeStanding {
  readonly #world: World;
  readonly #node: Pick<LightningNode, "info" | "balance">;
  readonly #isOurs: (info: NodeInfo) => boolean;
  #outboundSats: Sats | null = null;
  #checkedAt: Millis | null = null;
  #failing = false;
  #timer: Cancel | null = null;
  #stopped = true;

  /** @param isOurs whether the node that answers is the one our database belongs to. */
  constructor(world: World, node: Pick<LightningNode, "info" | "balance">, isOurs: (info: NodeInfo) => boolean) {
    this.#world = world;
    this.#node = node;
    this.#isOurs = isOurs;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.#check();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
  }

  /** What our channels could send, or null when it is not known. */
  get outboundSats(): Sats | null {
    return this.#outboundSats;
  }

  get checkedAt(): Millis | null {
    return this.#checkedAt;
  }

  get ok(): boolean {
    return !this.#failing && this.#checkedAt !== null && this.#world.now() - this.#checkedAt < STALE_MS;
  }

  /** A call just failed: stop selling until a check succeeds. */
  failed(): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#arm(this.#world.now() + RETRY_MS);
  }

  async #check(): Promise<void> {
    try {
      const [info, balance] = await Promise.all([this.#node.info(), this.#node.balance()]);
      this.#failing = !info.synced || !this.#isOurs(info);
      this.#outboundSats = balance.outboundSats;
      this.#checkedAt = this.#world.now();
    } catch {
      this.#failing = true;
    }
    this.#arm(this.#failing ? this.#world.now() + RETRY_MS : nextTick(this.#world.now(), CHECK_MS));
  }

  #arm(at: Millis): void {
    if (this.#stopped) return;
    this.#timer?.();
    this.#timer = this.#world.at(at, () => void this.#check());
  }
}
