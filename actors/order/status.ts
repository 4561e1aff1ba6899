/** The 12 public words for where an order stands: a total function of its state. */
import type { Order } from "./state.ts";

export const STATUSES = [
  "pending_payment",
  "paid",
  "allocating_number",
  "waiting_for_sms",
  "code_received",
  "rent_active",
  "completed",
  "refund_pending",
  "refunded",
  "refund_failed",
  "failed",
  "expired",
] as const;
export type Status = (typeof STATUSES)[number];

export function status(order: Order): Status {
  const { state } = order;
  switch (state.kind) {
    case "unpaid":
      return order.provenAt === null ? "pending_payment" : "paid";
    case "lapsed":
      return order.provenAt === null ? "expired" : "paid";
    case "buying":
    case "buyUnknown":
      return "allocating_number";
    case "waiting":
    case "closing":
      return "waiting_for_sms";
    case "delivered":
    case "finishing":
      return "code_received";
    case "renting":
      return "rent_active";
    case "resolving":
    case "refunding":
    case "refundUnknown":
      return "refund_pending";
    case "refundStuck":
      return "refund_failed";
    case "done":
      return state.as;
  }
}

/** Statuses that will not change any more, except that `refund_failed` and `failed` may still take a destination. */
export const FINAL: ReadonlySet<Status> = new Set<Status>(["completed", "refunded", "failed", "expired"]);
