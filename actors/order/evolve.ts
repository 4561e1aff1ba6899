/**
 * The fold: what each event means for the state. No rules live here, only consequences; whether something may happen was
 * decided before. Replaying all events of an order gives exactly its stored state (invariant 19).
 */
import type { OrderEvent } from "./events.ts";
import { ledgerOf } from "./ledger.ts";
import { type Msats, msats } from "./money.ts";
import type { HeldNumber, Kind, Order, StateOf } from "./state.ts";
import { numberOf } from "./state.ts";
import type { Terms } from "./terms.ts";

export function evolve(before: Order | null, event: OrderEvent): Order {
  if (event.type === "Opened") {
    if (before) throw new Error("An order opens once");
    return opened(event);
  }
  if (event.type === "Scrubbed") return event.order;
  if (!before) throw new Error(`Event ${event.type} without an order`);
  const after = apply(before, event);
  return { ...after, seq: before.seq + 1, owedMsats: owedAfter(before, event) };
}

export const replay = (events: readonly OrderEvent[]): Order | null =>
  events.reduce<Order | null>((order, event) => evolve(order, event), null);

function opened(event: OrderEvent & { type: "Opened" }): Order {
  return {
    v: 1,
    id: event.id,
    terms: event.terms,
    seq: 1,
    provenAt: null,
    payment: null,
    destination: event.destination && { ...event.destination, claimed: false },
    ...(event.refundAddress !== undefined && { refundAddress: event.refundAddress }),
    refund: null,
    refundAttempts: 0,
    messageIds: [],
    codeReceivedAt: null,
    codeReadAt: null,
    cancelAskedAt: null,
    owedMsats: msats(0),
    loose: null,
    attention: null,
    endedAt: null,
    state: { kind: "unpaid", asking: false },
  };
}

function apply(order: Order, event: OrderEvent): Order {
  const { state } = order;
  switch (event.type) {
    case "Opened":
    case "Scrubbed":
      throw new Error("Handled by evolve");
    case "PreimageShown":
      return { ...order, provenAt: event.at };
    case "NodeAsked":
      return state.kind === "unpaid" ? { ...order, state: { ...state, asking: true } } : order;
    case "NodeSilent":
      return state.kind === "unpaid" ? { ...order, state: { ...state, asking: false } } : order;
    case "Lapsed":
      return { ...order, state: { kind: "lapsed" }, endedAt: event.at };
    case "PaymentSettled": {
      const taken = event.destinationTaken;
      const destination = taken || !order.destination ? null : { ...order.destination, claimed: true };
      return { ...order, terms: withoutInvoice(order.terms), payment: event.payment, destination, endedAt: null };
    }
    case "BuyStarted":
      return {
        ...order,
        state: { kind: "buying", step: "asking", attempt: event.attempt, startedAt: event.at, due: event.due },
      };
    case "BuyRefused": {
      const buying = inKind(order, "buying", "buyUnknown");
      return {
        ...order,
        state: { kind: "buying", step: "pausing", attempt: event.attempt, startedAt: buying.startedAt, due: event.due },
      };
    }
    case "BuyLost": {
      const { startedAt } = inKind(order, "buying");
      return {
        ...order,
        state: { kind: "buyUnknown", step: "asking", attempt: event.attempt, startedAt, due: event.due },
      };
    }
    case "BuySearchPaused":
      return { ...order, state: { ...inKind(order, "buyUnknown"), step: "pausing", due: event.due } };
    case "BuySearchResumed":
      return { ...order, state: { ...inKind(order, "buyUnknown"), step: "asking", due: event.due } };
    case "BuyAbandoned":
      return { ...order, loose: { attempt: event.attempt, since: event.at, found: null } };
    case "LooseFound":
      return { ...order, loose: order.loose && { ...order.loose, found: event.number } };
    case "LooseAskedAgain":
      return order;
    case "LooseSettled":
      return { ...order, loose: null };
    case "NumberBought":
      // A doctor may find it after the order had ended without one.
      return { ...order, endedAt: null, state: withNumber(order, event.number, event.due) };
    case "LookStarted":
      return withLooking(order, "running");
    case "LookWanted":
      return withLooking(order, "again");
    case "LookEnded":
      return withLooking(order, "idle");
    case "MessagesReceived":
      return withMessages(order, event);
    case "CodeRead": {
      const read = { ...order, codeReadAt: event.at };
      return state.kind === "delivered" ? { ...read, state: { ...state, due: event.due } } : read;
    }
    case "CancelAsked":
      return { ...order, cancelAskedAt: event.at };
    case "ClosingStarted":
      return {
        ...order,
        state: {
          kind: "closing",
          why: event.why,
          number: heldNumber(order),
          step: "looking",
          since: event.at,
          tries: 1,
          tooLate: false,
          saidEnded: 0,
          due: event.due,
        },
      };
    case "ClosingStep": {
      const closing = inKind(order, "closing");
      const tries = event.step === "looking" ? closing.tries + 1 : closing.tries;
      const { step, tooLate, saidEnded, due } = event;
      return { ...order, state: { ...closing, step, tries, tooLate, saidEnded, due } };
    }
    case "WaitingResumed":
      return { ...order, state: withNumber(order, heldNumber(order), event.due) };
    case "FinishingStarted":
      return {
        ...order,
        state: { kind: "finishing", number: heldNumber(order), step: "looking", tries: 1, due: event.due },
      };
    case "FinishingStep": {
      const finishing = inKind(order, "finishing");
      const tries = event.step === "looking" ? finishing.tries + 1 : finishing.tries;
      return { ...order, state: { ...finishing, step: event.step, tries, due: event.due } };
    }
    case "RentalLookStarted":
      return { ...order, state: { ...inKind(order, "renting"), looking: "running", due: event.due } };
    case "RentalDoubted": {
      const { saidEnded, due } = event;
      return { ...order, state: { ...inKind(order, "renting"), saidEnded, due } };
    }
    case "Doubted":
      return { ...order, doubtSince: event.at };
    case "DoubtOver": {
      const { doubtSince: _, ...sure } = order;
      return sure;
    }
    case "NumberEnded":
    case "SaleKept":
    case "SaleReversed":
      return order;
    case "DestinationSet":
      return { ...withoutLink(order), destination: event.destination };
    case "AddressSet": {
      const destination = event.instead ? null : order.destination;
      const addressBase = order.addressAttempts ?? 0;
      return { ...withoutLink(order), refundAddress: event.address, addressBase, destination };
    }
    case "AddressAsked":
      return {
        ...withoutLink(order),
        addressAttempts: event.attempt,
        endedAt: null,
        state: { kind: "resolving", step: "asking", attempt: event.attempt, due: event.due },
      };
    case "AddressSilent":
      return { ...order, state: { kind: "resolving", step: "pausing", attempt: event.attempt, due: event.due } };
    case "AddressRefused":
      return order;
    case "LinkIssued":
      return { ...order, withdrawLink: { secretHash: event.secretHash, issuedAt: event.at } };
    case "RefundStarted":
      return {
        ...withoutLink(order),
        refundAttempts: event.attempt,
        endedAt: null,
        state: { kind: "refunding", step: "paying", attempt: event.attempt, due: event.due },
      };
    case "RefundAttemptFailed":
      return { ...order, state: { kind: "refunding", step: "pausing", attempt: event.attempt, due: event.due } };
    case "RefundUncertain":
      return {
        ...order,
        state: {
          kind: "refundUnknown",
          step: "asking",
          attempt: event.attempt,
          since: event.at,
          tries: 0,
          acknowledged: event.acknowledged,
          due: event.due,
        },
      };
    case "RefundSearchPaused": {
      const unknown = inKind(order, "refundUnknown");
      const { acknowledged, at, due } = event;
      // A clock that was set back counts anew from then on, instead of for hours or days not at all.
      const since = Math.min(unknown.since, at);
      return { ...order, state: { ...unknown, step: "pausing", since, tries: unknown.tries + 1, acknowledged, due } };
    }
    case "RefundSearchResumed":
      return { ...order, state: { ...inKind(order, "refundUnknown"), step: "asking", due: event.due } };
    case "RefundStuck":
      return { ...order, endedAt: null, state: { kind: "refundStuck", why: event.why, due: event.due } };
    case "RefundPaid": {
      const { amountSats, feeMsats, preimage, paymentHash } = event;
      return { ...order, refund: { amountSats, feeMsats, preimage, paymentHash, at: event.at } };
    }
    case "ClaimWindowClosed":
      return state.kind === "refundStuck" ? { ...withoutLink(order), state: { ...state, due: null } } : order;
    case "Ended":
      return { ...order, endedAt: event.at, state: { kind: "done", as: event.as, number: numberOf(order) } };
    case "AttentionRaised":
      return { ...order, attention: { since: order.attention?.since ?? event.at, reason: event.reason } };
    case "AttentionCleared":
      return { ...order, attention: null };
    case "Overdue":
      return "due" in state ? { ...order, state: { ...state, due: event.due } as Order["state"] } : order;
  }
}

