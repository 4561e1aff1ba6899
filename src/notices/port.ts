/**
 * What the service asks of whatever tells a customer that something happened. A notice is a courtesy: it never slows or
 * fails an order, and it never carries what was bought.
 */

export interface Notifier {
  /**
   * Queues a notice "Code received for order ..." to a recipient. Returns at once and never throws, whatever the
   * recipient is; notices that cannot be delivered are dropped.
   */
  codeReceived(orderId: string, npub: string): void;
  /** Ends the notice under way, forgets the others, and takes no more. */
  stop(): Promise<void>;
  /** Notices that wait or are under way. */
  pending(): number;
}

/**
 * How a notice ended. `no_relays`: the recipient names no usable relay for private messages. `failed`: no relay took it
 * in any attempt. `expired`: its time ran out while it waited. `dropped`: the queue was full, or the notifier stopped.
 */
export const NOTICE_OUTCOMES = ["sent", "no_relays", "bad_recipient", "failed", "expired", "dropped"] as const;
export type NoticeOutcome = (typeof NOTICE_OUTCOMES)[number];
