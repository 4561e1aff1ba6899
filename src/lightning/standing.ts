/**
 * Whether the node can be sold through: it answers, is synced, and how much it could send. Renewed on a clock. One that may not pay at all
 * (a credential that may only receive, a wallet that cannot pay what refunds ask for) could send nothing: what may need a refund is not sold.
 */
import { type Sats, sats } from "../../actors/order/money.ts";
import { type Cancel, type Millis, nextTick, type World } from "../../actors/runtime/world.ts";
import { type LightningNode, type MayPay, type NodeInfo, NodeUnavailable } from "./port.ts";

const CHECK_MS = 60_000;
/** After a failed check, look again soon. */
const RETRY_MS = 5_000;
/** Rights change rarely, and some nodes log each attempt. One that may not pay is asked again with every check. */
const RIGHTS_MS = 3_600_000;
/** Without a good answer for this long, nothing is sold. */
const STALE_MS = 180_000;

type Asked = Pick<LightningNode, "info" | "balance" | "mayPay">;

export class NodeStanding {
  readonly #world: World;
  readonly #node: Asked;
  readonly #isOurs: (info: NodeInfo) => boolean;
  readonly #changed: (rights: MayPay) => void;
  #outboundSats: Sats | null = null;
  #rights: { readonly may: MayPay; readonly askedAt: Millis } | null = null;
  #checkedAt: Millis | null = null;
  #failing = false;
  #timer: Cancel | null = null;
  #stopped = true;

  /**
   * @param isOurs whether the node that answers is the one our database belongs to.
   * @param changed hears at first, and whenever it changes, whether the node may pay.
   */
  constructor(
    world: World,
    node: Asked,
    isOurs: (info: NodeInfo) => boolean,
    changed: (rights: MayPay) => void = () => {},
  ) {
    this.#world = world;
    this.#node = node;
    this.#isOurs = isOurs;
    this.#changed = changed;
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
    return this.mayPay ? this.#outboundSats : sats(0);
  }

  /** False when the node said that it would not pay for us. */
  get mayPay(): boolean {
    return this.#rights?.may.ok !== false;
  }

  get checkedAt(): Millis | null {
    return this.#checkedAt;
  }

  get ok(): boolean {
    return !this.#failing && this.#checkedAt !== null && Math.abs(this.#world.now() - this.#checkedAt) < STALE_MS;
  }

  /** A call just failed: stop selling until a check succeeds. */
  failed(): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#arm(this.#world.now() + RETRY_MS);
  }

  async #check(): Promise<void> {
    try {
      const [info, balance] = await Promise.all([this.#node.info(), this.#node.balance(), this.#askRights()]);
      this.#failing = !info.synced || !this.#isOurs(info);
      this.#outboundSats = balance.outboundSats;
      this.#checkedAt = this.#world.now();
    } catch {
      this.#failing = true;
    }
    this.#arm(this.#failing ? this.#world.now() + RETRY_MS : nextTick(this.#world.now(), CHECK_MS));
  }

  /** What cannot be asked stays as it was: the next payment will tell. */
  async #askRights(): Promise<void> {
    const now = this.#world.now();
    if (this.#rights?.may.ok && Math.abs(now - this.#rights.askedAt) < RIGHTS_MS) return;
    try {
      const may = await this.#node.mayPay();
      const before = this.#rights?.may;
      this.#rights = { may, askedAt: now };
      if (before?.ok !== may.ok && !(before === undefined && may.ok)) this.#changed(may);
    } catch (error) {
      if (!(error instanceof NodeUnavailable)) throw error;
    }
  }

  #arm(at: Millis): void {
    if (this.#stopped) return;
    this.#timer?.();
    this.#timer = this.#world.at(at, () => void this.#check());
  }
}
