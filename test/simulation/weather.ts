/**
 * What goes wrong in one run, drawn from its fate: per call, per webhook. Each fault has a name made of the call, the fault and the time, so
 * that a failing run can be tried again without it.
 */
import type { Millis } from "../../actors/runtime/world.ts";
import { type Fault, Faults, type PeerName } from "../../src/sandbox/faults.ts";
import type { Call } from "./calls.ts";
import type { Draw, Fate } from "./chance.ts";
import { type CallFault, faultsOf, WEBHOOK_FAULTS } from "./faults.ts";
import type { Stage } from "./stages.ts";

/** A fault that happens now. */
export interface Drawn extends CallFault {
  readonly draw: Draw;
}

export interface WeatherOptions {
  readonly fate: Fate;
  readonly now: () => Millis;
  /** Probability that anything goes wrong with one call, when it is not fair. */
  readonly rate: number;
  /** Names of faults that do not happen: how a failure is shrunk. */
  readonly spared: ReadonlySet<string>;
  /** Cells, as "stage fault", that are to be met if they can be. */
  readonly wanted: ReadonlySet<string>;
  /** A fault happens, to a call or a webhook. */
  readonly onFault: (name: string, where: string) => void;
}

/** How often a wanted fault is chosen where it can happen. */
const WANTED_RATE = 0.3;

export class Weather {
  readonly #options: WeatherOptions;
  /** Nothing goes wrong any more. */
  fair = false;

  constructor(options: WeatherOptions) {
    this.#options = options;
  }

  /** What happens to this call, which concerns orders in these stages; null for nothing. */
  forCall(call: Call, stages: readonly Stage[]): Drawn | null {
    const { fate, rate, wanted } = this.#options;
    if (this.fair || rate === 0) return null;
    const draw = fate.draw(call.action, this.#options.now());
    const candidates = faultsOf(call);
    const missing =
      wanted.size > 0 && draw.hits(WANTED_RATE)
        ? candidates.filter(({ name }) => stages.some((stage) => wanted.has(`${stage} ${name}`)))
        : [];
    if (missing.length > 0) return this.#unlessSpared(draw.one(missing), call.action, draw);
    // One long-lived stream would hardly ever meet anything.
    const odds = call.action === "subscribe" ? 0.5 : rate;
    if (!draw.hits(odds)) return null;
    return this.#unlessSpared(byWeight(candidates, draw), call.action, draw);
  }

  /** What happens to the next SMS or buy that a webhook would tell of. */
  forWebhook(): string | null {
    const { fate, rate, now } = this.#options;
    if (this.fair || rate === 0) return null;
    const draw = fate.draw("webhook", now());
    if (!draw.hits(Math.min(0.6, rate * 6))) return null;
    const all = Object.entries(WEBHOOK_FAULTS).map(([name, weight]): CallFault => ({ name, by: "peer", weight }));
    return this.#unlessSpared(byWeight(all, draw), "webhook", draw)?.name ?? null;
  }

  #unlessSpared(fault: CallFault, where: string, draw: Draw): Drawn | null {
    const { spared, now, onFault } = this.#options;
    const name = `${where} ${fault.name} @${now()}`;
    if (spared.has(name)) return null;
    onFault(fault.name, name);
    return { ...fault, draw };
  }
}

function byWeight(faults: readonly CallFault[], draw: Draw): CallFault {
  let left = draw.next() * faults.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of faults) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  return faults.at(-1) as CallFault;
}

/** The sandbox's faults, drawn instead of planned: the network hands over the one for the call that it delivers. */
export class DrawnFaults extends Faults {
  readonly #weather: Weather;
  #next: Fault | null = null;
  #webhook: string | null = null;

  constructor(weather: Weather) {
    super();
    this.#weather = weather;
  }

  /** Has `deliver` call the peer under this fault. */
  during<T>(peer: PeerName, drawn: Drawn | null, deliver: () => T): T {
    if (drawn) {
      const { name: fault, detail, draw } = drawn;
      this.#next = { peer, action: "*", fault, detail: detail?.(draw) ?? {} };
    }
    try {
      return deliver();
    } finally {
      this.#next = null;
    }
  }

  override take(peer: PeerName, action: string): Fault | null {
    if (action === "webhook") {
      const fault = this.#webhook;
      this.#webhook = null;
      return fault === null ? null : { peer, action, fault, detail: {} };
    }
    const fault = this.#next;
    this.#next = null;
    return fault;
  }

  /** The webhooks look before they take: an early one is for a buy, the others for an SMS. */
  override list(): { fault: Fault; left: number }[] {
    this.#webhook = this.#weather.forWebhook();
    if (this.#webhook === null) return [];
    return [{ fault: { peer: "provider", action: "webhook", fault: this.#webhook, detail: {} }, left: 1 }];
  }
}
