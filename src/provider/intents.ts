/** What is written before a purchase is sent, so that one whose answer is lost can be matched with the provider's lists (ADR 3). */
import type { Journal } from "../../actors/runtime/journal.ts";
import type { Moment } from "./clocks.ts";

/** Its moment is the send; by the provider's clock that of the list before it. */
export interface Intent extends Moment {
  /** Ids of the lane's activations that were there then: whosever they are, this purchase is none of them. */
  readonly known: ReadonlySet<string>;
}

interface IntentRow {
  readonly sent_at: number;
  readonly told_at: number | null;
  readonly known: string;
}

export class Intents {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Durable when it resolves. @throws JournalUnavailable */
  write(key: string, { at, toldAt }: Moment, known: readonly string[]): Promise<void> {
    return this.#journal.note((db) => {
      const values = [key, at, toldAt, JSON.stringify(known)];
      db.run("INSERT OR REPLACE INTO intents (key, sent_at, told_at, known) VALUES (?, ?, ?, ?)", values);
      return null;
    });
  }

  /** Null proves that nothing was sent under this key. */
  of(key: string): Intent | null {
    const row = this.#journal.db
      .query<IntentRow, [string]>("SELECT sent_at, told_at, known FROM intents WHERE key = ?")
      .get(key);
    return row && { at: row.sent_at, toldAt: row.told_at, known: new Set(JSON.parse(row.known) as string[]) };
  }
}
