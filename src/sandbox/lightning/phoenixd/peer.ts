/** The merchant's node as phoenixd. (ACINQ/phoenixd: Api.kt.) */
import { ConnectionReset, type Fault } from "../../faults.ts";
import type { Accept } from "../../sockets.ts";
import type { InvoiceRow } from "../books.ts";
import { type Answer, underFault } from "../faults.ts";
import type { Network, NodeServer } from "../network.ts";
import { ownFaults, PHOENIXD_DIALECT, type PhoenixdAction, SOCKET_FAULTS } from "./faults.ts";
import { incomingMessage, outgoingMessage, receivedEvent } from "./messages.ts";
import { PhoenixdPayments } from "./payments.ts";
import {
  hex32,
  json,
  NOT_FOUND,
  Params,
  PhoenixdError,
  readForm,
  UNAUTHORIZED,
  UNKNOWN_ENDPOINT,
  WRONG_METHOD,
} from "./wire.ts";

interface Call {
  readonly request: Request;
  readonly query: Params;
  /** The variable part of the path. */
  readonly param: string;
  readonly fault: Fault | null;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly action: PhoenixdAction;
  /** The body, or null for "Not found". @throws PhoenixdError */
  readonly run: (call: Call) => unknown;
}

const MAX_DESCRIPTION = 128;
const DEFAULT_EXPIRY_SECONDS = 7 * 86_400;
const DEFAULT_PAGE = 20;

export class PhoenixdServer implements NodeServer {
  readonly #network: Network;
  readonly #routes: readonly Route[];

  constructor(network: Network) {
    this.#network = network;
    this.#routes = routes(network);
  }

  serves(path: string): boolean {
    return this.#routes.some((route) => route.path.test(path));
  }

  /** @throws ConnectionReset when a fault breaks the connection; the signal's reason when the caller gave up waiting. */
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const matches = this.#routes.filter((route) => route.path.test(pathname));
    const route = matches.find(({ method }) => method === request.method);
    if (!route) return (matches.length > 0 ? WRONG_METHOD : UNKNOWN_ENDPOINT).response();
    const { action, run, path } = route;
    const fault = this.#network.faults.take("node", action);
    const call = { request, query: new Params(searchParams), param: path.exec(pathname)?.[1] ?? "", fault };
    const faulty = { action, own: ownFaults(action), dialect: PHOENIXD_DIALECT, signal: request.signal };
    return await underFault(fault, faulty, async (): Promise<Answer> => {
      try {
        if (!isAuthorized(request)) throw UNAUTHORIZED;
        const body = await run(call);
        return () => (body === null ? NOT_FOUND.response() : json(body));
      } catch (error) {
        if (!(error instanceof PhoenixdError)) throw error;
        return () => error.response();
      }
    });
  }

  /** Tells what is paid from now on; nothing is repeated. */
  socket(request: Request): Accept | Response | null {
    if (new URL(request.url).pathname !== "/websocket") return null;
    const { faults, invoices } = this.#network;
    const fault = faults.take("node", "websocket")?.fault;
    if (fault === "reset") throw new ConnectionReset();
    if (fault === "html502") return new Response("<html>502 Bad Gateway</html>", { status: 502 });
    if (fault === "http503") return PHOENIXD_DIALECT.http503();
    if (fault === "unauthorized" || !isAuthorized(request)) return UNAUTHORIZED.response();
    if (fault !== undefined && !SOCKET_FAULTS.some((known) => known === fault)) return PHOENIXD_DIALECT.http500();
    return (socket) => {
      const ended = invoices.listen((row) => {
        if (row.state !== "SETTLED" || fault === "silent_stream") return;
        if (fault === "stream_cut") return socket.cut();
        socket.send(JSON.stringify(receivedEvent(row, invoices.labelOf(row.hash))));
      });
      return { message: () => {}, ended };
    };
  }
}

