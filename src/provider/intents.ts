/** What is written before a purchase is sent, so that one whose answer is lost can be matched with the provider's lists (ADR 3). */
import type { Journal } from "../../actors/runtime/journal.ts";
import type { Millis } from "../../actors/runtime/world.ts";

export interface Intent {
  readonly sentAt: Millis;
  /** Ids of the lane's activations that were there then: whosever they are, this purchase is none of them. */
  readonly known: ReadonlySet<string>;
}

export class Intents {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Durable when it resolves. @throws JournalUnavailable */
  write(key: string, sentAt: Millis, known: readonly string[]): Promise<void> {
    return this.#journal.note((db) => {
      db.run("INSERT OR REPLACE INTO intents VALUES (?, ?, ?)", [key, sentAt, JSON.stringify(known)]);
      return null;
    });
  }

  /** Null proves that nothing was sent under this key. */
  of(key: string): Intent | null {
    const row = this.#journal.db
      .query<{ sent_at: number; known: string }, [string]>("SELECT sent_at, known FROM intents WHERE key = ?")
      .get(key);
    return row && { sentAt: row.sent_at, known: new Set(JSON.parse(row.known) as string[]) };
  }
}
