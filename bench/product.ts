/**
 * The service as shipped, its peers in a process of their own on the other core: durable journal, log at the default level, metrics, limits.
 * Caps are raised by documented settings only.
 */
import { mkdirSync } from "node:fs";
import { openBooks } from "../src/sandbox/books.ts";
import { controlOf } from "../test/support/server.ts";
import { type Running, scratch, start } from "./processes.ts";

export interface Product extends Running {
  readonly port: number;
  readonly origin: string;
  readonly dataDir: string;
  /** From the start of the process to the line that says where it listens, ms. */
  readonly startMs: number;
}

export interface Peers extends Running {
  readonly url: string;
  readonly dataDir: string;
  readonly control: ReturnType<typeof controlOf>;
}

export const RAISED: Readonly<Record<string, string>> = {
  LOG_FORMAT: "json",
  CREATE_PER_MINUTE: "10000000",
  READ_PER_MINUTE: "100000000",
  MAX_UNPAID: "10000000",
  MAX_UNPAID_PER_CLIENT: "1000000",
  MAX_CANCELLED_PER_CLIENT: "1000000",
  BAN_PAIR_NUMBERS: "1000000",
  BAN_ACCOUNT_NUMBERS: "10000000",
  BAN_PAIR_PERCENT: "0",
  BAN_ACCOUNT_PERCENT: "0",
};

/** What one provider account may be asked each second; as fast as the program can, it takes the place of many accounts. */
export const UNPACED: Readonly<Record<string, string>> = { PROVIDER_CALLS_PER_SECOND: "10000" };

/** The provider must know where to post its webhooks before the service listens; without this it has none. */
export function withWebhook(): Readonly<Record<string, string>> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  server.stop(true);
  return { PORT: String(port) };
}

/** Of Bun itself, to profile the service or its peers. */
const argumentsIn = (name: "BENCH_BUN_ARGS" | "BENCH_PEER_ARGS"): string[] => process.env[name]?.split(" ") ?? [];

let folders = 0;
export function newFolder(): string {
  const path = scratch(`data-${folders++}`);
  mkdirSync(path, { recursive: true });
  return path;
}

/** One client opens all orders, and may set aside a tenth of what there is: ten minutes of 10,000 orders a second. */
function enrich(dataDir: string): void {
  const books = openBooks(dataDir);
  books.run("UPDATE ln_balances SET msat = msat * 200");
  books.run("UPDATE provider_account SET balance = balance * 200");
  books.close();
}

export async function startPeers(env: Readonly<Record<string, string>> = {}): Promise<Peers> {
  const dataDir = newFolder();
  const peers = await start(
    [...argumentsIn("BENCH_PEER_ARGS"), "src/sandbox/standalone.ts"],
    { DATA_DIR: dataDir, SANDBOX_PORT: "0", SANDBOX_SMS_AFTER_MS: "off", ...env },
    /^Sandbox listening on (\S+)/m,
  );
  enrich(dataDir);
  const url = new URL(peers.found[1] ?? "").origin;
  return { ...peers, url, dataDir, control: controlOf(`${url}/sandbox`) };
}

export async function startProduct(
  { url }: Pick<Peers, "url">,
  {
    dataDir = newFolder(),
    env = {},
    entry = ["src/main.ts"],
    executable,
  }: {
    readonly dataDir?: string;
    readonly env?: Readonly<Record<string, string>>;
    /** Another program around the service, with its arguments. */
    readonly entry?: readonly string[];
    /** The single-file build, in place of the sources. */
    readonly executable?: string;
  } = {},
): Promise<Product> {
  const began = performance.now();
  const product = await start(
    executable === undefined ? [...argumentsIn("BENCH_BUN_ARGS"), ...entry] : [],
    { PORT: "0", DATA_DIR: dataDir, SANDBOX_URL: url, ...RAISED, ...env },
    /^API +(\S+)/m,
    executable,
  );
  const { port, origin } = new URL(product.found[1] ?? "");
  return { ...product, port: Number(port), origin, dataDir, startMs: performance.now() - began };
}

/** A GET as a client of the service sends it. */
export const get = (path: string, headers: Readonly<Record<string, string>> = {}): string =>
  `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines(headers)}\r\n`;

export const post = (path: string, body: string, bodyLength: number): string =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${bodyLength}\r\n\r\n${body}`;

const lines = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
