/**
 * A tiny simulated regtest network: the merchant's node, which speaks lnd's REST, and the customer's wallet. What
 * the service pays and is paid here are real signed invoices and real preimages; only the channels are imagined.
 * (Paths: lnd, lnrpc/lightning.yaml, lnrpc/invoicesrpc/invoices.yaml, lnrpc/routerrpc/router.yaml.)
 */
import type { Database } from "bun:sqlite";
import type { World } from "../../../actors/runtime/world.ts";
import type { Faults } from "../faults.ts";
import { Books } from "./books.ts";
import { type Call, Calls } from "./calls.ts";
import { type Answer, type NodeAction, underFault } from "./faults.ts";
import { Invoices } from "./invoices.ts";
import { Payments } from "./payments.ts";
import { Wallet } from "./wallet.ts";
import { errorResponse, NOT_FOUND, RpcError, UNIMPLEMENTED, UNKNOWN } from "./wire.ts";

interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly action: NodeAction;
  readonly stream: boolean;
  /** Acts, and says how to answer. @throws RpcError */
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

export class LightningPeer {
  /** The customer's wallet. */
  readonly wallet: Wallet;
  readonly #faults: Faults;
  readonly #payments: Payments;
  readonly #routes: readonly Route[];

  /** Continues with what `books` holds, or begins there. Its tables begin with `ln_`. */
  constructor({ world, books, faults }: { world: World; books: Database; faults: Faults }) {
    const records = new Books(books, world);
    const invoices = new Invoices(world, records);
    this.#faults = faults;
    this.wallet = new Wallet(world, records, invoices);
    this.#payments = new Payments(world, records, this.wallet);
    this.#routes = routes(new Calls(world, records, invoices, this.#payments));
  }

  /**
   * Answers one call of lnd's REST. A stream's answer comes with its first message, not before.
   * @throws ConnectionReset when a fault breaks the connection; the signal's reason when the caller gave up waiting.
   */
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = decodePath(url.pathname);
    const matches = this.#routes.filter((route) => route.path.test(path));
    const route = matches.find((candidate) => candidate.method === request.method);
    if (!route) return errorResponse(noRoute(matches.length > 0), false);
    const call = {
      request,
      url,
      param: route.path.exec(path)?.[1] ?? "",
      fault: this.#faults.take("node", route.action),
    };
    const refuse = (error: unknown) => {
      if (error instanceof RpcError) return errorResponse(error, route.stream);
      throw error;
    };
    const { action, stream } = route;
    return await underFault(call.fault, { action, stream, signal: request.signal }, async () => {
      try {
        authorize(request);
        const answer = await route.handle(call);
        return async () => {
          try {
            return await answer();
          } catch (error) {
            return refuse(error);
          }
        };
      } catch (error) {
        const refusal = refuse(error);
        return () => refusal;
      }
    });
  }

  /** Lets go of its timers. What is in flight goes on when the books are opened again. */
  close(): void {
    this.#payments.close();
  }
}

function routes(calls: Calls): Route[] {
  const get = (path: RegExp, action: NodeAction, handle: Route["handle"], stream = false): Route => {
    return { method: "GET", path, action, stream, handle };
  };
  const post = (path: RegExp, action: NodeAction, handle: Route["handle"], stream = false): Route => {
    return { method: "POST", path, action, stream, handle };
  };
  return [
    get(/^\/v1\/getinfo$/, "getinfo", () => calls.info()),
    get(/^\/v1\/balance\/channels$/, "balance", () => calls.balance()),
    post(/^\/v1\/invoices$/, "addinvoice", (call) => calls.add(call)),
    get(/^\/v1\/invoices$/, "listinvoices", (call) => calls.list(call)),
    get(/^\/v1\/invoices\/subscribe$/, "subscribe", (call) => calls.subscribe(call), true),
    get(/^\/v1\/invoice\/([^/]+)$/, "lookupinvoice", (call) => calls.lookup(call)),
    get(/^\/v2\/invoices\/lookup$/, "lookupinvoice", (call) => calls.lookupV2(call)),
    post(/^\/v2\/invoices\/cancel$/, "cancelinvoice", (call) => calls.cancel(call)),
    post(/^\/v2\/router\/send$/, "send", (call) => calls.send(call), true),
    get(/^\/v2\/router\/track\/([^/]+)$/, "track", (call) => calls.track(call), true),
    get(/^\/v1\/payments$/, "listpayments", (call) => calls.listPayments(call)),
    get(/^\/v1\/payreq\/([^/]+)$/, "decodepayreq", (call) => calls.payReq(call)),
  ];
}

/** Unescaped before it is split, like grpc-gateway does: a `/` within base64 tears a path apart even as %2F. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function noRoute(pathKnown: boolean): RpcError {
  return pathKnown ? new RpcError(UNIMPLEMENTED, "Method Not Allowed") : new RpcError(NOT_FOUND, "Not Found");
}

/** Any macaroon will do that is one by its looks. (lnd: macaroons/service.go; plain errors, hence HTTP 500.) */
function authorize(request: Request): void {
  const macaroon = request.headers.get("Grpc-Metadata-Macaroon");
  if (macaroon === null || macaroon === "") throw new RpcError(UNKNOWN, "expected 1 macaroon, got 0");
  if (!/^([0-9a-fA-F]{2})+$/.test(macaroon)) throw new RpcError(UNKNOWN, "encoding/hex: invalid byte");
  if (macaroon === "00") throw new RpcError(UNKNOWN, "cannot determine data format of binary-encoded macaroon");
}
