/** How orders look to who may read them. Clients poll: what they see is made once, until it would be another. */
import type { Order } from "../../actors/order/state.ts";
import type { Store, StoredMessage } from "../../actors/runtime/store.ts";
import type { Millis, World } from "../../actors/runtime/world.ts";
import { looksTheSameUntil, type OrderView, type ViewLimits, viewOf } from "./view.ts";

export interface ViewsOptions {
  readonly world: Pick<World, "now">;
  readonly store: Pick<Store, "messages">;
  readonly limits: ViewLimits;
}

export class Views {
  readonly #options: ViewsOptions;
  /** How orders looked, from and until when. */
  readonly #views = new WeakMap<Order, { readonly view: OrderView; readonly from: Millis; readonly until: Millis }>();
  /** Texts of orders that are not over, by the list of their ids: a step that brings none hands the same list on. */
  readonly #texts = new WeakMap<Order["messageIds"], readonly StoredMessage[]>();

  constructor(options: ViewsOptions) {
    this.#options = options;
  }

  /** A step makes another `Order`, so the same one looks the same until a time in it has passed, or until the texts of one that is over are erased. */
  of(order: Order): OrderView {
    const { world, limits } = this.#options;
    const now = world.now();
    const known = this.#views.get(order);
    if (known && known.from <= now && now < known.until) return known.view;
    const view = viewOf(order, this.#textsOf(order), now, limits);
    if (!isErasable(order)) this.#views.set(order, { view, from: now, until: looksTheSameUntil(order, now, limits) });
    return view;
  }

  #textsOf(order: Order): readonly StoredMessage[] {
    const { id, messageIds } = order;
    if (messageIds.length === 0) return [];
    const { store } = this.#options;
    if (isErasable(order)) return store.messages(id);
    const known = this.#texts.get(messageIds) ?? store.messages(id);
    this.#texts.set(messageIds, known);
    return known;
  }
}

/** Whether it has texts that go without a step. */
const isErasable = ({ messageIds, endedAt }: Order): boolean => messageIds.length > 0 && endedAt !== null;
