/**
 * The other end of the sandbox's clock: a service in a process of its own takes over the time of a sandbox that runs
 * apart (`SANDBOX_URL`), and tells it whenever it has come to rest. So the service can be killed and started again
 * against peers that remember.
 */
import { type Fetch, type RealWorld, sleep } from "../../actors/runtime/world.ts";
import type { Line, Round } from "./followers.ts";

export interface FollowOptions {
  /** Where the sandbox's provider shall post its webhooks, e.g. `http://127.0.0.1:3000/webhooks/...`. */
  readonly webhookUrl: string;
  readonly signal: AbortSignal;
  /** Default: the world's own. */
  readonly fetch?: Fetch;
}

const RETRY_MS = 250;
/** The sandbox may start a little later than the service. */
const MAX_FIRST_TRIES = 40;
/** After this long at work (real ms), the sandbox is told what keeps us busy. */
const REPORT_BUSY_MS = 1_000;

/**
 * Resolves once the sandbox's time was taken over; from then on the world follows every move until `stop` or `signal`.
 * @throws Error when the sandbox cannot be reached for ten seconds, or when `signal` aborts before.
 */
export async function followClock(
  world: RealWorld,
  sandboxUrl: string,
  options: FollowOptions,
): Promise<{ stop(): void }> {
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const url = new URL("/sandbox/clock/follow", sandboxUrl).href;
  const call = options.fetch ?? world.fetch;
  const name = world.random(16).toHex();

  const line = async (said: Pick<Line, "round" | "idle" | "busy">): Promise<Round | null> => {
    const body: Line = { follower: name, webhookUrl: options.webhookUrl, nextDue: world.nextDue(), ...said };
    // Without `timeout: false`, fetch ends a request that stays silent for minutes.
    const request = { method: "POST", body: JSON.stringify(body), signal, timeout: false } as const;
    const response = await call(url, request).catch((error) => {
      throw signal.aborted ? error : new Error(`Cannot reach SANDBOX_URL "${sandboxUrl}"`, { cause: error });
    });
    if (response.status === 204) return null;
    if (response.status !== 200) throw new Error(`Cannot follow the clock of the sandbox: HTTP ${response.status}`);
    return readRound(await response.json());
  };

  /** Keeps a line open while the round is worked off, so that our death would be noticed. */
  const workOff = async (round: Round): Promise<void> => {
    let busy: string[] = [];
    do {
      line({ round: round.round, idle: false, busy }).catch(() => {}); // The next idle poll meets the same trouble.
      busy = await world.drained(REPORT_BUSY_MS);
    } while (busy.length > 0 && !signal.aborted);
    acknowledged = round.round;
  };

  let acknowledged = 0;
  const nextRound = async (maxTries: number): Promise<Round> => {
    for (let tries = 1; ; ) {
      try {
        const round = await line({ round: acknowledged, idle: true, busy: [] });
        if (round !== null) return round;
      } catch (error) {
        if (signal.aborted || tries++ >= maxTries) throw error;
        acknowledged = 0; // The sandbox is gone for now. Once it is back, it counts its rounds anew.
        await sleep(world, RETRY_MS, signal);
      }
    }
  };
  const goTo = (round: Round) => world.jump(world.now() - world.offset + round.offsetMs);

  const first = await nextRound(MAX_FIRST_TRIES);
  goTo(first);
  const follow = async () => {
    for (let round: Round | null = first; round !== null; ) {
      await workOff(round);
      round = await nextRound(Number.POSITIVE_INFINITY).catch(() => null); // Fails only once stopped.
      if (round !== null) goTo(round);
    }
  };
  void follow();
  return { stop: () => stopping.abort() };
}

function readRound(body: unknown): Round {
  const { round, offsetMs } = (body ?? {}) as Partial<Round>;
  if (!Number.isSafeInteger(round) || typeof offsetMs !== "number" || !Number.isFinite(offsetMs)) {
    throw new Error("Cannot follow the clock of the sandbox: answer makes no sense");
  }
  return { round: round as number, offsetMs };
}
