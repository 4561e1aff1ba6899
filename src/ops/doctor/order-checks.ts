/** What must hold for every single order (the invariants of the design, as far as the database can show them). Pure. */
import type { Effect, EffectKind } from "../../../actors/order/effects.ts";
import { deadline, isUnpaid, type Kind, type Order } from "../../../actors/order/state.ts";
import { differences } from "./differences.ts";
import type { Dossier, OrderRow } from "./dossier.ts";
import type { Check } from "./report.ts";

export type Report = (check: Check, problem: string) => void;

/** Replaying the events gives the stored state. */
export function checkJournal({ replayed }: Dossier, order: Order, report: Report): void {
  for (const problem of replayed.problems) report("journal", problem);
  if (replayed.order === null) {
    if (replayed.events === 0) report("journal", "No events");
    return;
  }
  // Through JSON, as the stored state went: a field that is undefined is then absent in both.
  const paths = differences(JSON.parse(JSON.stringify(replayed.order)), order);
  if (paths.length > 0) report("journal", `The events give another state: ${paths.join(", ")}`);
}

/** The columns repeat the state; a quarantined order alone was taken off the deadline queue and marked. */
export function checkColumns({ row, quarantined, replayed }: Dossier, order: Order, report: Report): void {
  const since = order.attention?.since ?? (quarantined ? row.attention_since : null);
  const expected: Omit<OrderRow, "state"> = {
    id: order.id,
    seq: order.seq,
    kind: order.state.kind,
    payment_hash: order.terms.paymentHash,
    // A payment for an order that is in neither place would find nobody. Unpaid ones of older versions are in the index.
    unindexed: isUnpaid(order) ? row.unindexed : null,
    created_at: order.terms.createdAt,
    invoice_expires_at: order.terms.invoiceExpiresAt,
    due: quarantined ? null : deadline(order),
    // Events that cannot be replayed were reported before.
    activation_id: replayed.order ? replayed.activationId : row.activation_id,
    ended_at: order.endedAt,
    attention_since: since,
  };
  const { state: _, ...found } = row;
  for (const name of differences(found, expected)) report("columns", `Column "${name}" differs from the state`);
}

const WITHOUT_DEADLINE: ReadonlySet<Kind> = new Set<Kind>(["unpaid", "lapsed", "done"]);

export function checkDeadline(order: Order, report: Report): void {
  const { state } = order;
  if (WITHOUT_DEADLINE.has(state.kind)) return;
  const due = deadline(order);
  // After the claim window nothing moves the order any more, and the ledger says so.
  if (state.kind === "refundStuck" && due === null && order.owedMsats === 0) return;
  if (due === null || !Number.isSafeInteger(due) || due <= 0) report("deadlines", `No deadline in "${state.kind}"`);
}

/** The effect whose answer the order waits for, or null when it waits for none. */
export function awaited({ id, state }: Order): { readonly kind: EffectKind; readonly key?: string } | null {
  switch (state.kind) {
    case "unpaid":
      return state.asking ? { kind: "askNode" } : null;
    case "buying":
      return state.step === "asking" ? { kind: "buy", key: `${id}:buy:${state.attempt}` } : null;
    case "buyUnknown":
      return state.step === "asking" ? { kind: "findBuy" } : null;
    case "waiting":
    case "delivered":
    case "renting":
      return state.looking === "idle" ? null : { kind: "look" };
    case "closing":
      return state.step === "pausing" ? null : { kind: state.step === "looking" ? "look" : "cancel" };
    case "finishing":
      return state.step === "pausing" ? null : { kind: state.step === "looking" ? "look" : "finish" };
    case "resolving":
      return state.step === "asking" ? { kind: "resolve", key: `${id}:resolve:${state.attempt}` } : null;
    case "refunding":
      return state.step === "paying" ? { kind: "refund", key: `${id}:refund:${state.attempt}` } : null;
    case "refundUnknown":
      return state.step === "asking" ? { kind: "findRefund" } : null;
    case "lapsed":
    case "refundStuck":
    case "done":
      return null;
  }
}

/** Effects that move money, or say whether money moved: open only while the order waits for exactly this answer. */
const MONEY: ReadonlySet<EffectKind> = new Set<EffectKind>(["buy", "refund", "findRefund"]);

export function checkEffects({ effects, quarantined }: Dossier, order: Order, report: Report): void {
  const wanted = awaited(order);
  let answered = wanted === null || quarantined;
  for (const { key, body } of effects) {
    const effect = parsed(body);
    if (!effect || effect.key !== key || !key.startsWith(`${order.id}:${effect.kind}:`)) {
      report("effects", "An open effect cannot be read");
      continue;
    }
    const isWanted = wanted?.kind === effect.kind && (wanted.key === undefined || wanted.key === key);
    answered ||= isWanted;
    if (MONEY.has(effect.kind) && !isWanted) {
      report("effects", `Effect "${effect.kind}" is open, and "${order.state.kind}" does not wait for it`);
    }
  }
  if (!answered) report("effects", `"${order.state.kind}" waits for "${wanted?.kind}", which is not under way`);
}

function parsed(body: string): Effect | null {
  try {
    return JSON.parse(body) as Effect | null;
  } catch {
    return null;
  }
}

/** Texts are erased some time after the end; until then every recorded message is there. */
export function checkMessages({ messages }: Dossier, order: Order, report: Report): void {
  const recorded = new Set(order.messageIds);
  if (recorded.size < order.messageIds.length) report("messages", "A message is recorded twice");
  if (messages.some((id) => !recorded.has(id))) report("messages", "A stored message is not recorded");
  if (order.state.kind !== "done" && messages.length < recorded.size) {
    report("messages", `${recorded.size - messages.length} of ${recorded.size} recorded messages are missing`);
  }
}

/** Money that arrived claims the refund hash for one order alone. */
export function checkClaims({ ownerOf }: Dossier, order: Order, report: Report): void {
  const { destination } = order;
  if (!destination?.claimed) return;
  const owner = ownerOf(destination.paymentHash);
  if (owner === null) report("claims", "The refund hash is not claimed");
  else if (owner !== order.id) report("claims", `The refund hash belongs to order ${owner}`);
}
