/**
 * Everything one round of torture needs: peers that remember, the service, customers who put it under constant load, and a list of what
 * went wrong. What happens to the service is up to whoever holds the town.
 */
import { Chance } from "../simulation/chance.ts";
import { type Peers, startPeers } from "../support/peers.ts";
import { Api, type Verb } from "./api.ts";
import { type Audit, audit } from "./audit.ts";
import { TortureClock } from "./clock.ts";
import { Customer } from "./customer.ts";
import { Heard } from "./heard.ts";
import { Victim } from "./victim.ts";

/** Something that a kill may wait for. */
export type Happening = `asked ${Verb}` | `answered ${Verb}` | "paying" | "paid" | "texting" | "texted";

export interface TownOptions {
  /** How the service is started. */
  readonly command: readonly string[];
  readonly seed: number;
  readonly customers?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: beside the books of the peers. */
  readonly dataDir?: string;
  /** Asked in the turn of each answer; kept with what was heard. */
  readonly mark?: () => number;
  /** Lines of the service's log that belong to what is done to it. */
  readonly expected?: readonly RegExp[];
}

const CUSTOMERS = 8;
const MAX_VIOLATIONS = 200;
/** A second after the code was read the number goes back; and prices that leave the customers' wallet enough for a long run. */
const ENV = { LOG_LEVEL: "error", CODE_GRACE_SECONDS: "1", PRICE_MULTIPLIER: "0.2" } as const;
/** Every deadline of the slowest order, in steps that let customers come in between. */
const LAST_STEPS_S = [90, 240, 1_300, 700, 3_700, 3_700, 1_300] as const;

export class Town {
  readonly peers: Peers;
  readonly chance: Chance;
  readonly clock: TortureClock;
  readonly victim: Victim;
  readonly api: Api;
  readonly heard: Heard;
  readonly violations: string[] = [];
  /** Refusals that customers met, by status and code. */
  readonly refusals = new Map<string, number>();
  readonly #customers: readonly Customer[];
  #load: Promise<void>[] = [];
  #loaded = false;
  #pauses = 0;
  #trap: { readonly on: (happening: Happening) => boolean; readonly run: () => void } | null = null;

  private constructor(peers: Peers, options: TownOptions) {
    this.peers = peers;
    this.chance = new Chance(options.seed);
    this.clock = new TortureClock(peers);
    this.victim = new Victim({
      command: options.command,
      dataDir: options.dataDir ?? peers.dataDir,
      env: { ...ENV, ...options.env, SANDBOX_URL: peers.url, PORT: String(peers.port) },
      clock: this.clock,
      ...(options.expected && { expected: options.expected }),
    });
    this.api = new Api(`http://127.0.0.1:${peers.port}`, {
      asked: (verb) => this.happens(`asked ${verb}`),
      answered: (verb) => {
        const mark = options.mark?.() ?? 0;
        this.happens(`answered ${verb}`);
        return mark;
      },
    });
    this.heard = new Heard((violation) => this.complain(violation));
    this.#customers = Array.from({ length: options.customers ?? CUSTOMERS }, () => new Customer(this));
  }

  static async open(options: TownOptions): Promise<Town> {
    const town = new Town(await startPeers(), options);
    await town.clock.read();
    return town;
  }

  get dataDir(): string {
    return this.victim.dataDir;
  }

  readonly complain = (violation: string): void => {
    if (this.violations.length >= MAX_VIOLATIONS) return;
    this.violations.push(violation);
    console.error(`VIOLATION ${violation}`);
  };

  refused(status: number, code: string): void {
    const key = `${status} ${code}`;
    this.refusals.set(key, (this.refusals.get(key) ?? 0) + 1);
    if (status === 500) this.complain(`a customer was answered 500 ${code}`);
  }

  happens(happening: Happening): void {
    if (!this.#trap?.on(happening)) return;
    const { run } = this.#trap;
    this.#trap = null;
    run();
  }

  /** Runs `run` in the very turn in which the next of these happens. @returns how to give up waiting. */
  trap(on: (happening: Happening) => boolean, run: () => void): () => void {
    const trap = { on, run };
    this.#trap = trap;
    return () => {
      if (this.#trap === trap) this.#trap = null;
    };
  }

  /** Sends customers in; they stay until `unload`. */
  load(): void {
    if (this.#loaded) return;
    this.#loaded = true;
    this.#load = this.#customers.map((customer) => customer.live());
  }

  get loaded(): boolean {
    return this.#loaded;
  }

  async unload(): Promise<void> {
    this.#loaded = false;
    await Promise.all(this.#load);
  }

  /** Keeps customers from their next step while `work` runs. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    this.#pauses++;
    try {
      return await work();
    } finally {
      this.#pauses--;
    }
  }

  async admission(): Promise<void> {
    while (this.#pauses > 0) await Bun.sleep(2);
  }

  /** Brings every order to its end with the service up, ends the service, and holds all books against each other. */
  async settle(): Promise<Audit> {
    await this.unload();
    for (const seconds of LAST_STEPS_S) {
      if (!(await this.clock.advance(seconds)))
        this.complain(`the clock did not get ${seconds} s on: something is always busy`);
      await Promise.all(this.#customers.map((customer) => customer.finish()));
    }
    const { code, ms } = await this.victim.terminate();
    if (code !== 0) this.complain(`the service ended with exit code ${code}`);
    if (ms > 10_000) this.complain(`the service took ${Math.round(ms)} ms to end`);
    for (const line of this.victim.complaints) this.complain(`the service said: ${line}`);
    if (this.api.timeouts > 0) this.complain(`${this.api.timeouts} calls were not answered`);
    const now = await this.clock.read();
    await this.peers.end();
    const result = await audit({
      dataDir: this.dataDir,
      booksFile: this.peers.booksFile,
      purchases: this.heard.purchases,
      downtimes: this.victim.downtimes,
      now,
    });
    for (const violation of result.violations) this.complain(violation);
    return result;
  }

  /** Ends what is still running; the data goes unless something was wrong. */
  async close(): Promise<void> {
    await this.unload();
    this.victim.kill();
    await this.victim.buried();
    if (this.violations.length === 0) await this.peers.stop();
    else {
      await this.peers.end();
      console.error(`The data is kept: ${this.dataDir} and ${this.peers.booksFile}`);
    }
  }
}
