/** The last believed rate in the journal's database, so that a restart can sell at once. */
import type { Database } from "bun:sqlite";
import { type RateCache, readRate } from "./rate.ts";

export function sqliteRateCache(db: Database): RateCache {
  return {
    load() {
      const row = db.query<{ body: string }, []>("SELECT body FROM rate").get();
      return row && readRate(JSON.parse(row.body));
    },
    save(rate) {
      db.run("INSERT INTO rate VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET body = excluded.body", [
        JSON.stringify(rate),
      ]);
    },
  };
}
