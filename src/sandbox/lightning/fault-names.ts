/** The calls that can be made to fail and their faults, of all protocols that the merchant's node may speak. */
import { CLN_ACTIONS, type ClnAction, clnFaults } from "./cln/faults.ts";
import { LND_ACTIONS, type LndAction, lndFaults } from "./lnd/faults.ts";
import { NWC_ACTIONS, type NwcAction, nwcFaults } from "./nwc/faults.ts";
import { PHOENIXD_ACTIONS, type PhoenixdAction, phoenixdFaults } from "./phoenixd/faults.ts";

export const NODE_ACTIONS: readonly string[] = [
  ...new Set<string>([...LND_ACTIONS, ...CLN_ACTIONS, ...PHOENIXD_ACTIONS, ...NWC_ACTIONS]),
];

const ofLnd = (action: string): action is LndAction => (LND_ACTIONS as readonly string[]).includes(action);
const ofCln = (action: string): action is ClnAction => (CLN_ACTIONS as readonly string[]).includes(action);

const ofPhoenixd = (action: string): action is PhoenixdAction =>
  (PHOENIXD_ACTIONS as readonly string[]).includes(action);
const ofNwc = (action: string): action is NwcAction => (NWC_ACTIONS as readonly string[]).includes(action);

/** Of every protocol that has a call of this name. */
export function nodeFaults(action: string): readonly string[] {
  const known = [
    ofLnd(action) ? lndFaults(action) : [],
    ofCln(action) ? clnFaults(action) : [],
    ofPhoenixd(action) ? phoenixdFaults(action) : [],
    ofNwc(action) ? nwcFaults(action) : [],
  ];
  return [...new Set(known.flat())];
}
