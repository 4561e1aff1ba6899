/** The merchant's node as Core Lightning behind clnrest. (plugins/rest-plugin; doc/developers-guide/app-development/rest.md.) */

import { type Fault, hang } from "../../faults.ts";
import { type Answer, underFault } from "../faults.ts";
import { DEFAULT_FINAL_CLTV } from "../mint.ts";
import type { Network, NodeServer } from "../network.ts";
import { CLN_ACTIONS, CLN_DIALECT, type ClnAction, ownFaults } from "./faults.ts";
import { ClnInvoices, DELETE, INVOICE, LIST } from "./invoices.ts";
import { channelMessage, infoMessage, payMessage } from "./messages.ts";
import { ClnPayments, XPAY } from "./payments.ts";
import { BAD_RUNE, ClnError, INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_RUNE, readParams, success } from "./wire.ts";

type Run = (request: Request, fault: Fault | null) => object | Promise<object>;

export class ClnServer implements NodeServer {
  readonly #network: Network;
  readonly #calls: Readonly<Record<ClnAction, Run>>;

  constructor(network: Network) {
    this.#network = network;
    this.#calls = calls(network);
  }

  serves(path: string): boolean {
    return path.startsWith("/v1/");
  }

  /** @throws ConnectionReset when a fault breaks the connection; the signal's reason when the caller gave up waiting. */
  async fetch(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    const method = /^\/v1\/(.+)$/.exec(path)?.[1] ?? "";
    if (request.method !== "POST") {
      const why = "Path invalid, http_method must be POST for CLN methods";
      return new ClnError(METHOD_NOT_FOUND, why, { status: 405 }).response();
    }
    const action = CLN_ACTIONS.find((known) => known === method);
    if (!action) {
      return new ClnError(METHOD_NOT_FOUND, `Unknown command '${method}'`, { status: 404 }).response();
    }
    const fault = this.#network.faults.take("node", action);
    const faulty = { action, own: ownFaults(action), dialect: CLN_DIALECT, signal: request.signal };
    return await underFault(fault, faulty, async (): Promise<Answer> => {
      try {
        authorize(request);
        // The rune is looked at before the parameters.
        if (fault?.fault === "forbidden") {
          throw new ClnError(BAD_RUNE, "Not authorized: method is not equal to any allowed", { status: 401 });
        }
        const body = await this.#calls[action](request, fault);
        return () => success(body);
      } catch (error) {
        if (!(error instanceof ClnError)) throw error;
        return () => error.response();
      }
    });
  }
}

function calls({ world, books, invoices: rows, payments }: Network): Record<ClnAction, Run> {
  const invoices = new ClnInvoices(world, rows);
  const payer = new ClnPayments(world, books, payments);
  return {
    getinfo: () => infoMessage(books.publicKey("merchant")),
    listpeerchannels: () => {
      const [local, remote] = [books.balance("local"), books.balance("remote")];
      return { channels: [channelMessage(books.publicKey("router"), local, remote, payments.inFlightMsat())] };
    },
    invoice: async (request) => invoices.add(await readParams(request, INVOICE)),
    listinvoices: async (request) => ({ invoices: invoices.list(await readParams(request, LIST)) }),
    delinvoice: async (request) => invoices.delete(await readParams(request, DELETE)),
    wait: async (request) => {
      const fields = { subsystem: "string", indexname: "string", nextvalue: "u64" } as const;
      const { subsystem, indexname, nextvalue } = await readParams(request, fields);
      if (subsystem !== "invoices" || (indexname !== "created" && indexname !== "updated")) {
        throw new ClnError(INVALID_PARAMS, "indexname: unknown index for subsystem");
      }
      const highest = invoices.highest(indexname);
      // Only what is there already can be asked for here; nobody waits for more.
      return nextvalue > highest ? await hang(request.signal) : { subsystem, [indexname]: highest };
    },
    waitanyinvoice: async (request, fault) => {
      const { lastpay_index: last = 0, timeout } = await readParams(request, {
        lastpay_index: "u64?",
        timeout: "u64?",
      });
      if (fault?.fault === "silent_stream") return await hang(request.signal);
      return invoices.waitAny(last, timeout, request.signal);
    },
    xpay: async (request, fault) => payer.xpay(await readParams(request, XPAY), fault, request.signal),
    listpays: async (request) => {
      const { payment_hash: hash } = await readParams(request, { payment_hash: "hex32?" });
      const rows =
        hash === undefined
          ? payments.select("1 ORDER BY payment_index", [])
          : payments.select("hash = ? ORDER BY payment_index", [hash]);
      return { pays: rows.map(payMessage) };
    },
    decode: async (request) => {
      const { string } = await readParams(request, { string: "string" });
      const invoice = books.read(string);
      if (!invoice.ok) throw new ClnError(INVALID_PARAMS, `string: ${invoice.reason}: invalid token`);
      return {
        type: "bolt11 invoice",
        currency: "bcrt",
        created_at: invoice.timestamp,
        expiry: invoice.expirySeconds,
        payee: invoice.payee,
        ...(invoice.amountMsat !== null && { amount_msat: invoice.amountMsat }),
        description: invoice.description,
        min_final_cltv_expiry: invoice.finalCltv ?? DEFAULT_FINAL_CLTV,
        payment_hash: invoice.paymentHash,
        valid: true,
      };
    },
  };
}

/** Any rune will do that is one by its looks: base64url of at least a hash. */
function authorize(request: Request): void {
  const rune = request.headers.get("rune");
  if (!rune) throw new ClnError(MISSING_RUNE, "Not authorized: Missing rune", { status: 403 });
  if (!/^[A-Za-z0-9_-]{43,}={0,2}$/.test(rune)) {
    throw new ClnError(BAD_RUNE, "Not authorized: Invalid rune", { status: 401 });
  }
}
