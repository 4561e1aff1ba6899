/** The time that peers and service live in: the wall clock plus the offset that the sandbox was moved by. */
import type { Peers } from "../support/peers.ts";

export class TortureClock {
  readonly #peers: Pick<Peers, "control">;
  #offsetMs = 0;
  /** How far the advances go that are under way: until they end, nobody here knows the exact time. */
  #walkingMs = 0;

  constructor(peers: Pick<Peers, "control">) {
    this.#peers = peers;
  }

  /** Ms since 1970, as the service sees it: exact, or while an advance is under way not later than that. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  /** The same, but while an advance is under way not earlier. */
  latest(): number {
    return this.now() + this.#walkingMs;
  }

  /** Asks, and so catches up with an advance that is under way. @returns the time. */
  async read(): Promise<number> {
    const { offsetMs } = await this.#peers.control<{ offsetMs: number }>("GET", "/clock");
    this.#offsetMs = offsetMs;
    return this.now();
  }

  /** Moves on, one due moment after the other. @returns false when something did not come to rest meanwhile. */
  async advance(advanceSeconds: number): Promise<boolean> {
    this.#walkingMs += advanceSeconds * 1_000;
    try {
      await this.#peers.control("POST", "/clock", { advanceSeconds });
      return true;
    } catch (error) {
      if (String(error).includes("CLOCK_BUSY")) return false;
      throw error;
    } finally {
      this.#walkingMs -= advanceSeconds * 1_000;
      await this.read();
    }
  }
}