function routes({ world, books, invoices, payments }: Network): Route[] {
  const payer = new PhoenixdPayments(world, books, payments);
  const incoming = (row: InvoiceRow) => incomingMessage(row, invoices.labelOf(row.hash), Math.floor(world.now()));
  const get = (path: RegExp, action: PhoenixdAction, run: Route["run"]): Route => ({
    method: "GET",
    path,
    action,
    run,
  });
  const post = (path: RegExp, action: PhoenixdAction, run: Route["run"]): Route => ({
    method: "POST",
    path,
    action,
    run,
  });
  const sats = (name: "local" | "remote") => Math.floor(books.balance(name) / 1000);
  return [
    get(/^\/getinfo$/, "getinfo", () => ({
      nodeId: books.publicKey("merchant"),
      channels: [
        {
          state: "Normal",
          channelId: "11".repeat(32),
          balanceSat: sats("local"),
          inboundLiquiditySat: sats("remote"),
          capacitySat: sats("local") + sats("remote"),
          fundingTxId: "22".repeat(32),
        },
      ],
      chain: "regtest",
      blockHeight: 144,
      version: "0.8.0-loopback",
    })),
    get(/^\/getbalance$/, "getbalance", () => ({ balanceSat: sats("local"), feeCreditSat: 0 })),
    post(/^\/createinvoice$/, "createinvoice", async ({ request }) => {
      const form = await readForm(request);
      const amountSat = form.integer("amountSat");
      const description = form.text("description");
      if (description === null) throw new PhoenixdError(400, "Must provide either a description or descriptionHash");
      if (description.length > MAX_DESCRIPTION) {
        const limit = `(max ${MAX_DESCRIPTION} characters)`;
        throw new PhoenixdError(400, `Request parameter description is too long ${limit}`);
      }
      const label = form.text("externalId");
      const row = invoices.add({
        preimage: null,
        valueMsat: (amountSat ?? 0) * 1000,
        memo: description,
        expirySeconds: form.integer("expirySeconds") ?? DEFAULT_EXPIRY_SECONDS,
        ...(label !== null && { label }),
      });
      if (!row) throw new PhoenixdError(500, "");
      return { amountSat, paymentHash: row.hash, serialized: row.bolt11 };
    }),
    get(/^\/payments\/incoming$/, "listincoming", ({ query }) => {
      const column = query.text("all") === "true" ? "created_ms" : "settled_ms";
      const from = query.integer("from") ?? 0;
      const to = query.integer("to") ?? Math.floor(world.now());
      const id = query.text("externalId");
      return invoices
        .select(
          `${column} BETWEEN ? AND ? AND (? = '' OR hash IN (SELECT hash FROM ln_labels WHERE label = ?))
           ORDER BY ${column} DESC, add_index DESC LIMIT ? OFFSET ?`,
          [from, to, id ?? "", id ?? "", query.integer("limit") ?? DEFAULT_PAGE, query.integer("offset") ?? 0],
        )
        .map(incoming);
    }),
    get(/^\/payments\/incoming\/([^/]+)$/, "getincoming", ({ param }) => {
      const row = invoices.find(hex32("paymentHash", param));
      return row && incoming(row);
    }),
    post(/^\/payinvoice$/, "payinvoice", async ({ request, fault }) =>
      payer.pay(await readForm(request), fault, request.signal),
    ),
    get(/^\/payments\/outgoing$/, "listoutgoing", ({ query }) => {
      const all = query.text("all") === "true";
      const [column, status] = all ? ["created_ms", "1"] : ["resolved_ms", "status = 'SUCCEEDED'"];
      const from = query.integer("from") ?? 0;
      const to = query.integer("to") ?? Math.floor(world.now());
      return payments
        .select(`${status} AND ${column} BETWEEN ? AND ? ORDER BY payment_index LIMIT ? OFFSET ?`, [
          from,
          to,
          query.integer("limit") ?? DEFAULT_PAGE,
          query.integer("offset") ?? 0,
        ])
        .map(outgoingMessage);
    }),
    get(/^\/payments\/outgoingbyhash\/([^/]+)$/, "getoutgoing", ({ param }) => {
      const row = payments.find(hex32("paymentHash", param));
      return row && outgoingMessage(row);
    }),
    post(/^\/decodeinvoice$/, "decodeinvoice", async ({ request }) => {
      const invoice = books.read((await readForm(request)).required("invoice"));
      if (!invoice.ok) throw new PhoenixdError(400, "Request parameter invoice couldn't be parsed");
      return {
        chain: "regtest",
        amount: invoice.amountMsat,
        paymentHash: invoice.paymentHash,
        description: invoice.description,
      };
    }),
  ];
}

/** Any password will do, under any name. */
function isAuthorized(request: Request): boolean {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  return /^[^:]*:.+$/.test(Buffer.from(basic, "base64").toString("utf8"));
}
