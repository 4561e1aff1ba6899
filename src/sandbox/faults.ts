/**
 * Misbehaviour on demand: a fault named in the references happens on the next calls of one action at one peer.
 */

export const PEERS = ["provider", "node", "prices", "relay", "firebase", "address"] as const;
export type PeerName = (typeof PEERS)[number];

export interface Fault {
  readonly peer: PeerName;
  /** The peer's own name of the call, e.g. `getNumberV2`, `send`; `*` is any. */
  readonly action: string;
  /** The fault's name, e.g. `no_numbers`, `hang`, `reset_after`. */
  readonly fault: string;
  /** Fault-specific details, e.g. `{min: 0.05}` or a custom `{status, headers, body}`. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Thrown by a peer whose connection breaks before an answer; the server turns it into a broken connection. */
export class ConnectionReset extends Error {
  constructor() {
    super("connection reset");
    this.name = "ConnectionReset";
  }
}

const MAX_PLANNED = 1_000;

export class Faults {
  /** Oldest first; `left` is how many calls the fault still hits. */
  readonly #planned: { fault: Fault; left: number }[] = [];

  /** @throws RangeError when too many are planned. */
  plan(fault: Fault, times = 1): void {
    if (this.#planned.length >= MAX_PLANNED) throw new RangeError(`More than ${MAX_PLANNED} faults planned`);
    this.#planned.push({ fault, left: times });
  }

  clear(): void {
    this.#planned.length = 0;
  }

  list(): { fault: Fault; left: number }[] {
    return this.#planned.map((entry) => ({ ...entry }));
  }

  /** The fault for this call, if any; counts it down. */
  take(peer: PeerName, action: string): Fault | null {
    const index = this.#planned.findIndex(
      ({ fault }) => fault.peer === peer && (fault.action === action || fault.action === "*"),
    );
    const entry = this.#planned[index];
    if (!entry) return null;
    if (--entry.left <= 0) this.#planned.splice(index, 1);
    return entry.fault;
  }
}

/** A call that is never answered; rejects when the caller gives up. */
export function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
