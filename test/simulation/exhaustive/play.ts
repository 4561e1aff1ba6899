/** One scenario, once, with the failures of a plan; everything that must hold is checked on the way and at the end. */
import type { Millis } from "../../../actors/runtime/world.ts";
import { Violation } from "../checker.ts";
import { checkEnd, endsOf, isAtRest, isErased } from "./ends.ts";
import type { Planned, Point } from "./points.ts";
import { MINUTE, type Scenario, SECOND } from "./scenario.ts";
import { START, Stage } from "./stage.ts";

const HOUR = 60 * MINUTE;
/** Longer than any scenario takes, a long absence of the process included. */
const LIMIT_MS = 24 * HOUR;
/** How often it is looked whether everything is over. */
const LOOK_MS = 15 * SECOND;
/** Texts go a minute after the end of order and number, at the next round. */
const ERASE_AFTER_MINUTES = "1";

export interface Play {
  readonly plan: readonly Planned[];
  readonly downMs: Millis;
  /** Digest what outlives the process at each point, so that points can be told apart. */
  readonly digest?: boolean;
  /** Go on until the texts that may go are gone, and see that they are. */
  readonly erase?: boolean;
  /** Told of everything that happens, one line each. */
  readonly tell?: (line: string) => void;
}

export interface Played {
  /** How the paid orders ended. */
  readonly ends: string;
  readonly passed: readonly (readonly Point[])[];
  /** Whether every planned failure came. */
  readonly isPlayed: boolean;
  readonly orders: number;
}

/** @throws Violation, or what broke the customer's script. */
export function play(scenario: Scenario, { plan, downMs, digest = false, erase = false, tell }: Play): Played {
  const stage = new Stage({ plan, downMs, digest, tell, env: { ERASE_AFTER_MINUTES, ...scenario.env } });
  try {
    let playing = true;
    stage.host.start();
    scenario.play(stage).then(
      () => {
        playing = false;
      },
      (error: unknown) => stage.fail(error instanceof Error ? error : new Error(String(error))),
    );
    stage.run(START + LIMIT_MS, () => !playing);
    if (playing) throw new Violation(5, "a customer waits for ever");
    const passed = stage.points.passed.map((life) => [...life]);
    runUntil(stage, isAtRest, "something is still under way a day later");
    checkEnd(stage);
    if (erase) {
      runUntil(stage, isErased, "texts are still in the database long after the end", 16);
      stage.checker.forgotten();
    }
    const ends = endsOf(stage);
    return { ends, passed, isPlayed: stage.points.isPlayed, orders: stage.orders.size };
  } finally {
    stage.close();
  }
}

/** Looks now and then whether it is so. */
function runUntil(stage: Stage, isSo: (stage: Stage) => boolean, otherwise: string, invariant: 5 | 16 = 5): void {
  const until = stage.time.now + LIMIT_MS;
  while (!isSo(stage) && stage.time.now < until) stage.run(stage.time.now + LOOK_MS, () => false);
  if (!isSo(stage)) throw new Violation(invariant, otherwise);
}
