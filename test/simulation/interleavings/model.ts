/**
 * The world around one order, as small as it can be: who may say what, and when. An effect under way comes back once, with any
 * answer its peer may give, or is found interrupted after a crash; webhook, poll, customer, node and clock speak whenever they can.
 * Nothing is said that the engine could not deliver: that is what makes an "impossible" cell of the lifecycle table mean something.
 */
import type { Command } from "../../../actors/order/commands.ts";
import { decide } from "../../../actors/order/decide.ts";
import type { Effect } from "../../../actors/order/effects.ts";
import { deadline, type Kind, numberOf, type Order } from "../../../actors/order/state.ts";
import { answersTo, nodesWord } from "../../actors/order/choices.ts";
import type { Life } from "../../actors/order/life.ts";
import { destination, HOUR, MINUTE, SECOND } from "../../actors/order/orders.ts";

export interface Moment {
  readonly life: Life;
  /** Keys of effects whose process died: they come back as interrupted, and in no other way. */
  readonly orphans: ReadonlySet<string>;
  /** The sweep of open invoices has asked the node to cancel this one, and has no answer yet. */
  readonly sweeping: boolean;
}

export type Happening =
  | {
      readonly kind: "told";
      readonly who: Teller;
      readonly command: Command;
      /** The effect that comes back with it. */
      readonly answers: Effect | null;
      readonly at: number;
      readonly endsSweep: boolean;
    }
  /** The process dies; what was under way is lost. */
  | { readonly kind: "crash" }
  /** The sweep asks the node about the expired invoice. */
  | { readonly kind: "sweep" }
  /** Nothing happens until a limit of time has passed. */
  | { readonly kind: "time"; readonly at: number };

export type Teller = "provider" | "node" | "customer" | "hint" | "deadline" | "start" | "claim";

/** The invoice is swept this long after its expiry (`orders/unpaid.ts`). */
const SWEEP_AFTER_MS = 15 * SECOND;
/** More looks than this are not left unanswered: each ends within its time limit. */
export const MAX_LOOKS = 2;

const ADDRESS = "alice@wallet.example";
const LINK = "aa".repeat(32);

/** Where an address is asked at once, or refused. */
const ANSWERS_ADDRESS: ReadonlySet<Kind> = new Set([
  "delivered",
  "finishing",
  "renting",
  "resolving",
  "refunding",
  "refundUnknown",
  "refundStuck",
  "done",
]);

const NODE_EFFECTS: ReadonlySet<Effect["kind"]> = new Set(["askNode", "refund", "findRefund"]);

/** Everything that can happen next. `n` makes fresh message ids and destinations. */
export function happenings(moment: Moment, n: number): Happening[] {
  const { life, orphans, sweeping } = moment;
  const { order, now, pending, type } = life;
  const list: Happening[] = [];
  const told = (who: Teller, command: Command, more: { answers?: Effect; at?: number; endsSweep?: true } = {}) =>
    list.push({
      kind: "told",
      who,
      command,
      answers: more.answers ?? null,
      at: more.at ?? now,
      endsSweep: more.endsSweep ?? false,
    });

  for (const effect of pending.values()) {
    if (orphans.has(effect.key)) {
      told("start", { type: "EffectInterrupted", effect }, { answers: effect });
      continue;
    }
    const who = NODE_EFFECTS.has(effect.kind) ? "node" : "provider";
    for (const command of answersTo(effect, now, type, n)) {
      told(who, command, { answers: effect });
      // What the world handed out may be another order's.
      if (decide(order, command, now).claims.length > 0) {
        told("claim", { type: "ClaimRefused", command }, { answers: effect });
      }
    }
  }
  if ([...pending.keys()].some((key) => !orphans.has(key)) || sweeping) list.push({ kind: "crash" });

  const due = deadline(order);
  if (due !== null) told("deadline", { type: "Due" }, { at: Math.max(now, due) });
  // The clock was set back, or the deadline moved while its alarm waited: nothing comes of it.
  if (due !== null && due > now) told("deadline", { type: "Due" });
  const limit = limits(order)
    .filter((time) => time > now)
    .sort((a, b) => a - b)[0];
  if (limit !== undefined) list.push({ kind: "time", at: limit });

  const said = [...customersWord(order, now, n), ...nodesWord(order, now).filter(isSettled)];
  for (const command of said) told(command.type === "Settled" ? "node" : "customer", command);
  if (wasHeld(life)) told("hint", { type: "Hinted" });
  // Another order may own what a command wants to claim.
  for (const command of said) {
    if (decide(order, command, now).claims.length > 0) told("claim", { type: "ClaimRefused", command });
  }

  if (sweeping) told("node", { type: "SurelyUnpaid" }, { endsSweep: true });
  else if (order.state.kind === "unpaid" && now >= order.terms.invoiceExpiresAt + SWEEP_AFTER_MS)
    list.push({ kind: "sweep" });
  return list;
}

