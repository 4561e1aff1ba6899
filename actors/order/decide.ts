/**
 * The order decides: a pure function from what it knows, what it is told and the time, to what happens next. The table below
 * has a rule in every cell; the types make sure of it, and `docs/lifecycle.md` is printed from it.
 */
import type { Command, CommandOf } from "./commands.ts";
import { type Decision, type Lifecycle, type Row, type Rule, Step } from "./decision.ts";
import { type Effect, lostResult } from "./effects.ts";
import { evolve } from "./evolve.ts";
import { buying, buyUnknown } from "./lifecycle/buying.ts";
import { delivered, finishing } from "./lifecycle/delivered.ts";
import { done } from "./lifecycle/done.ts";
import { refunding, refundStuck, refundUnknown } from "./lifecycle/refunding.ts";
import { renting } from "./lifecycle/renting.ts";
import { resolving } from "./lifecycle/resolving.ts";
import { lapsed, unpaid } from "./lifecycle/unpaid.ts";
import { closing, waiting } from "./lifecycle/waiting.ts";
import { type Destination, deadline, type Order } from "./state.ts";
import type { OrderId, Terms } from "./terms.ts";

export const LIFECYCLE: Lifecycle = {
  unpaid,
  lapsed,
  buying,
  buyUnknown,
  waiting,
  closing,
  delivered,
  finishing,
  renting,
  resolving,
  refunding,
  refundUnknown,
  refundStuck,
  done,
};

/** What happens when `command` reaches `order` at `now` (ms). Pure: nothing is read but the arguments. */
export function decide(order: Order, command: Command, now: number): Decision {
  const step = new Step(order, now);
  apply(step, command);
  return step.decision();
}

function apply(step: Step, command: Command): void {
  if (command.type === "EffectInterrupted") return interrupted(step, command.effect);
  if (command.type === "ClaimRefused") return claimRefused(step, command);
  if (command.type === "Due" && isStale(step, command)) return;
  const row: Row = LIFECYCLE[step.order.state.kind];
  // The table's own type pairs each command with its rule; indexing by the union loses that pairing.
  const rule = row[command.type] as Rule;
  rule.run(step, command);
}

/** The alarm was fired for a deadline that moved while it waited in the mailbox: the later one has its own. */
function isStale({ order, now }: Step, { early }: CommandOf<"Due">): boolean {
  const due = deadline(order);
  const pauses = "step" in order.state && order.state.step === "pausing";
  return due === null || (now < due && !(early && pauses));
}

/** The process died under an effect: its outcome is as unknown as if the answer had been lost. */
function interrupted(step: Step, effect: Effect): void {
  if (!isForLoose(step.order, effect)) return apply(step, lostResult(effect));
  step.emit({ type: "LooseAskedAgain" });
  step.effects.push({ ...effect, key: step.key(effect.kind) });
}

/** Nothing but this effect would ever look for the loose activation again; both are safe to ask twice. */
const isForLoose = ({ loose }: Order, effect: Effect): boolean =>
  loose !== null && (effect.kind === "release" || (effect.kind === "findBuy" && effect.last));

function claimRefused(step: Step, command: CommandOf<"ClaimRefused">): void {
  const { kind } = step.order.state;
  if (kind === "unpaid" || kind === "lapsed") return LIFECYCLE[kind].ClaimRefused.run(step, command);
  // Not the customer's doing, so nobody to refuse: the address is asked for another invoice.
  if (command.command.type === "AddressAnswered") {
    return apply(step, { ...command.command, answer: { kind: "refused", reason: "hash_taken" } });
  }
  step.refuse("REFUND_DESTINATION_TAKEN");
}

/** The first decision of an order's life. */
export function open(input: {
  readonly id: OrderId;
  readonly terms: Terms;
  readonly destination: Omit<Destination, "claimed"> | null;
  readonly refundAddress?: string | null;
  readonly now: number;
}): Pick<Decision, "order" | "events"> {
  const { id, terms, destination, refundAddress, now } = input;
  const address = refundAddress == null ? {} : { refundAddress };
  const event = { type: "Opened", id, terms, destination, ...address, at: now } as const;
  return { order: evolve(null, event), events: [event] };
}
