/** `kill -9`, again and again, under constant load, with time passing while the service is up and while it is down. */
import { drawMoment, killAt, type Moment } from "./moments.ts";
import { Town, type TownOptions } from "./town.ts";

export interface KillsOptions extends TownOptions {
  readonly kills: number;
  /** Ends earlier after this long. */
  readonly limitMs: number;
  readonly out: (line: string) => void;
}

const PROGRESS_MS = 10_000;
/** Of all starts, so many are killed before they listen. */
const BOOT_KILLS = 0.2;
/** Seconds that pass while it is down: nothing, past one deadline, past all of them. */
const DOWN_S = [1, 20, 70, 130, 190, 260, 330, 700, 1_250, 3_700] as const;
const UP_S = [65, 125, 185, 185, 245, 400, 1_210] as const;
const MAX_FRUITLESS_STARTS = 5;

/** @returns the violations. */
export async function torture(options: KillsOptions): Promise<readonly string[]> {
  const { out } = options;
  const town = await Town.open(options);
  const { chance, victim, clock } = town;
  const begun = performance.now();
  const moments = new Map<Moment | "boot", number>();
  let kills = 0;
  let told = begun;
  const killed = (moment: Moment | "boot") => {
    kills++;
    moments.set(moment, (moments.get(moment) ?? 0) + 1);
  };
  const seconds = () => (performance.now() - begun) / 1_000;
  const progress = () => {
    const { purchases } = town.heard;
    const paid = purchases.filter(({ preimage }) => preimage !== null).length;
    const rate = (purchases.length / seconds()).toFixed(1);
    const boot = Math.round(victim.bootMs / Math.max(1, victim.boots));
    return `${seconds().toFixed(0).padStart(5)} s  kills ${kills}  orders ${purchases.length} (${rate}/s), paid ${paid}  answers ${town.heard.answers}  start ${boot} ms  violations ${town.violations.length}`;
  };
  const more = () =>
    kills < options.kills && performance.now() - begun < options.limitMs && town.violations.length < 20;

  /** Up and listening, killed on the way there now and then. */
  const boot = async (): Promise<void> => {
    for (let fruitless = 0; fruitless < MAX_FRUITLESS_STARTS; ) {
      const listening = victim.start();
      if (chance.hits(BOOT_KILLS) && more() && victim.boots > 0) {
        await Bun.sleep(chance.next() * 1.1 * (victim.bootMs / victim.boots));
        victim.kill();
        killed("boot");
        await victim.buried();
        continue;
      }
      if (await listening) return;
      fruitless++;
      await victim.buried();
    }
    throw new Error(`The service does not start:\n${victim.complaints.join("\n")}`);
  };

  try {
    await boot();
    town.load();
    while (more()) {
      if (chance.hits(0.22)) await town.paused(() => clock.advance(chance.one(UP_S)));
      const moment = drawMoment(town);
      await killAt(moment, town);
      killed(moment);
      if (chance.hits(0.3)) await clock.advance(chance.one(DOWN_S));
      await boot();
      if (performance.now() - told > PROGRESS_MS) {
        told = performance.now();
        out(progress());
      }
    }
    out(progress());
    const { totals, deadlines, outcomes } = await town.settle();
    const by = [...moments].map(([moment, n]) => `${n} ${moment}`).join(", ");
    out(`kills        ${kills}: ${by}`);
    out(`starts       ${victim.starts}, ${victim.boots} of them came to listen`);
    out(
      `orders       ${Object.entries(outcomes)
        .map(([word, n]) => `${n} ${word}`)
        .join(", ")}`,
    );
    out(`answers      ${town.heard.answers} acknowledged, each one a state of its order's history`);
    out(
      `sats         ${totals.receivedSats} received, ${totals.refundedSats} refunded, ${totals.feesMsats / 1_000} fees: wallet = node = ledger`,
    );
    out(
      `provider     ${totals.activations} activations, ${(totals.spentMicroUsd / 1e6).toFixed(6)} USD: provider = ledger`,
    );
    out(
      `deadlines    ${deadlines.met} came due; the latest was acted on ${Math.round(deadlines.worstMs)} ms late, downtime left out`,
    );
    if (town.refusals.size > 0)
      out(`refusals     ${[...town.refusals].map(([code, n]) => `${n} x ${code}`).join(", ")}`);
  } catch (error) {
    town.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await town.close();
  }
  return town.violations;
}
