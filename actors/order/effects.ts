/**
 * What an order asks of the world. An effect is committed before it runs, runs at most once per key, and always comes back
 * as one command; the runner never repeats it, only `decide` makes another.
 */
import type { Command, CommandOf } from "./commands.ts";
import type { Sats } from "./money.ts";
import type { Good } from "./terms.ts";

export type Effect =
  /** Ask the node whether the invoice settled. */
  | { readonly kind: "askNode"; readonly key: string; readonly paymentHash: string }
  /** Buy the number; not after `notAfter`. */
  | {
      readonly kind: "buy";
      readonly key: string;
      readonly attempt: number;
      readonly good: Good;
      readonly notAfter: number;
    }
  /** Find out whether a buy whose answer was lost happened; `last` when the customer is already served otherwise. */
  | {
      readonly kind: "findBuy";
      readonly key: string;
      readonly attempt: number;
      readonly good: Good;
      readonly last: boolean;
    }
  | { readonly kind: "look"; readonly key: string; readonly activationId: string; readonly boughtAt: number }
  | { readonly kind: "cancel"; readonly key: string; readonly activationId: string }
  | { readonly kind: "finish"; readonly key: string; readonly activationId: string }
  /** Give back a number that was found after its order had already been settled with the customer. */
  | { readonly kind: "release"; readonly key: string; readonly activationId: string }
  /** Ask the refund address for an invoice of exactly the refund. */
  | {
      readonly kind: "resolve";
      readonly key: string;
      readonly attempt: number;
      readonly address: string;
      readonly amountSats: Sats;
      readonly maxFeeSats: Sats;
    }
  | {
      readonly kind: "refund";
      readonly key: string;
      readonly attempt: number;
      readonly invoice: string;
      readonly paymentHash: string;
      readonly amountSats: Sats;
      readonly maxFeeSats: Sats;
      readonly timeoutSeconds: number;
    }
  | { readonly kind: "findRefund"; readonly key: string; readonly attempt: number; readonly paymentHash: string }
  | { readonly kind: "notify"; readonly key: string; readonly npub: string };

export type EffectKind = Effect["kind"];
export type EffectOf<K extends EffectKind> = Extract<Effect, { kind: K }>;

/**
 * Effects that move money or numbers, or say where they go. While nobody knows what was done since the books were lost, none of them may
 * be performed; the others only ask.
 */
export const CONSEQUENTIAL: ReadonlySet<EffectKind> = new Set<EffectKind>([
  "buy",
  "findBuy",
  "cancel",
  "finish",
  "release",
  "resolve",
  "refund",
]);

/** The command that each effect comes back as. */
export interface ResultOf {
  askNode: CommandOf<"Settled"> | CommandOf<"NodeAnswered">;
  buy: CommandOf<"BuyAnswered">;
  findBuy: CommandOf<"BuySearched">;
  look: CommandOf<"Looked">;
  cancel: CommandOf<"CancelAnswered">;
  finish: CommandOf<"FinishAnswered">;
  release: CommandOf<"ReleaseAnswered">;
  resolve: CommandOf<"AddressAnswered">;
  refund: CommandOf<"RefundAnswered">;
  findRefund: CommandOf<"RefundSearched">;
  notify: CommandOf<"NoticeHanded">;
}

/** The answer that an effect gives when its handler broke: nothing is known, so ask. */
export function lostResult(effect: Effect): Command {
  const reason = "handler_failed";
  switch (effect.kind) {
    case "askNode":
      return { type: "NodeAnswered", answer: "unavailable" };
    case "buy":
      return { type: "BuyAnswered", attempt: effect.attempt, answer: { kind: "unknown", reason } };
    case "findBuy":
      return { type: "BuySearched", attempt: effect.attempt, answer: { kind: "unsure", reason } };
    case "look":
      return { type: "Looked", answer: { kind: "unavailable" } };
    case "cancel":
      return { type: "CancelAnswered", answer: { kind: "unknown" } };
    case "finish":
      return { type: "FinishAnswered", answer: { kind: "unknown" } };
    case "release":
      return { type: "ReleaseAnswered", answer: { kind: "unknown" } };
    case "resolve":
      return { type: "AddressAnswered", attempt: effect.attempt, answer: { kind: "unavailable", reason } };
    case "refund":
      return { type: "RefundAnswered", attempt: effect.attempt, answer: { kind: "unknown", reason } };
    case "findRefund":
      return { type: "RefundSearched", attempt: effect.attempt, answer: { kind: "unknown", reason } };
    case "notify":
      return { type: "NoticeHanded" };
  }
}
