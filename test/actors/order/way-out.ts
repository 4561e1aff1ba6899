/**
 * The ways out of any moment of a life: peers that work and a customer who cooperates lead to an end; peers that are silent for ever
 * lead to where a person sees that something waits.
 */
import type { Command } from "../../../actors/order/commands.ts";
import type { Effect } from "../../../actors/order/effects.ts";
import { msats } from "../../../actors/order/money.ts";
import { deadline } from "../../../actors/order/state.ts";
import type { Life } from "./life.ts";
import { destination, HOUR, heldNumber, PREIMAGE, SECOND, seen } from "./orders.ts";

/** An answer that brings the order forward. */
function goodAnswer(life: Life, effect: Effect): Command {
  const attempt = "attempt" in effect ? effect.attempt : 0;
  switch (effect.kind) {
    case "askNode":
      return { type: "NodeAnswered", answer: "not_settled" };
    case "buy":
      return { type: "BuyAnswered", attempt, answer: { kind: "bought", number: heldNumber(life.now, life.type) } };
    case "findBuy":
      return { type: "BuySearched", attempt, answer: { kind: "absent" } };
    case "look":
      return seen("open");
    case "cancel":
      return { type: "CancelAnswered", answer: { kind: "cancelled" } };
    case "release":
      return { type: "ReleaseAnswered", answer: { kind: "cancelled" } };
    case "finish":
      return { type: "FinishAnswered", answer: { kind: "finished" } };
    case "resolve": {
      const to = destination(700 + attempt, life.now + HOUR);
      return { type: "AddressAnswered", attempt, answer: { kind: "invoice", destination: to } };
    }
    case "refund":
      return { type: "RefundAnswered", attempt, answer: { kind: "succeeded", preimage: PREIMAGE, feeMsats: msats(0) } };
    case "findRefund":
      return { type: "RefundSearched", attempt, answer: { kind: "failed", reason: "no_route" } };
    case "notify":
      return { type: "NoticeHanded" };
  }
}

const MAX_GOOD_STEPS = 60;
/** A rental whose end is in doubt is looked at every minute until it is over. */
const MAX_SILENT_STEPS = 300;

/** Whether nothing is left to happen. */
const isOver = ({ order, pending }: Life): boolean =>
  pending.size === 0 &&
  (order.state.kind === "done" ||
    order.state.kind === "lapsed" ||
    (order.state.kind === "refundStuck" && order.state.due === null));

/** One good step. `interrupted`: keys of effects that can only be found interrupted. */
function goodStep(life: Life, interrupted: ReadonlySet<string>): void {
  const { state } = life.order;
  const [effect] = life.pending.values();
  if (effect && interrupted.has(effect.key)) life.tell({ type: "EffectInterrupted", effect }, effect);
  else if (effect) life.wait(SECOND).tell(goodAnswer(life, effect), effect);
  else if (state.kind === "unpaid") life.tell({ type: "SurelyUnpaid" });
  else if (state.kind === "refundStuck") life.give(destination(900 + life.events.length, life.now + 2 * HOUR));
  else life.due();
}

/**
 * Lives on with good answers until the end. `isKnown` may cut it short: it is asked at each step whether an end is known to follow.
 * @throws Error when no end comes.
 */
export function liveOn(
  life: Life,
  interrupted: ReadonlySet<string> = new Set(),
  isKnown: (life: Life) => boolean = () => false,
): void {
  for (let steps = 0; steps < MAX_GOOD_STEPS; steps++) {
    if (isOver(life) || isKnown(life)) return;
    goodStep(life, interrupted);
  }
  throw new Error(
    `Invariant broken: 5: no end within ${MAX_GOOD_STEPS} good steps: ${JSON.stringify(life.order.state)}`,
  );
}

/** Kinds that wait for a payment or a destination: the customer sees what is missing. */
const CUSTOMERS: ReadonlySet<string> = new Set(["unpaid", "lapsed", "refundStuck", "done"]);

/** Nobody answers any more and only the clock goes on. @throws Error when nobody would notice. */
export function waitInSilence(life: Life, isKnown: (life: Life) => boolean = () => false): void {
  for (let steps = 0; steps < MAX_SILENT_STEPS; steps++) {
    if (life.order.attention !== null || CUSTOMERS.has(life.kind) || isKnown(life)) return;
    if (deadline(life.order) === null) break;
    life.due();
  }
  throw new Error(`Invariant broken: 5: nobody notices that it waits: ${JSON.stringify(life.order.state)}`);
}
