/**
 * A database belongs to one node, one provider account and one network for ever: it is bound at first boot, and anything else refuses
 * to start. "Never seen" from another node would otherwise be taken for "never paid".
 */
import type { Store } from "../actors/runtime/store.ts";
import { sleep, type World } from "../actors/runtime/world.ts";
import { type LightningNode, type Network, type NodeInfo, NodeUnavailable } from "./lightning/port.ts";

export interface Binding {
  readonly network: Network;
  readonly nodePubkey: string;
  readonly providerAccount: string;
  readonly sandbox: boolean;
}

export class WrongBinding extends Error {
  constructor(what: "mode (sandbox or not)" | "provider account" | "network" | "Lightning node") {
    // An account is known by its key, and that may be new.
    const or = what === "provider account" ? ", or rebind-provider if only the key of the same account is another" : "";
    super(`This database belongs to another ${what}; use another DATA_DIR${or}`);
    this.name = "WrongBinding";
  }
}

const FIRST_TRIES = 20;
const RETRY_MS = 500;

/**
 * Reads or makes the binding. At first boot the node must answer; afterwards the service starts without it, and sells nothing until
 * it is back.
 * @throws WrongBinding, NodeUnavailable
 */
export async function bind(
  world: World,
  store: Store,
  node: Pick<LightningNode, "info">,
  expected: { readonly providerAccount: string; readonly sandbox: boolean },
): Promise<Binding> {
  const stored = store.meta("binding");
  const bound = stored === null ? null : (JSON.parse(stored) as Binding);
  if (bound) {
    if (bound.sandbox !== expected.sandbox) throw new WrongBinding("mode (sandbox or not)");
    if (bound.providerAccount !== expected.providerAccount) throw new WrongBinding("provider account");
    const info = await node.info().catch(unavailable);
    if (info) checkNode(info, bound);
    return bound;
  }
  const info = await firstInfo(world, node);
  const binding: Binding = { network: info.network, nodePubkey: info.pubkey, ...expected };
  store.setMeta("binding", JSON.stringify(binding));
  return binding;
}

/**
 * Binds the database to another key of the same provider account; that it is the same account is the operator's word.
 * @returns whether anything changed.
 */
export function rebindProvider(store: Store, providerAccount: string): boolean {
  const stored = store.meta("binding");
  const bound = stored === null ? null : (JSON.parse(stored) as Binding);
  if (!bound || bound.providerAccount === providerAccount) return false;
  store.setMeta("binding", JSON.stringify({ ...bound, providerAccount }));
  return true;
}

/** @throws WrongBinding when the node that answers is not the one the database belongs to. */
export function checkNode(info: NodeInfo, bound: Binding): void {
  if (info.network !== bound.network) throw new WrongBinding("network");
  if (info.pubkey !== bound.nodePubkey) throw new WrongBinding("Lightning node");
}

function unavailable(error: unknown): null {
  if (error instanceof NodeUnavailable) return null;
  throw error;
}

async function firstInfo(world: World, node: Pick<LightningNode, "info">): Promise<NodeInfo> {
  for (let tries = 1; ; tries++) {
    try {
      return await node.info();
    } catch (error) {
      if (tries >= FIRST_TRIES) throw error;
      await sleep(world, RETRY_MS);
    }
  }
}