/** A paid invoice was a quarter of what each later step wrote. */
const withoutInvoice = (terms: Terms): Terms => ({ ...terms, invoice: "" });

/** Another way was taken: the link that was handed out opens nothing any more. */
const withoutLink = (order: Order): Order => (order.withdrawLink ? { ...order, withdrawLink: null } : order);

function inKind<K extends Kind>(order: Order, ...kinds: K[]): StateOf<K> {
  const { state } = order;
  if (!(kinds as Kind[]).includes(state.kind)) throw new Error(`Expected ${kinds.join(" or ")}, found ${state.kind}`);
  return state as StateOf<K>;
}

function heldNumber(order: Order): HeldNumber {
  const number = numberOf(order);
  if (!number) throw new Error(`No number held in ${order.state.kind}`);
  return number;
}

function withNumber(order: Order, number: HeldNumber, due: number): Order["state"] {
  return order.terms.good.type === "rent-number"
    ? { kind: "renting", number, looking: "idle", saidEnded: 0, due }
    : { kind: "waiting", number, looking: "idle", due };
}

function withLooking(order: Order, looking: "idle" | "running" | "again"): Order {
  const { state } = order;
  return "looking" in state ? { ...order, state: { ...state, looking } } : order;
}

function withMessages(order: Order, event: OrderEvent & { type: "MessagesReceived" }): Order {
  const codeReceivedAt = event.firstCode ? event.at : order.codeReceivedAt;
  const grown = { ...order, messageIds: [...order.messageIds, ...event.ids], codeReceivedAt };
  const { state } = grown;
  if (state.kind !== "waiting" && state.kind !== "closing") return grown;
  return { ...grown, state: { kind: "delivered", number: state.number, looking: "idle", due: event.due } };
}

function owedAfter(order: Order, event: OrderEvent): Msats {
  const change = ledgerOf(order, event)
    .filter((posting) => posting.account === "owed")
    .reduce((sum, posting) => sum + posting.amount, 0);
  return msats(order.owedMsats + change);
}
