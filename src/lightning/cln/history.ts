/** The payments that a Core Lightning node lists (doc/schemas/listpays.json), for whoever compares books. */
import { msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { count, hash32, isObject, type Json, malformed } from "../answers.ts";
import type { NodeHistory, Outgoing } from "../port.ts";
import { type Over, stateOf } from "./payments.ts";
import { type ClnRest, demand, msatOf } from "./rest.ts";
import { receivedSince } from "./settlements.ts";

const METHOD = "listpays";
/** The whole list comes in one answer, half a kB for each payment. */
const MAX_BYTES = 128 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

export const createHistory = (rest: ClnRest, over: Over): NodeHistory => ({
  paid: (since) => paidSince(rest, over, since),
  received: (since) => receivedSince(rest, since),
});

/** @throws NodeUnavailable */
async function paidSince(rest: ClnRest, over: Over, since: Millis): Promise<Outgoing[]> {
  const { pays } = await demand(rest, { method: METHOD, maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS });
  if (!Array.isArray(pays)) throw malformed(METHOD);
  const byHash = new Map<string, Json[]>();
  for (const entry of pays as unknown[]) {
    const hash = isObject(entry) ? hash32(entry.payment_hash) : null;
    if (!isObject(entry) || !hash) throw malformed(METHOD);
    byHash.set(hash, [...(byHash.get(hash) ?? []), entry]);
  }
  return [...byHash].flatMap(([hash, entries]) => {
    const how = { now: rest.world.now(), isOver: over.has(hash) };
    const outgoing = toOutgoing(hash, entries, how);
    return outgoing && outgoing.startedAt >= Math.floor(since / 1000) * 1000 ? [outgoing] : [];
  });
}

/** One payment per hash; its newest attempt says when it was begun. */
function toOutgoing(
  paymentHash: string,
  entries: readonly Json[],
  how: { readonly now: Millis; readonly isOver: boolean },
): Outgoing | null {
  const state = stateOf(METHOD, entries, paymentHash, how);
  const newest = entries.reduce((a, b) => ((count(a.created_at) ?? 0) >= (count(b.created_at) ?? 0) ? a : b));
  const seconds = count(newest.created_at);
  if (seconds === null) throw malformed(METHOD);
  if (state.kind === "never_sent") return null;
  const told = entries.find((entry) => entry.status === "complete") ?? newest;
  const amount = msatOf(told.amount_msat) ?? msatOf(told.amount_sent_msat) ?? 0;
  const { bolt11 } = told;
  return {
    paymentHash,
    bolt11: typeof bolt11 === "string" ? bolt11 : null,
    startedAt: seconds * 1000,
    amountMsats: msats(amount),
    state,
  };
}
