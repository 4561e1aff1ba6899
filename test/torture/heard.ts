/**
 * What customers were told, order by order: every answer that reached one is a promise. Contradictions are noticed at once; whether the
 * final database holds all that was promised is asked by `histories.ts`.
 */
import type { Status } from "../../actors/order/status.ts";
import type { OrderType } from "../../actors/order/terms.ts";
import type { MessageView, OrderView } from "../../src/orders/view.ts";
import type { ChallengeBody } from "../support/server.ts";

/** What a customer does with an order once it is paid. */
export type Plan = "code" | "cancel" | "race" | "silent" | "vanish";

/** The part of a view that depends on the order's state alone, not on the time of reading. */
export interface Sight {
  /** When it was heard at the latest, in the time of the sandbox. */
  readonly at: number;
  readonly status: Status;
  readonly phoneNumber: string | null;
  readonly paidAt: string | null;
  readonly refund: OrderView["refund"];
  /** Messages that were shown. */
  readonly messages: number;
  /** Where the log stood when it was heard, for whom that matters. */
  readonly mark: number;
}

export interface Purchase {
  readonly orderId: string;
  readonly type: OrderType;
  readonly request: Readonly<Record<string, unknown>>;
  readonly challenge: ChallengeBody;
  readonly key: string | null;
  /** Where the log stood when it was offered. */
  readonly mark: number;
  readonly plan: Plan;
  /** Null until the wallet paid. */
  preimage: string | null;
  /** The wallet refused: the invoice was over. */
  unpayable: boolean;
  /** Changes of sight, in the order in which they were heard. */
  readonly sights: Sight[];
  /** Messages, oldest first, as they were first shown. */
  texts: readonly MessageView[];
  /** A cancel was answered 200 while the order was not over: where the log stood then. */
  cancelled: { readonly mark: number } | null;
  /** Refund invoices that were answered 200, oldest first. */
  readonly destinations: { readonly invoice: string; readonly mark: number }[];
  /** SMS that the provider took for its number. */
  sms: number;
}

const sha256 = (hex: string): string => new Bun.CryptoHasher("sha256").update(Buffer.from(hex, "hex")).digest("hex");

export class Heard {
  readonly #purchases = new Map<string, Purchase>();
  readonly #complain: (violation: string) => void;
  answers = 0;

  constructor(complain: (violation: string) => void) {
    this.#complain = complain;
  }

  get purchases(): readonly Purchase[] {
    return [...this.#purchases.values()];
  }

  /** A 402: this order exists from now on. */
  opened(purchase: Purchase): void {
    this.answers++;
    const known = this.#purchases.get(purchase.orderId);
    if (known && known.key !== purchase.key) this.#complain(`${purchase.orderId} was sold twice`);
    else this.#purchases.set(purchase.orderId, purchase);
  }

  /** A 402 to a purchase that was answered before: it must be the very same offer. */
  openedAgain({ orderId, challenge }: Purchase, again: ChallengeBody): void {
    this.answers++;
    for (const field of ["orderId", "invoice", "macaroon", "priceSats", "paymentHash", "expiresAt"] as const) {
      if (again[field] !== challenge[field])
        this.#complain(`${orderId}: another ${field} for the same Idempotency-Key`);
    }
  }

  /** A 200 that shows the order. */
  saw(purchase: Purchase, view: OrderView, { at, mark }: Pick<Sight, "at" | "mark">): void {
    this.answers++;
    const say = (what: string) => this.#complain(`${purchase.orderId} (${view.status}): ${what}`);
    if (view.orderId !== purchase.orderId) return say(`another order was shown: ${view.orderId}`);
    if (view.priceSats !== purchase.challenge.priceSats) say("the price changed");
    if (view.status === "pending_payment") say("a paid order was shown as unpaid");
    this.#texts(purchase, view, say);
    const { status, phoneNumber, paidAt, refund, messages } = view;
    const sight = { at, status, phoneNumber, paidAt, refund, messages: messages.length, mark };
    const last = purchase.sights.at(-1);
    if (!last || !sameSight(last, sight)) purchase.sights.push(sight);
    if (refund.status === "paid") this.#refunded(purchase, view, say);
    else if (last?.refund.status === "paid") say("a refund that was shown is not shown any more");
  }

  /** A text once shown stays the same until all are erased, which `histories.ts` holds against the time of its end. */
  #texts(purchase: Purchase, { status, messages, code }: OrderView, say: (what: string) => void): void {
    if (messages.length === 0) {
      if (purchase.texts.length > 0 && status !== "completed") say("messages that were shown are gone");
      return;
    }
    purchase.texts.forEach((text, index) => {
      if (!Bun.deepEquals(messages[index], text)) say(`message ${index + 1} that was shown changed or is gone`);
    });
    if (code !== (messages.findLast((message) => message.code !== null)?.code ?? null))
      say("its code is not the newest");
    purchase.texts = messages;
  }

  #refunded({ challenge }: Purchase, { refund, status }: OrderView, say: (what: string) => void): void {
    if (status !== "refunded") say("a refund is shown as paid");
    if (refund.amountSats !== challenge.priceSats) say(`${refund.amountSats} sat were refunded, not the price`);
    if (refund.preimage === null || sha256(refund.preimage) !== refund.paymentHash) say("the refund has no proof");
  }
}

const shown = ({ at: _, mark: __, ...what }: Sight) => what;
const sameSight = (a: Sight, b: Sight): boolean => Bun.deepEquals(shown(a), shown(b));
