/**
 * A tiny simulated regtest network: the merchant's node and the customer's wallet. What the service pays and is paid here
 * are real signed invoices and real preimages; only the channels are imagined. Which protocol the merchant's node speaks
 * is chosen; the books are the same for all of them.
 */
import type { Database } from "bun:sqlite";
import type { World } from "../../../actors/runtime/world.ts";
import type { Faults } from "../faults.ts";
import type { Accept } from "../sockets.ts";
import { Books } from "./books.ts";
import { Invoices } from "./invoices.ts";
import { Payments } from "./payments.ts";
import { Wallet } from "./wallet.ts";

/** What every protocol is served from. */
export interface Network {
  readonly world: World;
  readonly books: Books;
  readonly invoices: Invoices;
  readonly payments: Payments;
  readonly wallet: Wallet;
  readonly faults: Faults;
}

/** The merchant's node in one protocol. */
export interface NodeServer {
  /** Whether calls of this path are the node's. */
  serves(path: string): boolean;
  /** @throws ConnectionReset when a fault breaks the connection; the signal's reason when the caller gave up waiting. */
  fetch(request: Request): Promise<Response>;
  /** For a path that is a WebSocket of the node: what becomes of the connection, or why it is refused. */
  socket?(request: Request): Accept | Response | null;
}

export interface NetworkOptions {
  readonly world: World;
  readonly books: Database;
  readonly faults: Faults;
}

/**
 * Continues with what `books` holds, or begins there; its tables begin with `ln_`.
 * @param feeOf what it costs the merchant's node to send so many msats, in msats.
 */
export function createNetwork({ world, books: db, faults }: NetworkOptions, feeOf?: (msat: number) => number): Network {
  const books = new Books(db, world);
  const invoices = new Invoices(world, books);
  const wallet = new Wallet(world, books, invoices);
  return { world, books, invoices, wallet, faults, payments: new Payments(world, books, wallet, feeOf) };
}
