/**
 * lnd's REST interface in front of a real node (LDK), as far as the shipped adapter speaks it: the adapter under test then moves real
 * HTLCs. Shapes and errors are the sandbox's, which follow lnd's source.
 */
import type { World } from "../../../actors/runtime/world.ts";
import type { InvoiceRow, PaymentRow } from "../../../src/sandbox/lightning/books.ts";
import {
  addInvoiceMessage,
  balanceMessage,
  infoMessage,
  invoiceListMessage,
  invoiceMessage,
} from "../../../src/sandbox/lightning/lnd/messages.ts";
import { paymentMessage } from "../../../src/sandbox/lightning/lnd/payment-messages.ts";
import { type Lines, streamResponse } from "../../../src/sandbox/lightning/lnd/streams.ts";
import {
  ALREADY_EXISTS,
  bytesFromUrl,
  errorResponse,
  JSON_HEADERS,
  NOT_FOUND,
  RpcError,
  readBody,
  readQuery,
  UNKNOWN,
} from "../../../src/sandbox/lightning/lnd/wire.ts";
import type { LdkNode } from "./network.ts";
import { judge } from "./network.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Invoice = Writable<InvoiceRow>;
type Payment = Writable<PaymentRow>;

const NO_SECRET = "00".repeat(32);

export class LndFront {
  readonly #world: World;
  readonly #node: LdkNode;
  readonly #invoices: Invoice[] = [];
  readonly #payments = new Map<string, Payment>();
  readonly #subscribers = new Set<Lines>();
  readonly #watchers = new Map<string, Set<(payment: Payment) => void>>();
  readonly #server: ReturnType<typeof Bun.serve>;
  #settled = 0;

  constructor(world: World, node: LdkNode) {
    this.#world = world;
    this.#node = node;
    node.listener = {
      received: (hash, msat) => this.#received(hash, msat),
      sent: (hash, preimage, feeMsat) => this.#ended(hash, { status: "SUCCEEDED", preimage, fee_msat: feeMsat }),
      failed: (hash) => this.#ended(hash, { status: "FAILED", failure_reason: "NO_ROUTE" }),
    };
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = decodeURIComponent(url.pathname);
    const isStream = path.startsWith("/v2/router/");
    try {
      return await this.#route(request, url, path);
    } catch (error) {
      if (error instanceof RpcError) return errorResponse(error, isStream);
      throw error;
    }
  }

  async #route(request: Request, url: URL, path: string): Promise<Response> {
    const [, hash] = /^\/v1\/invoice\/([0-9a-f]{64})$/.exec(path) ?? [];
    if (hash) return message(invoiceMessage(this.#invoice(hash)));
    const [, tracked] = /^\/v2\/router\/track\/(.+)$/.exec(path) ?? [];
    if (tracked) return this.#follow(bytesFromUrl("payment_hash", tracked), request.signal);
    switch (`${request.method} ${path}`) {
      case "GET /v1/getinfo":
        return message(infoMessage(this.#node.id, this.#world.now()));
      case "GET /v1/balance/channels": {
        const { outMsat, inMsat } = this.#node.balance();
        return message(balanceMessage(outMsat, inMsat, 0));
      }
      case "POST /v1/invoices":
        return message(
          addInvoiceMessage(
            this.#add(
              // The preimage is LDK's to choose, unlike lnd's.
              await readBody(request, { memo: "string", value: "int", expiry: "int", r_preimage: "bytes" } as const),
            ),
          ),
        );
      case "GET /v1/invoices":
        return message(invoiceListMessage(this.#invoices));
      case "GET /v1/invoices/subscribe":
        return this.#subscribe(readQuery(url, { settle_index: "int" } as const).settle_index, request.signal);
      case "POST /v2/invoices/cancel":
        this.#cancel((await readBody(request, { payment_hash: "bytes" } as const)).payment_hash);
        return message({});
      case "POST /v2/router/send":
        return this.#send(request);
      default:
        throw new RpcError(NOT_FOUND, "Not Found");
    }
  }

  #invoice(hash: string): Invoice {
    const invoice = this.#invoices.find((candidate) => candidate.hash === hash);
    if (!invoice) throw new RpcError(NOT_FOUND, "unable to locate invoice");
    return invoice;
  }

  #add({ memo, value, expiry }: { memo: string; value: number; expiry: number }): Invoice {
    const { bolt11, hash } = this.#node.invoice(value * 1000, memo, expiry);
    const invoice: Invoice = {
      add_index: this.#invoices.length + 1,
      hash,
      preimage: NO_SECRET,
      secret: NO_SECRET,
      bolt11,
      memo,
      value_msat: value * 1000,
      expiry_seconds: expiry,
      final_cltv: judge(bolt11)?.minFinalCltv ?? 0,
      created_ms: this.#world.now(),
      state: "OPEN",
      settle_index: null,
      settled_ms: null,
      paid_msat: 0,
    };
    this.#invoices.push(invoice);
    return invoice;
  }

  #cancel(hash: string): void {
    const invoice = this.#invoice(hash);
    if (invoice.state === "SETTLED") throw new RpcError(UNKNOWN, "invoice already settled");
    invoice.state = "CANCELED";
  }

  #received(hash: string, msat: number): void {
    const invoice = this.#invoices.find((candidate) => candidate.hash === hash);
    if (!invoice) return;
    Object.assign(invoice, {
      state: "SETTLED",
      settle_index: ++this.#settled,
      settled_ms: this.#world.now(),
      paid_msat: msat,
    });
    for (const lines of this.#subscribers) lines.send(invoiceMessage(invoice));
  }

  #subscribe(settleIndex: number, signal: AbortSignal): Promise<Response> {
    return streamResponse((lines) => {
      this.#subscribers.add(lines);
      const missed = this.#invoices.filter(({ settle_index }) => settleIndex > 0 && (settle_index ?? 0) > settleIndex);
      for (const invoice of missed) lines.send(invoiceMessage(invoice));
      return () => this.#subscribers.delete(lines);
    }, signal);
  }

