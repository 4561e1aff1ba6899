/**
 * Reads lnd's server streams: one JSON object per line, `{"result": ...}`, or `{"error": ...}` as the last
 * (grpc-gateway: runtime/handler.go, ForwardResponseStream). lnd sends neither headers nor a heartbeat before there is
 * something to say, so a silent stream looks exactly like a dead one: whoever reads sets the limit of patience.
 */
import { AnswerLost } from "../../wire.ts";
import { isObject, type Json, parseObject } from "../answers.ts";
import { type LndError, type LndRest, readError, toError } from "./rest.ts";

export interface LndStream {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly body?: Json;
  /** Longest line accepted, in characters. */
  readonly maxLine: number;
}

export type StreamItem =
  | { readonly ok: true; readonly result: Json }
  | { readonly ok: false; readonly error: LndError };

/** Longest error body read before the first message, in characters. */
const MAX_ERROR = 64 * 1024;

/**
 * Yields messages until the peer ends the stream; an error is the last item. Stops reading and closes the connection as
 * soon as the consumer does, or when `signal` aborts.
 * @throws AnswerLost when the connection breaks, a line is too long or no JSON, or `signal` aborts ("timeout").
 */
export async function* openStream(rest: LndRest, stream: LndStream, signal: AbortSignal): AsyncGenerator<StreamItem> {
  const connection = new AbortController();
  const stop = () => connection.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const response = await connect(rest, stream, connection.signal);
    if (response.status !== 200) {
      let body = "";
      for await (const piece of pieces(response, connection.signal)) {
        body += piece;
        if (body.length > MAX_ERROR) throw new AnswerLost("too_large");
      }
      yield { ok: false, error: readError(response.status, body) };
      return;
    }
    for await (const line of lines(pieces(response, connection.signal), stream.maxLine)) {
      const item = toItem(line);
      yield item;
      if (!item.ok) return;
    }
  } catch (error) {
    if (signal.aborted) throw new AnswerLost("timeout");
    if (error instanceof AnswerLost) throw error;
    throw new AnswerLost("network", { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
    connection.abort();
  }
}

function connect(rest: LndRest, stream: LndStream, signal: AbortSignal): Promise<Response> {
  const answer = rest.world.fetch(rest.baseUrl + stream.path, {
    method: stream.method ?? "GET",
    headers: rest.headers,
    redirect: "manual",
    // Bun gives up on a silent connection after some minutes; being silent is what this one does most of the time.
    timeout: false,
    signal,
    ...(stream.body && { body: JSON.stringify(stream.body) }),
    ...(rest.tls && { tls: rest.tls }),
  });
  // A handler called in-process may not see the signal: do not wait for it, and close what comes too late.
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      reject(new AnswerLost("timeout"));
      answer.then((response) => response.body?.cancel()).catch(() => {});
    };
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

async function* pieces(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  if (!response.body) return;
  const reader = response.body.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  try {
    for (;;) {
      if (signal.aborted) throw new AnswerLost("timeout");
      const { done, value } = await reader.read();
      if (signal.aborted) throw new AnswerLost("timeout");
      if (done) break;
      yield decoder.decode(value, { stream: true });
    }
    const rest = decoder.decode();
    if (rest) yield rest;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

async function* lines(source: AsyncIterable<string>, maxLine: number): AsyncGenerator<string> {
  let pending = "";
  for await (const piece of source) {
    // Only the new piece is searched, so that a long line costs no more than its length.
    let from = 0;
    for (let end = piece.indexOf("\n"); end >= 0; end = piece.indexOf("\n", from)) {
      const line = pending + piece.slice(from, end);
      if (line.length > maxLine) throw new AnswerLost("too_large");
      if (line.trim()) yield line;
      pending = "";
      from = end + 1;
    }
    pending += piece.slice(from);
    if (pending.length > maxLine) throw new AnswerLost("too_large");
  }
  if (pending.trim()) yield pending;
}

function toItem(line: string): StreamItem {
  const message = parseObject(line);
  if (isObject(message?.result)) return { ok: true, result: message.result };
  if (isObject(message?.error)) return { ok: false, error: toError(200, message.error) };
  throw new AnswerLost("network", { cause: new Error("A line of the stream is no message") });
}
