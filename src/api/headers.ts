/**
 * Headers of finished answers. What many answers have in common is made once: six headers given as texts cost an answer a microsecond, one
 * of some twenty that a poll takes.
 */

import { rememberingOf } from "../remembering.ts";

export type HeaderRecord = Readonly<Record<string, string>>;

/** The headers of every answer, under the name of the request. */
export class AnswerHeaders {
  readonly #common: HeaderRecord;
  readonly #ready: (own: HeaderRecord) => Headers;

  constructor(common: HeaderRecord) {
    this.#common = common;
    this.#ready = rememberingOf((own) => new Headers({ ...own, ...common }));
  }

  /**
   * `own` and what is common to all. A frozen record comes again, so what is made of it is kept, and is changed for the next answer:
   * a `Response` takes a copy.
   */
  with(own: HeaderRecord, requestId: string): Headers | HeaderRecord {
    if (!Object.isFrozen(own)) return { ...own, "x-request-id": requestId, ...this.#common };
    const headers = this.#ready(own);
    headers.set("x-request-id", requestId);
    return headers;
  }
}
