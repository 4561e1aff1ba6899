/** The API as a customer meets it: one call, one answer, or none because the process died. */

export type Verb = "buy" | "read" | "cancel" | "redirect";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** What the watcher made of the moment. */
  readonly mark: number;
}

/** Told in the same turn in which it happens, so that a kill hits the very moment. */
export interface Watcher {
  asked(verb: Verb): void;
  /** @returns a mark for the answer, e.g. how far the log of the service was. */
  answered(verb: Verb, status: number): number;
}

/** Longer than any answer of a service that is up. */
const PATIENCE_MS = 8_000;

export class Api {
  readonly #origin: string;
  readonly #watcher: Watcher;
  /** Calls that a listening service did not answer in time. */
  timeouts = 0;
  answers = 0;

  constructor(origin: string, watcher: Watcher) {
    this.#origin = origin;
    this.#watcher = watcher;
  }

  /** `null`: no complete answer came, and the customer knows nothing. */
  async call(
    verb: Verb,
    path: string,
    options: { readonly authorization?: string; readonly key?: string | null; readonly body?: unknown } = {},
  ): Promise<Answer | null> {
    const { authorization, key } = options;
    try {
      const asked = fetch(`${this.#origin}/v2/l402/order${path}`, {
        method: verb === "read" ? "GET" : "POST",
        headers: {
          ...(authorization !== undefined && { authorization }),
          ...(key != null && { "idempotency-key": key }),
          ...(options.body !== undefined && { "content-type": "application/json" }),
        },
        ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
        // A connection of its own: on a reused one, Bun repeats some requests by itself.
        keepalive: false,
      });
      this.#watcher.asked(verb);
      const response = await asked;
      const { status } = response;
      const body: unknown = await response.json();
      this.answers++;
      return { status, body, mark: this.#watcher.answered(verb, status) };
    } catch (error) {
      if (error instanceof Error && error.name === "TimeoutError") this.timeouts++;
      return null;
    }
  }
}
