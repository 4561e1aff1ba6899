/**
 * The merchant's node as lnd's REST interface.
 * (Paths: lnd, lnrpc/lightning.yaml, lnrpc/invoicesrpc/invoices.yaml, lnrpc/routerrpc/router.yaml.)
 */
import type { Fault } from "../../faults.ts";
import { type Answer, underFault } from "../faults.ts";
import type { Network, NodeServer } from "../network.ts";
import { type Call, Calls } from "./calls.ts";
import { type LndAction, lndDialect, ownFaults } from "./faults.ts";
import { LndInvoices } from "./invoices.ts";
import { LndPayments } from "./payments.ts";
import { errorResponse, NOT_FOUND, RpcError, UNIMPLEMENTED, UNKNOWN } from "./wire.ts";

interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly action: LndAction;
  readonly stream: boolean;
  /** Acts, and says how to answer. @throws RpcError */
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

export class LndServer implements NodeServer {
  readonly #takeFault: (action: LndAction) => Fault | null;
  readonly #routes: readonly Route[];

  constructor({ world, books, invoices, payments, faults }: Network) {
    this.#takeFault = (action) => faults.take("node", action);
    this.#routes = routes(
      new Calls({
        world,
        books,
        invoices: new LndInvoices(invoices),
        payments: new LndPayments(world, books, payments),
        sent: payments,
      }),
    );
  }

  serves(path: string): boolean {
    return path.startsWith("/v1/") || path.startsWith("/v2/");
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
    const { action, stream } = route;
    const call = { request, url, param: route.path.exec(path)?.[1] ?? "", fault: this.#takeFault(action) };
    const refuse = (error: unknown) => {
      if (error instanceof RpcError) return errorResponse(error, stream);
      throw error;
    };
    const faulty = { action, own: ownFaults(action), dialect: lndDialect(stream), signal: request.signal };
    return await underFault(call.fault, faulty, async () => {
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
}

function routes(calls: Calls): Route[] {
  const get = (path: RegExp, action: LndAction, handle: Route["handle"], stream = false): Route => {
    return { method: "GET", path, action, stream, handle };
  };
  const post = (path: RegExp, action: LndAction, handle: Route["handle"], stream = false): Route => {
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
