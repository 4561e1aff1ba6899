/** The Lightning peer of the sandbox: the merchant's node in the protocol that was chosen, and the customer's wallet. */
import { ClnServer } from "./cln/peer.ts";
import { LndServer } from "./lnd/peer.ts";
import { createNetwork, type Network, type NetworkOptions, type NodeServer } from "./network.ts";
import type { Wallet } from "./wallet.ts";

export const NODE_KINDS = ["lnd", "cln"] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

const SERVERS: Readonly<Record<NodeKind, new (network: Network) => NodeServer>> = { lnd: LndServer, cln: ClnServer };

export class LightningPeer {
  readonly kind: NodeKind;
  readonly #network: Network;
  readonly #server: NodeServer;

  constructor({ kind = "lnd", ...options }: NetworkOptions & { readonly kind?: NodeKind }) {
    this.kind = kind;
    this.#network = createNetwork(options);
    this.#server = new SERVERS[kind](this.#network);
  }

  /** The customer's wallet. */
  get wallet(): Wallet {
    return this.#network.wallet;
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