  async #send(request: Request): Promise<Response> {
    const body = await readBody(request, {
      payment_request: "string",
      amt: "int",
      fee_limit_sat: "int",
      timeout_seconds: "int",
      no_inflight_updates: "bool",
      cltv_limit: "int",
    } as const);
    const read = judge(body.payment_request);
    if (!read) throw new RpcError(UNKNOWN, "invalid payment request");
    if (read.issuedAt + read.expirySeconds * 1000 < this.#world.now()) {
      throw new RpcError(UNKNOWN, "invoice expired. Valid until then");
    }
    const known = this.#payments.get(read.hash);
    const payment: Payment = {
      payment_index: known?.payment_index ?? this.#payments.size + 1,
      hash: read.hash,
      bolt11: body.payment_request,
      payee: read.payee,
      secret: NO_SECRET,
      value_msat: body.amt * 1000,
      fee_msat: 0,
      created_ms: this.#world.now(),
      status: "IN_FLIGHT",
      failure_reason: "NONE",
      preimage: null,
      resolved_ms: null,
      resolve_ms: null,
      resolve: "succeeded",
    };
    // The row is there before any HTLC goes out, and what LDK refuses never had one.
    if (!known) this.#payments.set(read.hash, payment);
    const sent = this.#node.pay(body.payment_request, body.amt * 1000);
    if (sent === "duplicate") {
      if (!known) this.#payments.delete(read.hash);
      const done = known?.status === "SUCCEEDED";
      throw new RpcError(ALREADY_EXISTS, done ? "invoice is already paid" : "payment is in transition");
    }
    if (known && known.status === "FAILED") Object.assign(known, payment);
    if (sent !== "sent") this.#ended(read.hash, { status: "FAILED", failure_reason: "NO_ROUTE" });
    return this.#follow(read.hash, request.signal);
  }

  #follow(hash: string, signal: AbortSignal): Promise<Response> {
    const payment = this.#payments.get(hash);
    if (!payment) throw new RpcError(NOT_FOUND, "payment isn't initiated");
    return streamResponse((lines) => {
      lines.send(paymentMessage(payment, this.#node.id));
      if (payment.status !== "IN_FLIGHT") {
        lines.end();
        return () => {};
      }
      const watchers = this.#watchers.get(hash) ?? new Set();
      this.#watchers.set(hash, watchers);
      const end = (ended: Payment) => {
        lines.send(paymentMessage(ended, this.#node.id));
        lines.end();
      };
      watchers.add(end);
      return () => watchers.delete(end);
    }, signal);
  }

  #ended(hash: string, how: Partial<Payment>): void {
    const payment = this.#payments.get(hash);
    if (!payment) return;
    Object.assign(payment, how, { resolved_ms: this.#world.now() });
    for (const watcher of [...(this.#watchers.get(hash) ?? [])]) watcher(payment);
  }
}

const message = (body: object): Response => new Response(JSON.stringify(body), { headers: JSON_HEADERS });
