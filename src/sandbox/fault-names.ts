/**
 * Which faults the peers know, so that a misspelt one is refused instead of never happening.
 */
import type { PeerName } from "./faults.ts";
import { FIREBASE_ACTIONS, FIREBASE_FAULTS } from "./firebase.ts";
import { NODE_ACTIONS, nodeFaults } from "./lightning/fault-names.ts";
import { ADDRESS_ACTIONS, ADDRESS_FAULTS } from "./lnurl.ts";
import { PRICE_ACTIONS, PRICE_FAULTS } from "./prices.ts";
import { CALL_FAULTS } from "./provider/misbehaviour.ts";
import { WEBHOOK_FAULTS } from "./provider/webhooks.ts";
import { RELAY_ACTIONS, RELAY_FAULTS } from "./relay.ts";

/** Faults by peer and action. A peer without a list of actions has the faults of "*" for any name of a call. */
const KNOWN: Readonly<Record<PeerName, ReadonlyMap<string, readonly string[]>>> = {
  provider: new Map([
    ["*", CALL_FAULTS],
    ["webhook", WEBHOOK_FAULTS],
  ]),
  node: byAction(NODE_ACTIONS, nodeFaults),
  prices: byAction(PRICE_ACTIONS, () => PRICE_FAULTS),
  firebase: byAction(FIREBASE_ACTIONS, () => FIREBASE_FAULTS),
  relay: byAction(RELAY_ACTIONS, () => RELAY_FAULTS),
  address: byAction(ADDRESS_ACTIONS, () => ADDRESS_FAULTS),
};

/** Why such a fault can never happen, in words for whoever planned it; null when it can. */
export function faultRefusal(peer: PeerName, action: string, fault: string): string | null {
  const actions = KNOWN[peer];
  const faults = actions.get(action) ?? (peer === "provider" ? actions.get("*") : undefined);
  if (!faults) return `"action" must be one of ${[...actions.keys()].join(", ")}`;
  return faults.includes(fault) ? null : `"fault" must be one of ${faults.join(", ")}`;
}

function byAction<T extends string>(
  actions: readonly T[],
  faultsOf: (action: T) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const all = [...new Set(actions.flatMap(faultsOf))];
  return new Map([...actions.map((action) => [action as string, faultsOf(action)] as const), ["*", all]]);
}
