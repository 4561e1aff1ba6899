/**
 * One HTTP call to a peer: with a time limit, a size limit and only two outcomes, an answer or a lost answer. Adapters
 * use this instead of `fetch`, so that no peer can hang, flood or redirect us.
 */
import type { FetchOptions, World } from "../actors/runtime/world.ts";

export interface Call {
  readonly url: string;
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly timeoutMs: number;
  /** Longest body accepted, in bytes of UTF-8. Default 4 MiB. */
  readonly maxBytes?: number;
  readonly tls?: FetchOptions["tls"];
  /**
   * The call has an effect that must not happen twice. Bun's fetch silently repeats a GET, PUT or DELETE whose reused
   * connection was reset; on a connection of its own it does not.
   */
  readonly once?: boolean;
  /** Ends the call early; then the answer is lost. */
  readonly signal?: AbortSignal;
  /** The call waits for something to happen, and may wait long: a steered clock does not wait for it. */
  readonly idle?: boolean;
}

/** A complete answer. Its body is text whatever the content type says; peers are known to lie about it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * The answer was lost: the peer may or may not have acted. `why` never holds the URL, because URLs carry API keys.
 */
export class AnswerLost extends Error {
  readonly why: "timeout" | "network" | "too_large";

  constructor(why: "timeout" | "network" | "too_large", options?: ErrorOptions) {
    super(`Answer lost: ${why}`, options);
    this.name = "AnswerLost";
    this.why = why;
  }
}

const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;
/** How long (real ms) a call may keep a steered clock waiting; a hanging peer must not stop time. */
const CLOCK_PATIENCE_MS = 250;

/**
 * Makes one call; redirects are not followed.
 * @throws AnswerLost when no complete answer came in time.
 */
export async function call(world: World, request: Call): Promise<Answer> {
  const limit = new AbortController();
  const release = request.idle ? () => {} : world.hold("network call", CLOCK_PATIENCE_MS);
  const stop = () => limit.abort();
  request.signal?.addEventListener("abort", stop, { once: true });
  if (request.signal?.aborted) stop();
  const stopTimer = world.at(world.now() + request.timeoutMs, () => limit.abort());
  try {
    const response = await world.fetch(request.url, fetchOptions(request, limit.signal));
    const maxBytes = request.maxBytes ?? DEFAULT_MAX_BYTES;
    const length = announcedLength(response.headers);
    if (length !== null && length > maxBytes) {
      limit.abort();
      throw new AnswerLost("too_large");
    }
    // In one piece where no more can come than was announced: half of what reading it as a stream costs.
    const text = length === null ? await readText(response, maxBytes, limit.signal) : await response.text();
    return { status: response.status, headers: response.headers, text };
  } catch (error) {
    if (error instanceof AnswerLost) throw error;
    throw new AnswerLost(limit.signal.aborted ? "timeout" : "network", { cause: error });
  } finally {
    request.signal?.removeEventListener("abort", stop);
    stopTimer();
    release();
  }
}

function fetchOptions(request: Call, signal: AbortSignal): FetchOptions {
  return {
    method: request.method ?? "GET",
    redirect: "manual",
    signal,
    ...(request.headers && { headers: request.headers }),
    ...(request.body !== undefined && { body: request.body }),
    ...(request.tls && { tls: request.tls }),
    ...(request.once && { keepalive: false as const }),
    // Bun has a limit of its own for silence, which such a call would pass.
    ...(request.idle && { timeout: false as const }),
  };
}

/** How many bytes of text will come, or null when that is not known: in chunks, or compressed, which a few bytes can be for very many. */
function announcedLength(headers: Headers): number | null {
  const length = headers.get("content-length");
  if (length === null || headers.has("content-encoding") || headers.has("transfer-encoding")) return null;
  return /^\d+$/.test(length) ? Number(length) : null;
}

async function readText(response: Response, maxBytes: number, signal: AbortSignal): Promise<string> {
  if (!response.body) return "";
  const reader = response.body.getReader();
  // A fetch handler called in-process does not see our signal while it streams: stop reading ourselves.
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) throw new AnswerLost("timeout");
      if (done) return text + decoder.decode();
      size += value.byteLength;
      if (size > maxBytes) {
        stop();
        throw new AnswerLost("too_large");
      }
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
