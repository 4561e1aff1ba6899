/** No room, or no way to write, under load: answers of 503 and nothing else, no step lost or done twice, and sales again when there is room. */
import { type SmallDisk, smallDisks } from "./small-disk.ts";
import { Town, type TownOptions } from "./town.ts";

/** Bytes left over in each round. */
const LEFT = [0, 9_000, 0, 70_000] as const;
/** In this one time passes, so that deadlines come due that cannot be acted on. */
const TIME_PASSES = 1;
/** In this one it is killed, and started again before there is room. */
const DIES = 2;
const FULL_MS = 700;
const REFUSED_WITHIN_MS = 15_000;
const RECOVERED_WITHIN_MS = 8_000;
/** Commits fail, and say why. */
const EXPECTED = [
  /SQLITE_FULL/,
  /SQLITE_IOERR/,
  /JournalUnavailable/,
  /^Cannot use ".*": it cannot be written to/,
] as const;

export interface DiskOptions extends TownOptions {
  /** At most so many kinds of disk, and times each is full. */
  readonly disks: number;
  readonly rounds: number;
  readonly out: (line: string) => void;
}

/** @returns the violations. */
export async function fillDisks(options: DiskOptions): Promise<readonly string[]> {
  const disks = smallDisks(options.disks);
  if (disks.length === 0) options.out("full disk    skipped: neither tmpfs, prlimit nor chattr can be used here");
  const violations: string[] = [];
  for (const disk of disks) violations.push(...(await fillDisk(disk, options)));
  return violations;
}

async function fillDisk(disk: SmallDisk, options: DiskOptions): Promise<readonly string[]> {
  const town = await Town.open({
    ...options,
    command: disk.wrap(options.command),
    dataDir: disk.dataDir,
    expected: EXPECTED,
  });
  const { victim } = town;
  const pid = (): number => victim.pid ?? 0;
  const sold = () => town.heard.purchases.length;
  const refusals = () => town.refusals.get("503 TEMPORARILY_UNAVAILABLE") ?? 0;
  const rounds = LEFT.slice(0, options.rounds);
  try {
    await victim.start();
    town.load();
    await until(() => sold() >= 15, REFUSED_WITHIN_MS);
    let slowestMs = 0;
    for (const [round, bytes] of rounds.entries()) {
      const from = town.clock.now();
      const before = refusals();
      disk.fill(pid(), bytes);
      if (!(await until(() => refusals() > before + 5, REFUSED_WITHIN_MS)))
        town.complain(`${disk.how}: nobody was refused`);
      // A little room is enough for the little that readiness writes.
      if (bytes === 0 && !(await until(async () => !(await ready(town)), REFUSED_WITHIN_MS)))
        town.complain(`${disk.how}: it says that it is ready`);
      if (round === TIME_PASSES) await town.paused(() => town.clock.advance(190));
      await Bun.sleep(FULL_MS);
      if (round === DIES) await dieFull(town, disk);
      disk.free(pid());
      const begun = performance.now();
      const count = sold();
      const again = async () => (await ready(town)) && sold() > count;
      if (!(await until(again, RECOVERED_WITHIN_MS))) town.complain(`${disk.how}: it did not recover by itself`);
      slowestMs = Math.max(slowestMs, performance.now() - begun);
      victim.unable(from, await town.clock.read());
      await Bun.sleep(FULL_MS);
    }
    const refused = refusals();
    const { totals } = await town.settle();
    options.out(
      `full disk    ${disk.how}: ${rounds.length} times, ${refused} answers 503, sold again within ${Math.round(slowestMs)} ms; ${totals.activations} numbers, books agree`,
    );
  } catch (error) {
    town.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    if (victim.pid !== null) disk.free(victim.pid);
    await town.close();
    if (town.violations.length === 0) disk.close();
  }
  return town.violations;
}

/** Killed while nothing can be stored, and started again before that changed: it comes up, or refuses, and does no harm. */
async function dieFull({ victim }: Town, disk: SmallDisk): Promise<void> {
  victim.kill();
  await victim.buried();
  await victim.start();
  await Bun.sleep(FULL_MS);
  victim.kill();
  await victim.buried();
  if (disk.lasts) disk.free(0);
  await victim.start();
}

async function ready({ peers }: Town): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${peers.port}/readyz`);
  await response.arrayBuffer();
  return response.status === 200;
}

async function until(done: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean> {
  const giveUp = performance.now() + limitMs;
  while (performance.now() < giveUp) {
    if (await done()) return true;
    await Bun.sleep(10);
  }
  return false;
}
