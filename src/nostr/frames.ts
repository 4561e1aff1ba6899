/** The frames of a relay (NIP-01) as nobody vouches for them, and its demand to know who we are (NIP-42). */
import { type Filter, matchFilter } from "nostr-tools/filter";
import { makeAuthEvent } from "nostr-tools/nip42";
import { type Event, type EventTemplate, type NostrEvent, validateEvent, verifyEvent } from "nostr-tools/pure";

export type Frame = readonly unknown[];

/** Null for what is too long, no JSON or no list. */
export function readFrame(text: string, maxLength: number): Frame | null {
  if (text.length > maxLength) return null;
  try {
    const frame: unknown = JSON.parse(text);
    return Array.isArray(frame) ? frame : null;
  } catch {
    return null;
  }
}

/** An event that matches and whose signature is good, or null. Checking a signature costs milliseconds. */
export function readEvent(value: unknown, filter: Filter): Event | null {
  const event = value as Event;
  return validateEvent(event) && matchFilter(filter, event) && verifyEvent(event) ? event : null;
}

export function wantsAuth(reason: unknown): boolean {
  return typeof reason === "string" && reason.startsWith("auth-required:");
}

/** NIP-42 for one connection: at most one answer, and only when the relay refused to go on without. */
export class Authentication {
  readonly #url: string;
  readonly #sign: (template: EventTemplate) => NostrEvent;
  #challenge: string | null = null;
  #isWanted = false;
  #answer: NostrEvent | null = null;
  #isKnown = false;

  constructor(url: string, sign: (template: EventTemplate) => NostrEvent) {
    this.#url = url;
    this.#sign = sign;
  }

  /** Takes the frames that concern authentication: the challenge, and the relay's word on our answer. */
  read([type, subject, ok]: Frame): "not_mine" | "waiting" | "done" | "refused" {
    if (type === "AUTH" && typeof subject === "string") {
      this.#challenge = subject;
      return "waiting";
    }
    if (type !== "OK" || this.#answer === null || subject !== this.#answer.id) return "not_mine";
    this.#isKnown = ok === true;
    return this.#isKnown ? "done" : "refused";
  }

  /**
   * The relay refused to go on without; false when it knows who we are and there is nothing more to offer. Until it has taken our answer, it
   * speaks of what was sent before.
   */
  want(): boolean {
    this.#isWanted = true;
    return !this.#isKnown;
  }

  /** The answer to send now, once. */
  answer(): NostrEvent | null {
    if (!this.#isWanted || this.#challenge === null || this.#answer !== null) return null;
    this.#answer = this.#sign(makeAuthEvent(this.#url, this.#challenge));
    return this.#answer;
  }
}
