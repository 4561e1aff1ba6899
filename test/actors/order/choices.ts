/**
 * What may be said to an order right now: answers that fit the effects under way, the clock, the customer, and strays. Used by the
 * random lives and by the exhaustive search, so that both explore the same world.
 */
import type { Command, IncomingMessage } from "../../../actors/order/commands.ts";
import { decide } from "../../../actors/order/decide.ts";
import type { Effect } from "../../../actors/order/effects.ts";
import { microUsd, msats } from "../../../actors/order/money.ts";
import { deadline, type Order } from "../../../actors/order/state.ts";
import type { OrderType } from "../../../actors/order/terms.ts";
import { DAY, destination, HOUR, heldNumber, MINUTE, PREIMAGE, QUOTED_COST, RECEIVED, seen, sms } from "./orders.ts";

/** Something that can happen: a command, the effect it answers, and how much later. */
export interface Choice {
  readonly command: Command;
  readonly answers: Effect | null;
  readonly at: number;
}

const STANDINGS = ["open", "refunded", "finished", "ended", "missing"] as const;

/** Every answer that an effect may come back with. `n` makes message ids. */
export function answersTo(effect: Effect, now: number, type: OrderType, n: number): Command[] {
  const dear = microUsd(QUOTED_COST + 50_001);
  switch (effect.kind) {
    case "askNode":
      return [
        { type: "NodeAnswered", answer: "unavailable" },
        { type: "NodeAnswered", answer: "not_settled" },
        { type: "Settled", settledAt: now, receivedMsats: RECEIVED },
      ];
    case "buy": {
      const { attempt } = effect;
      return [
        { type: "BuyAnswered", attempt, answer: { kind: "bought", number: heldNumber(now, type) } },
        { type: "BuyAnswered", attempt, answer: { kind: "unknown", reason: "timeout" } },
        { type: "BuyAnswered", attempt, answer: { kind: "refused", reason: "no_numbers", retry: "soon" } },
        { type: "BuyAnswered", attempt, answer: { kind: "refused", reason: "rate_limited", retry: "later" } },
        { type: "BuyAnswered", attempt, answer: { kind: "refused", reason: "no_balance", retry: "never" } },
        { type: "BuyAnswered", attempt, answer: { kind: "bought", number: heldNumber(now, type, { cost: dear }) } },
      ];
    }
    case "findBuy": {
      const { attempt } = effect;
      return [
        { type: "BuySearched", attempt, answer: { kind: "unsure", reason: "not_seen_yet" } },
        { type: "BuySearched", attempt, answer: { kind: "absent" } },
        { type: "BuySearched", attempt, answer: { kind: "found", number: heldNumber(now - 30_000, type) } },
      ];
    }
    case "look":
      return [
        ...STANDINGS.map((standing) => seen(standing)),
        { type: "Looked", answer: { kind: "unavailable" } },
        seen("open", sms(`m${n}`)),
        seen("finished", sms(`m${n}`)),
        seen("open", sms("m0"), sms(`m${n}`)),
        seen("open", sms(`t${n}`, { code: null })),
      ];
    case "cancel":
    case "release": {
      const named = effect.kind === "cancel" ? "CancelAnswered" : "ReleaseAnswered";
      const late: IncomingMessage[] = [sms(`m${n}`)];
      return [
        { type: named, answer: { kind: "cancelled" } },
        { type: named, answer: { kind: "too_early", minActivationMs: 2 * MINUTE } },
        { type: named, answer: { kind: "too_early", minActivationMs: DAY } },
        { type: named, answer: { kind: "sms_arrived", messages: late } },
        { type: named, answer: { kind: "sms_arrived", messages: [] } },
        { type: named, answer: { kind: "too_late" } },
        { type: named, answer: { kind: "not_active" } },
        { type: named, answer: { kind: "unknown" } },
      ];
    }
    case "finish":
      return [
        { type: "FinishAnswered", answer: { kind: "finished" } },
        { type: "FinishAnswered", answer: { kind: "sms_arrived", messages: [sms(`m${n}`)] } },
        { type: "FinishAnswered", answer: { kind: "not_active" } },
        { type: "FinishAnswered", answer: { kind: "unknown" } },
      ];
    case "resolve": {
      const { attempt } = effect;
      const given = [now + 10 * MINUTE, now + MINUTE].map(
        (expiresAt, index): Command => ({
          type: "AddressAnswered",
          attempt,
          answer: { kind: "invoice", destination: destination(500 + 2 * attempt + index, expiresAt) },
        }),
      );
      return [
        ...given,
        { type: "AddressAnswered", attempt, answer: { kind: "refused", reason: "amount" } },
        { type: "AddressAnswered", attempt, answer: { kind: "unavailable", reason: "timeout" } },
      ];
    }
    case "refund":
    case "findRefund": {
      const named = effect.kind === "refund" ? "RefundAnswered" : "RefundSearched";
      const { attempt } = effect;
      const fees = [0, 2_000].map((fee) => msats(fee));
      return [
        ...fees.map(
          (feeMsats): Command => ({
            type: named,
            attempt,
            answer: { kind: "succeeded", preimage: PREIMAGE, feeMsats },
          }),
        ),
        { type: named, attempt, answer: { kind: "failed", reason: "no_route" } },
        { type: named, attempt, answer: { kind: "in_flight" } },
        { type: named, attempt, answer: { kind: "never_sent" } },
        { type: named, attempt, answer: { kind: "unknown", reason: "timeout" } },
      ];
    }
    case "notify":
      return [{ type: "NoticeHanded" }];
  }
}