const isSettled = ({ type }: Command): boolean => type === "Settled";

/** Provider and webhook know an activation only once it was bought or found. */
const wasHeld = ({ events }: Life): boolean =>
  events.some(({ type }) => type === "NumberBought" || type === "LooseFound");

/** What the API lets a customer say. A reader learns of the state a moment before the order does, so that some of it comes late. */
function customersWord(
  { codeReceivedAt, messageIds, terms, destination: known, refundAddress, state }: Order,
  now: number,
  n: number,
): Command[] {
  const given = [destination(n, now + MINUTE), destination(n + 1, now + 2 * HOUR)];
  if (known) given.push({ invoice: known.invoice, paymentHash: known.paymentHash, expiresAt: known.expiresAt });
  const [, lasting = destination(n)] = given;
  return [
    ...given.map((to): Command => ({ type: "DestinationGiven", destination: to })),
    // Before the refund an address beside an invoice changes nothing yet.
    ...(known === null || ANSWERS_ADDRESS.has(state.kind)
      ? [{ type: "AddressGiven", address: refundAddress ?? ADDRESS } as const]
      : []),
    // Another one: it matters only where one was given.
    ...(refundAddress === ADDRESS ? [{ type: "AddressGiven", address: "bob@wallet.example" } as const] : []),
    { type: "LinkAsked", secretHash: LINK },
    ...[LINK, "bb".repeat(32)].map((secretHash): Command => ({ type: "LinkUsed", secretHash, destination: lasting })),
    { type: "PreimageShown" },
    { type: "CancelAsked" },
    ...(codeReceivedAt !== null ? [{ type: "CodeRead" } as const] : []),
    ...(messageIds.length > 0 && terms.good.type !== "rent-number" ? [{ type: "FinishAsked" } as const] : []),
  ];
}

/** Times after which the rules answer differently. */
export function limits({ state, payment, terms, destination: to, ...order }: Order): number[] {
  const number = numberOf({ state, payment, terms, destination: to, ...order });
  const { policy } = terms;
  return [
    ...(payment ? [] : [terms.invoiceExpiresAt + SWEEP_AFTER_MS]),
    ...(payment ? [payment.settledAt + policy.cancelAfterMs, payment.buyBy, payment.smsBy] : []),
    ...(number
      ? [
          number.boughtAt + policy.minActivationMs,
          number.endsAt - policy.endMarginMs,
          number.endsAt,
          number.endsAt + HOUR + 1,
        ]
      : []),
    ...(to && state.kind !== "done" ? [to.expiresAt - policy.refundPayTimeoutMs - 30 * SECOND] : []),
    ...(state.kind === "refundUnknown" ? [state.since + 2 * MINUTE, state.since + HOUR + 1] : []),
    ...(state.kind === "refundStuck" && state.due !== null ? [state.due] : []),
  ];
}

export interface After {
  readonly moment: Moment;
  /** The order did something: an event, an effect or a refusal. */
  readonly acted: boolean;
}

/** The moment after. The life checks every invariant that can be seen in one step, and throws. */
export function after({ life: before, orphans, sweeping }: Moment, happening: Happening): After {
  const life = before.fork();
  switch (happening.kind) {
    case "crash":
      return { moment: { life, orphans: new Set(life.pending.keys()), sweeping: false }, acted: false };
    case "sweep":
      return { moment: { life, orphans, sweeping: true }, acted: false };
    case "time":
      return { moment: { life: life.until(happening.at), orphans, sweeping }, acted: false };
    case "told": {
      const { command, answers, at, endsSweep } = happening;
      const { events, effects, reply } = life.until(at).tell(command, answers ?? undefined);
      const orphan = answers !== null && orphans.has(answers.key);
      const left = orphan ? new Set([...orphans].filter((key) => key !== answers.key)) : orphans;
      const acted = events.length + effects.length > 0 || !reply.ok;
      return { moment: { life, orphans: left, sweeping: sweeping && !endsSweep }, acted };
    }
  }
}

/** One step of a trace, in words. */
export function describe(happening: Happening): string {
  switch (happening.kind) {
    case "crash":
      return "crash";
    case "sweep":
      return "sweep asks the node";
    case "time":
      return "time passes";
    case "told": {
      const { who, command } = happening;
      const inner = command.type === "ClaimRefused" ? command.command : command;
      const answer = "answer" in inner ? (typeof inner.answer === "string" ? inner.answer : inner.answer.kind) : "";
      const standing = inner.type === "Looked" && inner.answer.kind === "seen" ? ` ${inner.answer.standing}` : "";
      const messages =
        "answer" in inner && typeof inner.answer === "object" && "messages" in inner.answer
          ? ` ${inner.answer.messages.length} messages`
          : "";
      const effect = inner.type === "EffectInterrupted" ? ` ${inner.effect.kind}` : "";
      return `${who}: ${command.type}${effect}${answer && ` ${answer}`}${standing}${messages}`;
    }
  }
}
