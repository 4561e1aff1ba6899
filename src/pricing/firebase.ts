/**
 * The rate shared over a Firebase Realtime Database, at `sms4sats/fxrates/current`, by its REST protocol. Writes are
 * conditional on the ETag that was read (Firebase: "Conditional Requests"), so that of two writers the newer rate
 * stays. Whatever is read is somebody else's input and validated as such.
 */
import type { World } from "../../actors/runtime/world.ts";
import { type Answer, type Call, call } from "../wire.ts";
import { type OfferOutcome, type Rate, readRate, type SharedRateCache } from "./rate.ts";

/** `secret`: a database secret or Firebase ID token, sent as `auth=`. `bearer`: an OAuth 2 token, sent as a header. */
export type FirebaseAuth =
  | { readonly kind: "secret"; readonly secret: string }
  | { readonly kind: "bearer"; readonly token: string };

export interface FirebaseOptions {
  /** E.g. `https://<database>.firebaseio.com`. */
  readonly baseUrl: string;
  readonly auth?: FirebaseAuth;
  /** Limit for one call, ms. Default 5 s. */
  readonly timeoutMs?: number;
}

const PATH = "/sms4sats/fxrates/current.json";
const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_BYTES = 16 * 1024;
/** Each further try means that another writer came first; after a few of those its rate is as good as ours. */
const MAX_TRIES = 3;

/** What is stored and under which ETag. */
interface Stored {
  readonly rate: Rate | null;
  readonly etag: string | null;
}

export class FirebaseRates implements SharedRateCache {
  readonly #world: World;
  readonly #request: Pick<Call, "url" | "timeoutMs" | "maxBytes">;
  readonly #headers: Record<string, string>;

  constructor(world: World, options: FirebaseOptions) {
    const { auth } = options;
    const query = auth?.kind === "secret" ? `?auth=${encodeURIComponent(auth.secret)}` : "";
    const url = options.baseUrl.replace(/\/$/, "") + PATH + query;
    this.#world = world;
    this.#request = { url, timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS, maxBytes: MAX_BYTES };
    this.#headers = auth?.kind === "bearer" ? { authorization: `Bearer ${auth.token}` } : {};
  }

  async read(): Promise<Rate | null> {
    return (await this.#get())?.rate ?? null;
  }

  async offer(rate: Rate): Promise<OfferOutcome> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const stored = await this.#get();
      // Without an ETag a write could undo another's.
      if (!stored?.etag) return "failed";
      // A rate from the future would block every writer until then: it is replaced, not respected.
      if (stored.rate && stored.rate.at >= rate.at && stored.rate.at <= this.#world.now()) return "newer_kept";
      const answer = await this.#call({ method: "PUT", headers: { "if-match": stored.etag }, body: encode(rate) });
      if (answer?.status === 200 || answer?.status === 204) return "written";
      // 412 Precondition Failed: another writer came between; look again at what is there now.
      if (answer?.status !== 412) return "failed";
    }
    return "failed";
  }

  async #get(): Promise<Stored | null> {
    const answer = await this.#call({ method: "GET", headers: { "x-firebase-etag": "true" } });
    if (answer?.status !== 200) return null;
    return { rate: decode(answer.text), etag: answer.headers.get("etag") };
  }

  /** Null when the answer was lost. */
  #call(request: Pick<Call, "method" | "headers" | "body">): Promise<Answer | null> {
    const headers = { ...this.#headers, "content-type": "application/json", ...request.headers };
    return call(this.#world, { ...this.#request, ...request, headers }).catch(() => null);
  }
}

function encode(rate: Rate): string {
  return JSON.stringify({ cents: rate.cents, at: rate.at, sources: rate.sources });
}

function decode(text: string): Rate | null {
  try {
    return readRate(JSON.parse(text));
  } catch {
    return null;
  }
}
