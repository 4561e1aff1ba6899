/** What the payer's wallet shows. Never the service: an invoice travels. */
import type { OrderType } from "../../actors/order/terms.ts";

export const DESCRIPTIONS: Readonly<Record<OrderType, string>> = {
  "receive-sms": "SMS verification number",
  "receive-sms-reactivate": "SMS verification number, another code",
  "rent-number": "Phone number rental",
};

/** Whether an invoice at the node was made by this program, by the only thing that every kind of node keeps. */
export const isOurDescription = (description: string | null): boolean =>
  description !== null && Object.values(DESCRIPTIONS).includes(description);
