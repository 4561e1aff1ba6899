/** What we know of our account at the provider, wired: its standing, the bars it was given, and the guard that keeps it from a ban. */
import type { Journal } from "../actors/runtime/journal.ts";
import { iso, type World } from "../actors/runtime/world.ts";
import type { Log } from "./ops/logs.ts";
import { type BanRules, Guard } from "./provider/guard.ts";
import type { NumberProvider } from "./provider/port.ts";
import { ACCOUNT, countOutcomes, TrackRecord, writeBar } from "./provider/record.ts";
import { ProviderStanding } from "./provider/standing.ts";

export interface AccountOptions {
  readonly world: World;
  readonly log: Log;
  readonly journal: Journal;
  readonly provider: NumberProvider;
  readonly rules: BanRules;
}

/** From now on every step is counted. */
export function createAccount({ world, log, journal, provider, rules }: AccountOptions) {
  const record = new TrackRecord(journal.db);
  journal.accompany(countOutcomes);
  const guard = new Guard({
    world,
    record,
    rules,
    onTurn: ({ service, country }, paused) => {
      const fields = service === ACCOUNT.service ? {} : { service, country };
      if (paused) log.error(fields, "sales paused: too few numbers get an SMS");
      else log.info(fields, "sales go on: enough numbers get an SMS");
    },
  });
  const standing = new ProviderStanding({
    world,
    provider,
    // Having to wait for a moment is no alarm: sales pause, and go on by themselves.
    onTrouble: (trouble) => log[trouble === "rate_limited" ? "warn" : "error"]({ trouble }, "provider account trouble"),
    bars: record.bars(world.now()),
    onBarred: (service, country, until) => {
      log.error({ service, country, until: iso(until) }, "the provider bars a service and country");
      const written = journal.note((db) => {
        writeBar(db, { service, country }, until);
        return null;
      });
      written.catch((error) => log.warn({ err: error }, "bar not stored"));
    },
  });
  return { guard, standing };
}
