/** The outbox in the service's own database: a request is stored with the next group of commits. */
import type { Journal } from "../../actors/runtime/journal.ts";
import type { KeptRequest, Outbox } from "./outbox.ts";
import type { PaymentHash } from "./port.ts";

interface Row {
  readonly request: string;
  readonly sent_at: number;
}

export function sqliteOutbox(journal: Journal): Outbox {
  const read = journal.db.query<Row, [string]>("SELECT request, sent_at FROM outbox WHERE payment_hash = ?");
  return {
    put: (hash: PaymentHash, { text, sentAt }: KeptRequest) =>
      journal.note((db) => {
        db.run(
          `INSERT INTO outbox VALUES (?, ?, ?)
           ON CONFLICT (payment_hash) DO UPDATE SET request = excluded.request, sent_at = excluded.sent_at`,
          [hash, text, sentAt],
        );
        return null;
      }),
    get(hash) {
      const row = read.get(hash);
      return row && { text: row.request, sentAt: row.sent_at };
    },
    drop: (hash) =>
      journal.note((db) => {
        db.run("DELETE FROM outbox WHERE payment_hash = ?", [hash]);
        return null;
      }),
  };
}
