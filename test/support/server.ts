/** A server process on free ports with its own data directory, and a customer who talks to it as an agent would. */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OrderView } from "../../src/orders/view.ts";
import type { ProviderView } from "../../src/sandbox/provider/peer.ts";
import { outcomeOf, type SpawnOptions, spawnServer } from "./spawn.ts";

export interface Bought {
  readonly orderId: string;
  readonly macaroon: string;
  readonly preimage: string;
  readonly authorization: string;
  readonly priceSats: number;
  readonly paymentHash: string;
}

export interface ChallengeBody {
  readonly orderId: string;
  readonly invoice: string;
  readonly macaroon: string;
  readonly priceSats: number;
  readonly paymentHash: string;
  readonly expiresAt: string;
  readonly error: { readonly code: string };
}

export interface ServerOptions extends Omit<SpawnOptions, "dataDir"> {
  /** Default: a fresh one, removed at the end. */
  readonly dataDir?: string;
}

/** For a program that is to end by itself. */
const ENDS_WITHIN_MS = 20_000;

/** What the API answered, whichever it was. */
export interface Told {
  readonly status: number;
  readonly headers: Headers;
  /** Only meaningful at 200. */
  readonly order: OrderView;
  /** Only meaningful at anything else. */
  readonly error: { readonly code: string; readonly retryAfterSeconds?: number; readonly field?: string };
}

export async function toldBy(response: Response): Promise<Told> {
  const body = (await response.json()) as OrderView & Pick<Told, "error">;
  return { status: response.status, headers: response.headers, order: body, error: body.error };
}

export interface WalletView {
  readonly balanceSats: number;
  readonly payments: readonly {
    readonly paymentHash: string;
    readonly amountSats: number;
    readonly direction: "in" | "out";
  }[];
}

export type { ProviderView };

/** The control surface of the sandbox; `GET /sandbox` lists the calls. `base` ends in `/sandbox`. */
export function controlOf(base: string) {
  return async <T>(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${base}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  };
}

export type RunningServer = Awaited<ReturnType<typeof startServer>>;

export async function startServer(options: ServerOptions = {}) {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "l402-test-"));
  const child = spawnServer({ ...options, dataDir });
  const addresses = await child.listening();
  if (!addresses) {
    child.signal("SIGKILL");
    const code = await child.ended();
    throw new Error(`The server did not start (exit ${code}):\n${child.output()}`);
  }
  const { origin, sandbox } = addresses;

  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${origin}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  const control = controlOf(sandbox);

  async function challenge(request: unknown, headers: Record<string, string> = {}): Promise<ChallengeBody> {
    const response = await post("/v2/l402/order", request, headers);
    const text = await response.text();
    if (response.status !== 402) throw new Error(`Expected 402, got ${response.status}: ${text}`);
    return JSON.parse(text) as ChallengeBody;
  }

  async function pay({ orderId, invoice, macaroon, priceSats }: ChallengeBody): Promise<Bought> {
    const { preimage, paymentHash } = await control<{ preimage: string; paymentHash: string }>("POST", "/wallet/pay", {
      invoice,
    });
    return { orderId, macaroon, preimage, authorization: `L402 ${macaroon}:${preimage}`, priceSats, paymentHash };
  }

  async function read({ orderId, authorization }: Pick<Bought, "orderId" | "authorization">): Promise<OrderView> {
    const response = await fetch(`${origin}/v2/l402/order/${orderId}`, { headers: { authorization } });
    const text = await response.text();
    if (!response.ok) throw new Error(`GET order: ${response.status} ${text}`);
    return JSON.parse(text) as OrderView;
  }

  return {
    origin,
    sandbox,
    dataDir,
    pid: child.pid,
    output: child.output,
    post,
    control,
    challenge,
    pay,
    read,
    buy: async (request: unknown, headers: Record<string, string> = {}) => pay(await challenge(request, headers)),

    /** Polls until `done`; gives up after `limitMs` of real time. */
    async until(bought: Bought, done: (order: OrderView) => boolean, limitMs = 10_000): Promise<OrderView> {
      const giveUp = performance.now() + limitMs;
      for (;;) {
        const order = await read(bought);
        if (done(order)) return order;
        if (performance.now() > giveUp) throw new Error(`Still ${order.status} after ${limitMs} ms`);
        await Bun.sleep(8);
      }
    },
    call: (path: string, { authorization }: Pick<Bought, "authorization">, body: unknown = {}) =>
      post(path, body, { authorization }),
    advance: (advanceSeconds: number) => control<{ now: string }>("POST", "/clock", { advanceSeconds }),
    sms: (phoneNumber: string | null, text: string) => control("POST", "/sms", { phoneNumber, text }),
    fault: (peer: string, action: string, fault: string, times = 1, detail: Record<string, unknown> = {}) =>
      control("POST", "/faults", { peer, action, fault, times, ...detail }),
    /** Forgets what was planned; returns what had not happened yet. */
    async unusedFaults(): Promise<unknown[]> {
      const { faults } = await control<{ faults: unknown[] }>("GET", "/faults");
      await control("DELETE", "/faults");
      return faults;
    },
    wallet: () => control<WalletView>("GET", "/wallet"),
    /** The provider's own books, newest first. */
    books: () => control<ProviderView>("GET", "/provider"),
    cancel: async ({ orderId, authorization }: Pick<Bought, "orderId" | "authorization">): Promise<Told> =>
      toldBy(await post(`/v2/l402/order/${orderId}/cancel`, {}, { authorization })),
    /** Names a new destination of the refund. */
    redirect: async (
      { orderId, authorization }: Pick<Bought, "orderId" | "authorization">,
      refundInvoice: string,
    ): Promise<Told> =>
      toldBy(await post(`/v2/l402/order/${orderId}/refund-invoice`, { refundInvoice }, { authorization })),
    /** A purchase that may be refused. */
    ask: async (request: unknown, headers: Record<string, string> = {}): Promise<Told> =>
      toldBy(await post("/v2/l402/order", request, headers)),
    /** An invoice of the customer's wallet, without an amount. */
    refundInvoice: async (expirySeconds = 7200) =>
      (await control<{ invoice: string; paymentHash: string }>("POST", "/wallet/invoice", { expirySeconds })).invoice,

    /** The process dies at once, as in a power cut of the process alone. */
    async kill(): Promise<void> {
      child.signal("SIGKILL");
      await child.ended();
    },
    /** A clean stop; the data directory is removed unless it was given. @returns the exit code. */
    async stop(): Promise<number | null> {
      child.signal("SIGTERM");
      const code = await child.ended();
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
      return code;
    },
  };
}

/** Runs the program until it ends by itself: for starts that must be refused, and for its other commands. */
export async function runToEnd(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<{ readonly code: number; readonly output: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/main.ts"), ...args], {
    env: { PATH: process.env.PATH ?? "", PORT: "0", SANDBOX_PORT: "0", LOG_FORMAT: "json", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const late = setTimeout(() => child.kill("SIGKILL"), ENDS_WITHIN_MS);
  const { out, err, code } = await outcomeOf(child);
  clearTimeout(late);
  return { code, output: out + err };
}

/**
 * Time passes while a server with embedded peers is stopped: when it starts again it is that much later. For weeks and months, through
 * which a running server would have to walk minute by minute.
 */
export function passWhileStopped(dataDir: string, seconds: number): void {
  const books = new Database(join(dataDir, "sandbox.sqlite"));
  books.run(
    "INSERT INTO clock (id, offset_ms) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET offset_ms = offset_ms + excluded.offset_ms",
    [seconds * 1_000],
  );
  books.close();
}
