/** Where the search sets out from: an order that just opened, and places that take long to reach. */
import type { OrderType } from "../../../actors/order/terms.ts";
import { Life } from "../../actors/order/life.ts";
import { destination, MINUTE, OPENED_AT } from "../../actors/order/orders.ts";

export interface Place {
  readonly life: Life;
  /** The sweep of open invoices has asked the node. */
  readonly sweeping?: true;
}

const NPUB = "ab".repeat(32);

/** By name, so that a trace says where it began. A place that the rules do not lead to throws. */
export function places(type: OrderType): Map<string, () => Place> {
  const open = (to: ReturnType<typeof destination> | null) => Life.open({ type, destination: to, notifyNpub: NPUB });
  const expired = () => {
    const life = open(destination()).until(OPENED_AT + 6 * MINUTE);
    life.tell({ type: "PreimageShown" });
    return life;
  };
  const all = new Map<string, () => Place>([
    ["opened without a refund invoice", () => ({ life: open(null) })],
    ["opened", () => ({ life: open(destination()) })],
    ["opened with a short-lived refund invoice", () => ({ life: open(destination(1, OPENED_AT + 9 * MINUTE)) })],
    ["the buy's answer was lost", () => ({ life: lost(open(destination())) })],
    ["a lost buy was given up", () => ({ life: abandoned(lost(open(destination()))) })],
    ["a lost buy was given up without a refund invoice", () => ({ life: abandoned(lost(open(null))) })],
    [
      "the refund address is asked",
      () => {
        const life = open(null);
        life.tell({ type: "AddressGiven", address: "alice@wallet.example" });
        return { life: abandoned(lost(life)) };
      },
    ],
    ["a number is held", () => ({ life: open(destination()).toWaiting() })],
    [
      "a preimage was shown and the invoice lapsed",
      () => {
        const life = expired();
        life.tell({ type: "SurelyUnpaid" });
        return { life };
      },
    ],
    ["swept while a lost buy is looked for", () => ({ life: lost(expired()), sweeping: true })],
    [
      // The node was asked twice and has not answered, while its stream brought the settlement.
      "asked by preimage and by sweep, and a number is held",
      () => {
        const life = expired();
        life.settle();
        life.bought();
        return { life, sweeping: true };
      },
    ],
  ]);
  if (type === "rent-number") return all;
  // A look is under way while the time runs out: its answer comes when the order has moved on.
  const closing = () => {
    const life = open(destination()).toWaiting();
    life.tell({ type: "Hinted" });
    life.due();
    return life;
  };
  return all
    .set("the time for an SMS is over", () => ({ life: closing() }))
    .set("a cancel is under way", () => {
      const life = closing();
      life.looked("open");
      return { life };
    });
}

function lost(life: Life): Life {
  life.settle();
  life.buyLost();
  return life;
}

/** The search finds nothing until the window to buy closes. */
function abandoned(life: Life): Life {
  while (life.order.loose === null) {
    life.searched("unsure");
    if (life.order.loose === null) life.due();
  }
  return life;
}
