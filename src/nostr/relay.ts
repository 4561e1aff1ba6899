/**
 * One short conversation with one Nostr relay (NIP-01, with NIP-42 when the relay insists): publish an event, or fetch
 * the newest one that matches. Nothing a relay does reaches further than its own conversation: time, frames and their
 * size are limited, what it says is never printed, and every outcome is a value.
 *
 * Instead of the library's relay pool, which keeps its own timers, prints what relays send to the console, and lets a
 * refused authentication end as an unhandled rejection.
 */
import type { Filter } from "nostr-tools/filter";
import type { Event, EventTemplate, NostrEvent } from "nostr-tools/pure";
import type { World } from "../../actors/runtime/world.ts";
import { Authentication, type Frame, readEvent, readFrame, wantsAuth } from "./frames.ts";

export interface Conversation {
  readonly world: World;
  /** Already checked: see relay-url.ts. */
  readonly url: string;
  readonly timeoutMs: number;
  /** Ends the conversation early. */
  readonly signal: AbortSignal;
  /** Signs the answer to a NIP-42 challenge. Asked only when the relay refused to go on without. */
  readonly sign: (template: EventTemplate) => NostrEvent;
}

/** `lost`: no complete answer came; for a publish that means the relay may have the event. */
export type PublishOutcome = "accepted" | "refused" | "lost";
export type FetchOutcome = { readonly kind: "found"; readonly event: Event | null } | { readonly kind: "lost" };

const MAX_FRAME = 64 * 1024;
const MAX_FRAMES = 32;
/** Checking a signature costs milliseconds: a relay gets few of them. */
const MAX_EVENTS = 4;
/** How long (real ms) a conversation may keep a steered clock waiting, as in wire.ts. */
const CLOCK_PATIENCE_MS = 250;
const SUBSCRIPTION = "1";

/** Publishes one event. Never rejects. */
export function publish(conversation: Conversation, event: NostrEvent): Promise<PublishOutcome> {
  return converse<PublishOutcome>(conversation, ["EVENT", event], "lost", ([type, id, ok, reason]) => {
    if (type !== "OK" || id !== event.id) return null;
    if (ok === true) return "accepted";
    return wantsAuth(reason) ? AUTHENTICATE : "refused";
  });
}

/** Fetches the newest event that matches; signatures are verified. Never rejects. */
export function fetchNewest(conversation: Conversation, filter: Filter): Promise<FetchOutcome> {
  let newest: Event | null = null;
  let seen = 0;
  return converse<FetchOutcome>(conversation, ["REQ", SUBSCRIPTION, filter], { kind: "lost" }, (frame) => {
    const [type, subscription, subject] = frame;
    if (subscription !== SUBSCRIPTION) return null;
    if (type === "EVENT" && ++seen <= MAX_EVENTS) {
      const event = readEvent(subject, filter);
      if (event && (newest === null || event.created_at > newest.created_at)) newest = event;
    }
    if (type === "EOSE") return { kind: "found", event: newest };
    if (type === "CLOSED") return wantsAuth(subject) ? AUTHENTICATE : { kind: "lost" };
    return null;
  });
}

/** Said by a reader of frames: authenticate, then make the request again. */
const AUTHENTICATE = "authenticate";

/**
 * Opens a socket, makes the request and hands frames to `read` until it gives an outcome; `lost` is the outcome when the
 * time is over, the socket breaks or a limit is passed.
 */
function converse<Outcome>(
  conversation: Conversation,
  request: Frame,
  lost: Outcome,
  read: (frame: Frame) => Outcome | typeof AUTHENTICATE | null,
): Promise<Outcome> {
  const { world, url, timeoutMs, signal } = conversation;
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(lost);
    const release = world.hold("relay conversation", CLOCK_PATIENCE_MS);
    let over = false;
    const end = (outcome: Outcome) => {
      if (over) return;
      over = true;
      stopTimer();
      signal.removeEventListener("abort", giveUp);
      release();
      socket.close();
      resolve(outcome);
    };
    const giveUp = () => end(lost);
    const stopTimer = world.at(world.now() + timeoutMs, giveUp);
    signal.addEventListener("abort", giveUp, { once: true });
    const auth = new Authentication(url, conversation.sign);
    let frames = 0;
    const received = (text: string) => {
      if (over) return;
      const frame = ++frames <= MAX_FRAMES ? readFrame(text, MAX_FRAME) : null;
      if (!frame) return giveUp();
      const next = auth.read(frame);
      if (next === "done") return void socket.send(JSON.stringify(request));
      if (next === "refused") return giveUp();
      const outcome = next === "not_mine" ? read(frame) : null;
      if (outcome === AUTHENTICATE) {
        if (!auth.want()) return giveUp();
      } else if (outcome !== null) return end(outcome);
      const answer = auth.answer();
      if (answer) socket.send(JSON.stringify(["AUTH", answer]));
    };
    const opened = () => socket.send(JSON.stringify(request));
    const socket = world.connect(url, { opened, received, closed: giveUp });
  });
}
