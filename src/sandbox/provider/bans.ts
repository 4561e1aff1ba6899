/**
 * What the provider does to an account whose numbers bring no SMS (HeroSMS rules page): after more than 100 numbers of a service and country
 * with less than 6 % success it bans the pair for 30 minutes, with five banned pairs the account; at 500, 750 and 1000 numbers with less
 * than 3 % it allows only 10, 5 and 1 at a time. It counts anew at 21:00 UTC; that it does so after a ban too is a guess.
 */
import type { Database } from "bun:sqlite";
import type { Millis } from "../../../actors/runtime/world.ts";
import { CHANNELS_LIMIT, type Refusal } from "./answers.ts";
import { utcTime, zonelessTime } from "./times.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RESET_MS = 21 * HOUR;
const BAN_MS = HOUR / 2;
const PAIR = { numbers: 100, percent: 6 } as const;
const MAX_BANNED_PAIRS = 5;
const ACCOUNT_PERCENT = 3;
/** Numbers of the day, and how many may be active from then on; most first. */
const THREADS = [
  { numbers: 1_000, active: 1 },
  { numbers: 750, active: 5 },
  { numbers: 500, active: 10 },
] as const;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS provider_bans (
  service TEXT NOT NULL, country INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (service, country)) WITHOUT ROWID;
`;

/** How the provider says that it sells nothing, of one pair or at all. */
export function banned(scope: "global" | "specific", until: Millis, now: Millis): Refusal {
  const details =
    scope === "global"
      ? "Your account is temporarily suspended from making any purchases."
      : "Account temporarily suspended for this specific country/service pair.";
  const info = {
    scope,
    banned_until: Math.floor(until / 1000),
    retry_after_seconds: Math.ceil((until - now) / 1000),
    readable_date: utcTime(until),
  };
  return { kind: "refusal", status: 403, title: "BANNED", details, info, legacy: bannedWord(until) };
}

/** The older form of it, which does not say what is banned. */
export const bannedWord = (until: Millis): string => `BANNED:'${zonelessTime(until).replaceAll(":", "-")}'`;

/** Every pair, as a row of `provider_bans`. */
const ALL = { service: "*", country: 0 } as const;

export interface Ban {
  readonly service: string;
  readonly country: number;
  readonly until: Millis;
}

export class Bans {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
    db.run(SCHEMA);
  }

  /** Why nothing of this pair is sold to the account now, or null. Judges first: a ban begins with the buy that it refuses. */
  refusal(service: string, country: number, now: Millis): Refusal | null {
    const known = this.#refused(service, country, now);
    if (known) return known;
    const reset = Math.floor((now - RESET_MS) / DAY) * DAY + RESET_MS;
    const { bought, delivered } = this.#tally(service, country, Math.max(reset, this.#until(service, country)));
    if (bought > PAIR.numbers && delivered * 100 < bought * PAIR.percent) {
      this.#ban({ service, country, until: now + BAN_MS });
      if (this.list(now).length >= MAX_BANNED_PAIRS) this.#ban({ ...ALL, until: now + BAN_MS });
      return this.#refused(service, country, now);
    }
    return this.#throttled(reset);
  }

  /** Pairs that are banned; `*` and 0 for the account. */
  list(now: Millis): Ban[] {
    return this.#db
      .query<Ban, [number]>("SELECT service, country, until FROM provider_bans WHERE until > ? ORDER BY until")
      .all(now);
  }

  #refused(service: string, country: number, now: Millis): Refusal | null {
    const account = this.#until(ALL.service, ALL.country);
    if (account > now) return banned("global", account, now);
    const pair = this.#until(service, country);
    return pair > now ? banned("specific", pair, now) : null;
  }

  #throttled(since: Millis): Refusal | null {
    const row = this.#db
      .query<{ bought: number; delivered: number; active: number }, [number]>(
        `SELECT count(*) AS bought, count(*) FILTER (WHERE status IN (2, 3, 6)) AS delivered,
         count(*) FILTER (WHERE endedAt IS NULL) AS active FROM provider_activations WHERE subtype = 1 AND boughtAt >= ?`,
      )
      .get(since);
    if (!row || row.delivered * 100 >= row.bought * ACCOUNT_PERCENT) return null;
    const limit = THREADS.find(({ numbers }) => row.bought >= numbers);
    return limit && row.active >= limit.active ? CHANNELS_LIMIT : null;
  }

  #tally(service: string, country: number, since: Millis): { bought: number; delivered: number } {
    const row = this.#db
      .query<{ bought: number; delivered: number }, [string, number, number]>(
        `SELECT count(*) AS bought, count(*) FILTER (WHERE status IN (2, 3, 6)) AS delivered FROM provider_activations
         WHERE subtype = 1 AND service = ? AND country = ? AND boughtAt >= ?`,
      )
      .get(service, country, since);
    return row ?? { bought: 0, delivered: 0 };
  }

  #until(service: string, country: number): Millis {
    return (
      this.#db
        .query<{ until: number }, [string, number]>("SELECT until FROM provider_bans WHERE service = ? AND country = ?")
        .get(service, country)?.until ?? 0
    );
  }

  #ban({ service, country, until }: Ban): void {
    this.#db
      .query("INSERT INTO provider_bans VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until")
      .run(service, country, until);
  }
}
