/**
 * Server streams as grpc-gateway sends them: one `{"result": ...}` per line. Like there, not even the status line
 * leaves before the first message (runtime/handler.go, ForwardResponseStream): a client of a quiet stream is still
 * waiting for its headers, and an error before any message has a status of its own.
 */
import { JSON_HEADERS } from "./wire.ts";

/** Where a feed writes. Everything after the end is dropped. */
export interface Lines {
  send(message: object): void;
  end(): void;
}

/** Starts to write; the function it returns stops it. It is called once, when the stream is over for any reason. */
export type Feed = (lines: Lines) => () => void;

/** A reader this far behind is cut off. */
const MAX_QUEUED_LINES = 100_000;

/** Resolves with the first line, or when the feed ends. Rejects when `signal` aborts before that. */
export function streamResponse(feed: Feed, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let body: ReadableStreamDefaultController<Uint8Array> | null = null;
    let stop: (() => void) | null = null;
    let over = false;

    const finish = () => {
      over = true;
      signal.removeEventListener("abort", abort);
      stop?.();
    };
    const abort = () => {
      if (body) body.error(signal.reason);
      else reject(signal.reason);
      finish();
    };
    const open = () => {
      const stream = new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            body = controller;
          },
          cancel: () => {
            if (!over) finish();
          },
        },
        { highWaterMark: MAX_QUEUED_LINES },
      );
      resolve(new Response(stream, { status: 200, headers: JSON_HEADERS }));
    };

    stop = feed({
      send: (message) => {
        if (over) return;
        if (!body) open();
        if ((body?.desiredSize ?? 0) <= 0) {
          body?.error(new Error("reader too slow"));
          return finish();
        }
        body?.enqueue(new TextEncoder().encode(`${JSON.stringify({ result: message })}\n`));
      },
      end: () => {
        if (over) return;
        if (body) body.close();
        else resolve(new Response("", { status: 200, headers: JSON_HEADERS }));
        finish();
      },
    });
    // A feed may end before it has returned how to stop it.
    if (over) stop();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
