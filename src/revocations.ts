/**
 * Revoked credentials, in a file of their own beside the database: a restored backup must not make them good again, and a running server
 * takes note of a new line within seconds. One order id a line, a line for each time it was revoked.
 */
import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { World } from "../actors/runtime/world.ts";
import type { Revocations } from "./l402/revocations.ts";
import { giveToOwner } from "./owner.ts";

const FILE = "revoked.txt";
const LINE = /^[0-9a-f]{32}$/;
/** How long a new line may go unnoticed. */
const CHECK_MS = 2_000;

export class RevocationFile implements Revocations {
  readonly #path: string;
  readonly #world: Pick<World, "now">;
  readonly #failed: (error: unknown) => void;
  #failing = false;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #size = -1;
  #generations = new Map<string, number>();

  /**
   * @param failed hears of it once when the file, later, cannot be read; what is known of it stands until it can.
   * @throws Error when the file is there and cannot be read.
   */
  constructor(dataDir: string, world: Pick<World, "now">, failed: (error: unknown) => void = () => {}) {
    this.#path = join(dataDir, FILE);
    this.#world = world;
    this.#failed = failed;
    this.#refresh();
  }

  generationOf(orderId: string): number {
    if (Math.abs(this.#world.now() - this.#checkedAt) >= CHECK_MS) this.#lookAgain();
    return this.#generations.get(orderId) ?? 0;
  }

  /** Revokes every credential of an order that was handed out so far; durable when it returns. @throws RangeError for what is no order id. */
  revoke(orderId: string): void {
    if (!LINE.test(orderId)) throw new RangeError("An order id has 32 hex digits");
    appendFileSync(this.#path, `${this.#isTorn() ? "\n" : ""}${orderId}\n`, { mode: 0o600, flush: true });
    giveToOwner(this.#path);
    this.#refresh();
  }

  /** Whether the last line was not finished, by a power cut: what is added to it would not count. */
  #isTorn(): boolean {
    return existsSync(this.#path) && !/(?:^|\n)$/.test(readFileSync(this.#path, "utf8"));
  }

  /** Whoever happens to ask must not be the one who is refused for it. */
  #lookAgain(): void {
    try {
      this.#refresh();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#failed(error);
      this.#failing = true;
    }
  }

  /** The file only grows, so its size tells whether there is news. A file that vanished takes no revocation back. */
  #refresh(): void {
    this.#checkedAt = this.#world.now();
    if (!existsSync(this.#path)) return;
    const { size } = statSync(this.#path);
    if (size === this.#size) return;
    const generations = new Map<string, number>();
    for (const line of readFileSync(this.#path, "utf8").split("\n")) {
      if (LINE.test(line)) generations.set(line, (generations.get(line) ?? 0) + 1);
    }
    this.#generations = generations;
    this.#size = size;
  }
}
