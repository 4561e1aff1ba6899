/**
 * A server that answers what a test tells it to, in the exact bodies of lnd's REST interface, and remembers what it was
 * asked. Real sockets, so that the adapter is tested as it ships.
 */
import { createServer, type Socket } from "node:net";
import { RealWorld } from "../../actors/runtime/world.ts";
import { createLnd } from "../../src/lightning/lnd.ts";
import type { LightningNode } from "../../src/lightning/port.ts";

export const MACAROON = "0201036c6e64";

export interface Asked {
  readonly method: string;
  /** Path and query, as sent. */
  readonly path: string;
  readonly macaroon: string | null;
  readonly body: unknown;
}

type Answer = (asked: Asked, signal: AbortSignal) => Response | Promise<Response>;

export class FakeLnd {
  readonly asked: Asked[] = [];
  readonly world = new RealWorld();
  readonly node: LightningNode;
  readonly #answers: { readonly start: string; readonly answer: Answer }[] = [];
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
    this.node = createLnd({
      world: this.world,
      baseUrl: `http://127.0.0.1:${this.#server.port}/`,
      macaroonHex: MACAROON,
    });
    this.on("GET /v1/getinfo", () => json(INFO));
  }

  /** Answers requests whose "METHOD path" starts with `start`; the newest rule wins. */
  on(start: string, answer: Answer): void {
    this.#answers.unshift({ start, answer });
  }

  paths(): string[] {
    return this.asked.map(({ method, path }) => `${method} ${path}`);
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const text = await request.text();
    const asked: Asked = {
      method: request.method,
      path: pathname + search,
      macaroon: request.headers.get("grpc-metadata-macaroon"),
      body: text ? JSON.parse(text) : null,
    };
    this.asked.push(asked);
    const rule = this.#answers.find(({ start }) => `${asked.method} ${asked.path}`.startsWith(start));
    return rule ? rule.answer(asked, request.signal) : failure(404, 5, "Not Found");
  }
}

export const PUBKEY = "02".padEnd(66, "5");
export const INFO = {
  version: "0.21.2-beta commit=v0.21.2-beta",
  commit_hash: "",
  identity_pubkey: PUBKEY,
  alias: "shop",
  color: "#3399ff",
  num_active_channels: 2,
  block_height: 812345,
  synced_to_chain: true,
  synced_to_graph: false,
  testnet: false,
  chains: [{ chain: "bitcoin", network: "regtest" }],
  uris: [],
};

export const json = (body: unknown, status = 200): Response => Response.json(body, { status });

/** The body of a failed unary call. */
export const failure = (status: number, code: number, message: string): Response =>
  json({ code, message, details: [] }, status);

/** The body of a stream that failed before its first message. */
export const streamFailure = (status: number, code: number, message: string): Response =>
  new Response(`${JSON.stringify({ error: { code, message, details: [] } })}\n`, { status });

/** A stream that sends these messages and ends. */
export const messages = (...results: unknown[]): Response =>
  new Response(results.map((result) => `${JSON.stringify({ result })}\n`).join(""));

/** A stream that stays open; `send` writes raw text or bytes. */
export function openEnded(): {
  readonly response: Response;
  send(piece: string | Uint8Array): void;
  end(): void;
  readonly closed: Promise<void>;
} {
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  const closed = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    start: (opened) => {
      controller = opened;
    },
    cancel: () => closed.resolve(),
  });
  return {
    response: new Response(stream),
    send: (piece) => controller?.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece),
    end: () => controller?.close(),
    closed: closed.promise,
  };
}

/** A server that sends these bytes to every request and then breaks the connection. */
export async function breakingServer(
  bytes: string,
): Promise<{ url: string; requests: () => number; stop(): Promise<void> }> {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => {
      requests++;
      if (bytes === "") socket.destroy();
      // A little later, or the receiver drops the bytes together with the connection.
      else socket.write(bytes, () => setTimeout(() => socket.destroy(), 30));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("Not listening");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests: () => requests,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

export const base64 = (hex: string): string => Buffer.from(hex, "hex").toString("base64");

/** lnrpc.Invoice, as lnd writes it. */
export function invoice(hash: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    memo: "number",
    r_preimage: base64("77".repeat(32)),
    r_hash: base64(hash),
    value: "1234",
    value_msat: "1234000",
    settled: false,
    creation_date: "1700000000",
    settle_date: "0",
    payment_request: "lnbcrt...",
    description_hash: "",
    expiry: "300",
    fallback_addr: "",
    cltv_expiry: "80",
    route_hints: [],
    private: false,
    add_index: "7",
    settle_index: "0",
    amt_paid: "0",
    amt_paid_sat: "0",
    amt_paid_msat: "0",
    state: "OPEN",
    htlcs: [],
    features: {},
    is_keysend: false,
    payment_addr: base64("66".repeat(32)),
    is_amp: false,
    amp_invoice_state: {},
    is_blinded: false,
    blinded_path_config: null,
    ...more,
  };
}

export const settled = (
  hash: string,
  index: number,
  seconds = 1_700_000_100,
  msat = "1234567",
): Record<string, unknown> =>
  invoice(hash, {
    settled: true,
    state: "SETTLED",
    settle_date: String(seconds),
    settle_index: String(index),
    amt_paid: msat,
    amt_paid_sat: String(Math.floor(Number(msat) / 1000)),
    amt_paid_msat: msat,
  });

/** An AMP invoice that was paid: settled by its payments alone. One that a payer made up has neither request nor hash. */
export const ampInvoice = (hash: string | null): Record<string, unknown> =>
  invoice(hash ?? "", {
    ...(hash === null && { payment_request: "", memo: "" }),
    r_preimage: "",
    settled: true,
    state: "SETTLED",
    is_amp: true,
    amt_paid: "5000",
    amt_paid_sat: "5",
    amt_paid_msat: "5000",
    amp_invoice_state: {
      ["44".repeat(32)]: { state: "SETTLED", settle_index: "4", settle_time: "1700000100", amt_paid_msat: "5000" },
    },
  });

/** lnrpc.Payment, as lnd writes it. */
export function payment(hash: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    payment_hash: hash,
    value: "1234",
    creation_date: "1700000000",
    fee: "0",
    payment_preimage: "0".repeat(64),
    value_sat: "1234",
    value_msat: "1234000",
    payment_request: "lnbcrt...",
    status: "IN_FLIGHT",
    fee_sat: "0",
    fee_msat: "0",
    creation_time_ns: "1700000000000000000",
    htlcs: [],
    payment_index: "3",
    failure_reason: "FAILURE_REASON_NONE",
    first_hop_custom_records: {},
    ...more,
  };
}
