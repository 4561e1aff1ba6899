/** The service under torture: started and killed again and again on the same port and data, with a record of when it was down. */
import { type SpawnedServer, spawnServer } from "../support/spawn.ts";
import type { TortureClock } from "./clock.ts";

/** In the time of the sandbox, ms since 1970. */
export interface Downtime {
  readonly from: number;
  readonly to: number;
}

export interface VictimOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly clock: TortureClock;
  /** Lines of its log that belong to what is done to it. */
  readonly expected?: readonly RegExp[];
}

const MAX_COMPLAINTS = 50;
/** Whether an order still waits for a person at the end is asked of the doctor. */
const EXPECTED = [/^(API|Docs|Sandbox) +http/, /"msg":"order waits for a person"/] as const;

export class Victim {
  readonly #options: VictimOptions;
  readonly #downtimes: Downtime[] = [];
  #process: SpawnedServer | null = null;
  /** Since when it is down; the time before its first start counts. */
  #downSince: number;
  #booting = 0;
  /** Errors in its log: nothing that happens here is one. */
  readonly complaints: string[] = [];
  starts = 0;
  /** Ms from spawn to listening, over all starts that got there. */
  bootMs = 0;
  boots = 0;

  constructor(options: VictimOptions) {
    this.#options = options;
    this.#downSince = options.clock.now();
  }

  get downtimes(): readonly Downtime[] {
    return this.#downtimes;
  }

  get dataDir(): string {
    return this.#options.dataDir;
  }

  get command(): readonly string[] {
    return this.#options.command;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Spawns it. The answer resolves with whether it came to listen; it does not when it is killed before that. */
  start(env: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const { command, dataDir } = this.#options;
    const child = spawnServer({ command, dataDir, env: { ...this.#options.env, ...env } });
    this.#process = child;
    this.starts++;
    return this.#boot(child);
  }

  async #boot(child: SpawnedServer): Promise<boolean> {
    const begun = performance.now();
    this.#booting++;
    const addresses = await child.listening();
    this.#booting--;
    if (!addresses || this.#process !== child) return false;
    this.bootMs += performance.now() - begun;
    this.boots++;
    this.#downtimes.push({ from: this.#downSince, to: await this.#options.clock.read() });
    return true;
  }

  /** It was up, and could not act. */
  unable(from: number, to: number): void {
    this.#downtimes.push({ from, to });
  }

  /** At once, whatever it is doing; synchronous, so that nothing of ours happens in between. */
  kill(): void {
    if (!this.#process) return;
    if (this.#booting === 0) this.#downSince = this.#options.clock.now();
    this.#process.signal("SIGKILL");
  }

  /** Asks it to end. @returns its exit code, null when a signal ended it, and how long it took in ms. */
  async terminate(again?: {
    readonly afterMs: number;
  }): Promise<{ readonly code: number | null; readonly ms: number }> {
    const begun = performance.now();
    this.#downSince = this.#options.clock.now();
    this.#process?.signal("SIGTERM");
    if (again) {
      await Bun.sleep(again.afterMs);
      this.#process?.signal("SIGTERM");
    }
    const code = await this.buried();
    return { code, ms: performance.now() - begun };
  }

  /** Resolves with the exit code once it is dead and all it said was read. */
  async buried(): Promise<number | null> {
    const child = this.#process;
    if (!child) return null;
    const code = await child.ended();
    this.#process = null;
    this.#listen(child.output());
    return code;
  }

  #listen(output: string): void {
    for (const line of output.split("\n")) {
      const expected = [...EXPECTED, ...(this.#options.expected ?? [])].some((form) => form.test(line));
      if (line !== "" && !expected && this.complaints.length < MAX_COMPLAINTS) this.complaints.push(line);
    }
  }
}
