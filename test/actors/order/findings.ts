/** What a doctor may find out about an order, and how it is told: while nobody serves, together with the money effect that it settles. */
import type { Finding } from "../../../actors/order/commands.ts";
import { decide } from "../../../actors/order/decide.ts";
import { msats, sats } from "../../../actors/order/money.ts";
import type { Order } from "../../../actors/order/state.ts";
import type { OrderType } from "../../../actors/order/terms.ts";
import type { Life } from "./life.ts";
import { heldNumber, PREIMAGE, PRICE } from "./orders.ts";

export const proof = (changes: Partial<Extract<Finding, { kind: "refund_paid" }>> = {}): Finding => ({
  kind: "refund_paid",
  paymentHash: "77".repeat(32),
  amountSats: PRICE,
  feeMsats: msats(1_000),
  preimage: PREIMAGE,
  numberRefunded: true,
  ...changes,
});

export function findings({ destination }: Order, now: number, type: OrderType): Finding[] {
  return [
    proof(),
    proof({ ...(destination && { paymentHash: destination.paymentHash }) }),
    proof({ amountSats: sats(PRICE - 1) }),
    { kind: "number", number: heldNumber(now - 30_000, type) },
    { kind: "served" },
    { kind: "doubt" },
    { kind: "doubt_over" },
  ];
}

/** The doctor finds the process dead. An effect whose answer the order then no longer waits for is over. */
export function reconcile(life: Life, finding: Finding): void {
  const command = { type: "Reconciled", finding } as const;
  const { state } = decide(life.order, command, life.now).order;
  const settled = state.kind !== life.order.state.kind;
  const money = [...life.pending.values()].find(({ kind }) =>
    ["buy", "findBuy", "refund", "findRefund"].includes(kind),
  );
  life.tell(command, settled ? money : undefined);
  life.crash();
}
