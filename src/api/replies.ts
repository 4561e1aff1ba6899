/** Answers that are not refusals: JSON and text. What can be cached and compressed is in `documents.ts`. */
import type { HeaderRecord } from "./headers.ts";

/** What a route says. The gate makes the one `Response` of it, because each header that is set on a finished one costs again. */
export interface Reply {
  readonly status: number;
  readonly headers: HeaderRecord;
  readonly body: string | Blob | null;
}

/** The same reply with more headers, or others in place of its own. */
export const withHeaders = (reply: Reply, headers: HeaderRecord): Reply => ({
  ...reply,
  headers: { ...reply.headers, ...headers },
});

const NOT_KEPT = Object.freeze({ "content-type": "application/json", "cache-control": "no-store" });

/** Not to be kept by anyone: the answer is about one order or one moment. */
export const json = (value: unknown, status = 200): Reply => jsonText(JSON.stringify(value), status);

/** The same of a value that is text already. */
export const jsonText = (body: string, status = 200): Reply => ({ status, headers: NOT_KEPT, body });

/** HEAD opens no order, reads no code and takes no refund, and a 402 or 200 that did not would be a lie. */
export const noHead = (allow: string) => (): Reply => ({
  status: 405,
  headers: { allow, "cache-control": "no-store" },
  body: null,
});

export const text = (body: string, contentType: string, cacheControl: string): Reply => ({
  status: 200,
  headers: { "content-type": contentType, "cache-control": cacheControl },
  body,
});
