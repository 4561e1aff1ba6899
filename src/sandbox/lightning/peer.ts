/** The Lightning peer of the sandbox: the merchant's node in the protocol that was chosen, and the customer's wallet. */

import type { Accept } from "../sockets.ts";
import { ClnServer } from "./cln/peer.ts";
import { LndServer } from "./lnd/peer.ts";
import { createNetwork, type Network, type NetworkOptions, type NodeServer } from "./network.ts";
import { NwcServer } from "./nwc/peer.ts";
import { TRAMPOLINE_FEE } from "./phoenixd/payments.ts";
import { PhoenixdServer } from "./phoenixd/peer.ts";
import type { Wallet } from "./wallet.ts";

export const NODE_KINDS = ["lnd", "cln", "phoenixd", "nwc"] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

const SERVERS: Readonly<Record<NodeKind, new (network: Network) => NodeServer>> = {
  lnd: LndServer,
  cln: ClnServer,
  phoenixd: PhoenixdServer,
  nwc: NwcServer,
};
/** What sending costs, where it is not the route's. */
const FEES: Partial<Record<NodeKind, (msat: number) => number>> = { phoenixd: TRAMPOLINE_FEE };

export interface LightningPeerOptions extends NetworkOptions {
  readonly kind?: NodeKind;
  readonly routeFee?: (msat: number) => number;
}

export class LightningPeer {
  readonly kind: NodeKind;
  readonly #network: Network;
  readonly #server: NodeServer;

  /** @param routeFee what the route to the customer asks for so many msats, in msats; default: 1 sat and 0.1 %. */
  constructor({ kind = "lnd", routeFee, ...options }: LightningPeerOptions) {
    this.kind = kind;
    this.#network = createNetwork(options, routeFee ?? FEES[kind]);
    this.#server = new SERVERS[kind](this.#network);
  }

  /** The customer's wallet. */
  get wallet(): Wallet {
    return this.#network.wallet;
  }

  /** Whether calls of this path are the node's. */
  serves(path: string): boolean {
    return this.#server.serves(path);
  }

  /** For a path that is a WebSocket of the node: what becomes of the connection, or why it is refused. */
  socket(request: Request): Accept | Response | null {
    return this.#server.socket?.(request) ?? null;
  }

  /**
   * Answers one call of the node's interface.
   * @throws ConnectionReset when a fault breaks the connection; the signal's reason when the caller gave up waiting.
   */
  fetch(request: Request): Promise<Response> {
    return this.#server.fetch(request);
  }

  /** Lets go of its timers. What is in flight goes on when the books are opened again. */
  close(): void {
    this.#network.payments.close();
  }
}
