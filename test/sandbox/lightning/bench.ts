/**
 * A bench for the Lightning peer: a world whose clock is turned by hand, whose chance comes from a seed and which has no
 * network, and a client that talks to the peer in-process or over a socket.
 */
import { Database } from "bun:sqlite";
import type { Cancel, Millis, World } from "../../../actors/runtime/world.ts";
import { Faults } from "../../../src/sandbox/faults.ts";
import { LightningPeer } from "../../../src/sandbox/lightning/peer.ts";

export const START = Date.parse("2026-03-01T12:00:00.500Z");

export class HandWorld implements World {
  #now: Millis = START;
  #seed: number;
  #timers: { time: Millis; run: () => void }[] = [];

  constructor(seed = 1) {
    this.#seed = seed;
  }

  now(): Millis {
    return this.#now;
  }

  /** Mulberry32: small, seeded, good enough for a test. */
  random(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => {
      this.#seed = (this.#seed + 0x6d2b79f5) | 0;
      let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return (mixed ^ (mixed >>> 14)) & 0xff;
    });
  }

  at(time: Millis, run: () => void): Cancel {
    const timer = { time, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  fetch(): Promise<Response> {
    throw new Error("The peer has no network");
  }

  connect(): never {
    throw new Error("The peer opens no sockets");
  }

  hold(): () => void {
    return () => {};
  }

  /** Moves the clock and fires what came due on the way, in order. */
  advance(seconds: number): void {
    const target = this.#now + seconds * 1000;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.time <= target).sort((a, b) => a.time - b.time)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.time);
      due.run();
    }
    this.#now = target;
  }

  get armed(): number {
    return this.#timers.length;
  }
}

type Json = Record<string, unknown>;
export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** Lines of a stream, or the one object of an answer; empty when the body is no JSON. */
  readonly json: Json[];
}

export const MACAROON = { "Grpc-Metadata-Macaroon": "0201036c6e64" };

export class Bench {
  readonly world: HandWorld;
  readonly books: Database;
  readonly faults = new Faults();
  peer: LightningPeer;

  constructor(seed = 1) {
    this.world = new HandWorld(seed);
    this.books = new Database(":memory:", { strict: true });
    this.peer = new LightningPeer({ world: this.world, books: this.books, faults: this.faults });
  }

  /** A new process on the same books. */
  restart(): void {
    this.peer.close();
    this.peer = new LightningPeer({ world: this.world, books: this.books, faults: this.faults });
  }

  fault(action: string, fault: string, detail: Json = {}, times = 1): void {
    this.faults.plan({ peer: "node", action, fault, detail }, times);
  }

  async get(path: string, init: RequestInit = {}): Promise<Reply> {
    return await this.#call(path, { headers: MACAROON, ...init });
  }

  async post(path: string, body: unknown, init: RequestInit = {}): Promise<Reply> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return await this.#call(path, { method: "POST", headers: MACAROON, body: text, ...init });
  }

  /** Adds an invoice at the merchant's node. */
  async add(body: Json = { value: "1000", memo: "Order", expiry: "300" }): Promise<Added> {
    const [answer] = (await this.post("/v1/invoices", body)).json;
    const hash = Buffer.from(String(answer?.r_hash), "base64").toString("hex");
    return { bolt11: String(answer?.payment_request), hash };
  }

  async lookup(hash: string): Promise<Json> {
    return (await this.get(`/v1/invoice/${hash}`)).json[0] ?? {};
  }

  async send(invoice: string, body: Json = {}): Promise<Reply> {
    const defaults = { payment_request: invoice, fee_limit_sat: "20", timeout_seconds: 60, no_inflight_updates: true };
    return await this.post("/v2/router/send", { ...defaults, ...body });
  }

  async track(hash: string): Promise<Reply> {
    return await this.get(`/v2/router/track/${pathHash(hash)}`);
  }

  async balance(): Promise<{ local: number; remote: number; outgoing: number }> {
    const answer = (await this.get("/v1/balance/channels")).json[0] ?? {};
    const msat = (name: string) => Number((answer[name] as { msat: string }).msat);
    return {
      local: msat("local_balance"),
      remote: msat("remote_balance"),
      outgoing: msat("unsettled_remote_balance"),
    };
  }

  /** Everything about all payments, as the node lists them. */
  async payments(): Promise<Json[]> {
    const [answer] = (await this.get("/v1/payments?include_incomplete=true")).json;
    return answer?.payments as Json[];
  }

  async #call(path: string, init: RequestInit): Promise<Reply> {
    const response = await this.peer.fetch(new Request(`http://node${path}`, init));
    return await read(response);
  }
}

interface Added {
  readonly bolt11: string;
  /** Hex. */
  readonly hash: string;
}

export async function read(response: Response): Promise<Reply> {
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  let json: Json[] = [];
  try {
    json = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Json);
  } catch {
    // Some faults answer what is no JSON; their tests look at the text.
  }
  return { status: response.status, type, text, json };
}

/** A payment hash as the path wants it: URL-safe base64 with padding, escaped. */
export function pathHash(hash: string): string {
  const base64 = Buffer.from(hash, "hex").toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  return encodeURIComponent(base64);
}

/** The last line of a payment's stream. */
export function payment(reply: Reply): Json {
  return (reply.json.at(-1)?.result ?? {}) as Json;
}

/** Reads a stream line by line. */
export class LineReader {
  readonly #reader: { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void> };
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(response: Response) {
    if (!response.body) throw new Error("No body");
    this.#reader = response.body.getReader();
  }

  /** The next line as JSON, or null at the end of the stream. */
  async next(): Promise<Json | null> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(line) as Json;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** Serves the bench's peer on a real socket. */
export function serve(bench: Bench) {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    // Quiet streams send nothing, not even headers.
    idleTimeout: 0,
    // It rejects when the client has left; whatever is answered then reaches nobody.
    fetch: (request) => bench.peer.fetch(request).catch(() => new Response(null, { status: 499 })),
  });
}

/** Waits, a few turns at a time, until `condition` holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 3_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited too long until ${what}`);
    await Bun.sleep(2);
  }
}
