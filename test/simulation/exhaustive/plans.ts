/** Which failures are tried on a scenario, given the points that it passes when nothing fails. */
import type { Millis } from "../../../actors/runtime/world.ts";
import { type Choice, FAILURES, type Planned, type Point, planned } from "./points.ts";
import { MINUTE, type Scenario, SECOND } from "./scenario.ts";

export interface Trial {
  readonly plan: readonly Planned[];
  /** How long the process stays down after it died. */
  readonly downMs: Millis;
}

/** A supervisor of processes starts it again. */
const SOON_MS = 2 * SECOND;
/** Nobody notices for so long that every deadline of an SMS passes. */
const LATE_MS = 26 * MINUTE;

export const isLate = ({ downMs }: Trial): boolean => downMs === LATE_MS;

/** How much of a scenario is tried. */
export interface Extent {
  /** Also scenarios beyond those of the short form. */
  readonly all: boolean;
  readonly choice: Choice;
  /** Also failures that do not end the process. */
  readonly failures: boolean;
  /** Also with a process that stays away long. */
  readonly late: boolean;
  /** Second deaths per first death, while what the first one broke is mended. */
  readonly twice: number;
}

export const EXTENTS = {
  /** Ten scenarios, one death in each durable state. */
  short: { all: false, choice: "states", failures: false, late: false, twice: 0 },
  /** All scenarios, one death in each durable state; full disks and refused steps. */
  wide: { all: true, choice: "states", failures: true, late: false, twice: 0 },
  /** Each point that differs; long absences; deaths while the first one is mended. */
  full: { all: true, choice: "distinct", failures: true, late: true, twice: 2 },
  /** Also points that differ in the clock alone. */
  every: { all: true, choice: "every", failures: true, late: true, twice: 2 },
} as const satisfies Readonly<Record<string, Extent>>;
export type ExtentName = keyof typeof EXTENTS;

/** Failures of one kind each, and deaths with a long absence. */
export function trials(scenario: Scenario, points: readonly Point[], { choice, failures, late }: Extent): Trial[] {
  const kinds = failures ? FAILURES : (["dies"] as const);
  const all = kinds
    .flatMap((failure) => planned(points, failure, choice))
    .map((one) => ({ plan: [one], downMs: SOON_MS }));
  if (!late || scenario.endsLate.length === 0) return all;
  return [...all, ...planned(points, "dies", "states").map((one) => ({ plan: [one], downMs: LATE_MS }))];
}

/** What is mended after a death is mended within this. */
const RECOVERY_MS = 30 * SECOND;

/**
 * Deaths that follow one death: at points of the recovery with a durable state of their own, `most` of them, taken from another place each
 * time so that all are tried over the whole of a scenario.
 */
export function again(first: Planned, recovery: readonly Point[], most: number, turn: number): Trial[] {
  const until = (recovery[0]?.at ?? 0) + RECOVERY_MS;
  const seconds = planned(
    recovery.filter(({ at }) => at <= until),
    "dies",
    "distinct",
  );
  const step = Math.max(1, Math.floor(seconds.length / most));
  const chosen = seconds.filter((_, index) => (index + turn) % step === 0).slice(0, most);
  return chosen.map((second) => ({ plan: [first, second], downMs: SOON_MS }));
}