/** What the customer, the node and the provider's webhook may say at any time. `n` makes fresh destinations. */
export function strays(order: Order, now: number, n: number): Command[] {
  const given = [destination(n, now + MINUTE), destination(n + 1, now + 2 * HOUR)].map(
    (to): Command => ({ type: "DestinationGiven", destination: to }),
  );
  const used = ["aa", "bb"].map(
    (secret): Command => ({
      type: "LinkUsed",
      secretHash: secret.repeat(32),
      destination: destination(n + 2, now + 2 * HOUR),
    }),
  );
  const said = [...given, ...used, ...nodesWord(order, now)];
  // Another order may own what a command wants to claim.
  const lost = said.filter((command) => decide(order, command, now).claims.length > 0);
  return [
    { type: "Hinted" },
    { type: "CancelAsked" },
    { type: "AddressGiven", address: "alice@wallet.example" },
    { type: "AddressGiven", address: "bob@wallet.example" },
    { type: "LinkAsked", secretHash: "aa".repeat(32) },
    { type: "CodeRead" },
    { type: "FinishAsked" },
    { type: "PreimageShown" },
    { type: "NoticeHanded" },
    { type: "Due" },
    ...said,
    ...lost.map((command): Command => ({ type: "ClaimRefused", command })),
  ];
}

/** The node repeats itself; it never says that a settled invoice is unpaid. */
export function nodesWord({ payment }: Order, now: number): Command[] {
  const settled = (settledAt: number, received: number): Command => ({
    type: "Settled",
    settledAt,
    receivedMsats: msats(received),
  });
  if (payment) return [settled(payment.settledAt, payment.receivedMsats)];
  return [
    settled(now, RECEIVED),
    settled(now - 1_000, RECEIVED + 1_999),
    settled(now - 6 * MINUTE, RECEIVED),
    settled(now, RECEIVED - 1),
    settled(now, 999),
    { type: "SurelyUnpaid" },
  ];
}

/** All that can happen next. */
export function choices(
  life: { order: Order; now: number; pending: ReadonlyMap<string, Effect>; type: OrderType },
  n: number,
): Choice[] {
  const { order, now, pending, type } = life;
  const list: Choice[] = [];
  for (const effect of pending.values()) {
    for (const command of answersTo(effect, now, type, n)) {
      list.push({ command, answers: effect, at: now });
      if (decide(order, command, now).claims.length > 0) {
        list.push({ command: { type: "ClaimRefused", command }, answers: effect, at: now });
      }
    }
    list.push({ command: { type: "EffectInterrupted", effect }, answers: effect, at: now });
  }
  const due = deadline(order);
  if (due !== null) list.push({ command: { type: "Due" }, answers: null, at: Math.max(now, due) });
  for (const command of strays(order, now, n)) list.push({ command, answers: null, at: now });
  return list;
}
