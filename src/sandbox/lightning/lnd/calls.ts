/**
 * The calls of the merchant's node, one method each: read the request, act, and say how to answer.
 * (lnd: rpcserver.go, lnrpc/invoicesrpc/invoices_server.go, lnrpc/routerrpc/router_server.go.)
 */
import type { World } from "../../../../actors/runtime/world.ts";
import type { Fault } from "../../faults.ts";
import type { Books, PaymentRow } from "../books.ts";
import { readInvoice } from "../decode.ts";
import type { Answer } from "../faults.ts";
import type { Payments } from "../payments.ts";
import { wrongPreimage } from "../payments.ts";
import type { LndInvoices } from "./invoices.ts";
import {
  addInvoiceMessage,
  balanceMessage,
  infoMessage,
  invoiceListMessage,
  invoiceMessage,
  payReqMessage,
} from "./messages.ts";
import { initiatedMessage, paymentListMessage, paymentMessage } from "./payment-messages.ts";
import type { LndPayments } from "./payments.ts";
import { type Feed, streamResponse } from "./streams.ts";
import { bytesFromUrl, INVALID_ARGUMENT, JSON_HEADERS, RpcError, readBody, readQuery, UNKNOWN } from "./wire.ts";

export interface Call {
  readonly request: Request;
  readonly url: URL;
  /** The variable part of the path. */
  readonly param: string;
  readonly fault: Fault | null;
}

/** Every method may throw RpcError; then it has done nothing. */
export class Calls {
  readonly #world: World;
  readonly #books: Books;
  readonly #invoices: LndInvoices;
  readonly #payments: LndPayments;
  /** Of the network, behind lnd's view of them. */
  readonly #sent: Payments;

  constructor(of: { world: World; books: Books; invoices: LndInvoices; payments: LndPayments; sent: Payments }) {
    this.#world = of.world;
    this.#books = of.books;
    this.#invoices = of.invoices;
    this.#payments = of.payments;
    this.#sent = of.sent;
  }

  info(): Answer {
    return message(infoMessage(this.#books.publicKey("merchant"), this.#world.now()));
  }

  balance(): Answer {
    const books = this.#books;
    return message(balanceMessage(books.balance("local"), books.balance("remote"), this.#sent.inFlightMsat()));
  }

  async add({ request }: Call): Promise<Answer> {
    const fields = {
      memo: "string",
      r_preimage: "bytes",
      value: "int",
      value_msat: "int",
      expiry: "int",
      cltv_expiry: "int",
      private: "bool",
    } as const;
    return message(addInvoiceMessage(this.#invoices.add(await readBody(request, fields))));
  }

  list({ url }: Call): Answer {
    const rows = this.#invoices.list(
      readQuery(url, {
        pending_only: "bool",
        index_offset: "int",
        num_max_invoices: "int",
        reversed: "bool",
        creation_date_start: "int",
        creation_date_end: "int",
      } as const),
    );
    return message(invoiceListMessage(rows));
  }

  lookup({ param }: Call): Answer {
    if (!/^([0-9a-fA-F]{2})*$/.test(param)) throw new RpcError(UNKNOWN, "encoding/hex: invalid byte");
    if (param.length !== 64) {
      throw new RpcError(UNKNOWN, `payment hash must be exactly 32 bytes, is instead ${param.length / 2}`);
    }
    return message(invoiceMessage(this.#invoices.lookup(param.toLowerCase())));
  }

  lookupV2({ url }: Call): Answer {
    const { payment_hash: hash } = readQuery(url, { payment_hash: "bytes" } as const);
    if (hash === "") throw new RpcError(INVALID_ARGUMENT, "invoice ref must be set");
    if (hash.length !== 64) {
      const why = `invalid hash length of ${hash.length / 2}, want 32`;
      throw new RpcError(INVALID_ARGUMENT, `unable to parse pay hash: ${why}`);
    }
    return message(invoiceMessage(this.#invoices.lookup(hash)));
  }

  async cancel({ request }: Call): Promise<Answer> {
    this.#invoices.cancel((await readBody(request, { payment_hash: "bytes" } as const)).payment_hash);
    return message({});
  }

  subscribe({ request, url, fault }: Call): Answer {
    const { add_index, settle_index } = readQuery(url, { add_index: "int", settle_index: "int" } as const);
    const feed: Feed = (lines) => {
      if (fault?.fault === "silent_stream") return () => {};
      return this.#invoices.subscribe(add_index, settle_index, (row) => {
        lines.send(invoiceMessage(row));
        if (fault?.fault === "duplicate_events") lines.send(invoiceMessage(row));
        if (fault?.fault === "stream_cut") lines.end();
      });
    };
    return stream(feed, request.signal);
  }

  async send({ request, fault }: Call): Promise<Answer> {
    const fields = {
      payment_request: "string",
      amt: "int",
      amt_msat: "int",
      fee_limit_sat: "int",
      fee_limit_msat: "int",
      timeout_seconds: "int",
      cltv_limit: "int",
      max_parts: "int",
      no_inflight_updates: "bool",
      // Once HTLCs are out, closing the stream does not call them back: there is nothing left to cancel.
      cancelable: "bool",
    } as const;
    const body = await readBody(request, fields);
    const row = this.#payments.send(body, fault);
    const follow = this.#follow(row.hash, body.no_inflight_updates, fault);
    const feed: Feed = (lines) => {
      if (!body.no_inflight_updates) lines.send(initiatedMessage(row));
      return follow(lines);
    };
    return stream(feed, request.signal);
  }

  track({ request, url, param }: Call): Answer {
    const hash = bytesFromUrl("payment_hash", param);
    const quiet = readQuery(url, { no_inflight_updates: "bool" } as const).no_inflight_updates;
    if (hash.length !== 64) throw new RpcError(UNKNOWN, `invalid hash length of ${hash.length / 2}, want 32`);
    this.#payments.lookup(hash);
    return stream(this.#follow(hash, quiet, null), request.signal);
  }

  /** The payment as it stands, then its end. */
  #follow(hash: string, quiet: boolean, fault: Fault | null): Feed {
    const router = this.#books.publicKey("router");
    return (lines) => {
      const end = (row: PaymentRow) => {
        const lies = fault?.fault === "wrong_preimage" && row.status === "SUCCEEDED";
        lines.send(paymentMessage(lies ? wrongPreimage(this.#world, row) : row, router));
        lines.end();
      };
      const now = this.#payments.lookup(hash);
      if (now.status !== "IN_FLIGHT") {
        end(now);
        return () => {};
      }
      if (!quiet) lines.send(paymentMessage(now, router));
      return this.#sent.watch(hash, end);
    };
  }

  listPayments({ url }: Call): Answer {
    const query = readQuery(url, {
      include_incomplete: "bool",
      index_offset: "int",
      max_payments: "int",
      reversed: "bool",
      creation_date_start: "int",
      creation_date_end: "int",
      count_total_payments: "bool",
    } as const);
    const total = query.count_total_payments ? this.#sent.count() : 0;
    const router = this.#books.publicKey("router");
    return message(paymentListMessage(this.#payments.list(query), router, total));
  }

  payReq({ param }: Call): Answer {
    const invoice = readInvoice(param);
    if (!invoice.ok) throw new RpcError(UNKNOWN, invoice.reason);
    return message(payReqMessage(invoice));
  }
}

function message(body: object): Answer {
  return () => new Response(JSON.stringify(body), { headers: JSON_HEADERS });
}

function stream(feed: Feed, signal: AbortSignal): Answer {
  return () => streamResponse(feed, signal);
}
