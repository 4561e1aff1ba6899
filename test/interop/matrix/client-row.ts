/**
 * One client's row of the published matrix: it buys, repeats its purchase, polls, and comes back after it lost its state, each as that
 * client does it, against a running server. What it must never do is pay twice.
 */
import { hashOf } from "../clients.ts";

/** The server, and the wallet that all clients of one row pay with. */
export interface Shop {
  readonly orderUrl: string;
  /** Body of the purchase. */
  readonly body: string;
  /** Pays once per invoice; the invoices are remembered. @returns the preimage */
  pay(invoice: string): Promise<string>;
  readonly paid: readonly string[];
}

/** A client at work. Whatever it cannot do it throws. */
export interface Session {
  /** Asks, reads the challenge, pays, shows the credential. */
  buy(): Promise<Response>;
  /** Repeats the purchase. */
  replay(): Promise<Response>;
  poll(orderUrl: string): Promise<Response>;
  /** Comes back without what it had in memory; the wallet still knows its payments. */
  recover(): Promise<Response>;
}

export interface Driver {
  readonly client: string;
  readonly version: string;
  /** The published package itself, or its documented rules. */
  readonly how: "package" | "rules";
  start(shop: Shop): Session;
}

export const CLIENT_COLUMNS = ["challenge", "paid", "replay", "poll", "recovery", "paid once"] as const;
export type ClientColumn = (typeof CLIENT_COLUMNS)[number];
/** "yes", or what went wrong. */
export type Cells<Column extends string> = Readonly<Record<Column, string>>;

/** Runs one client through all columns. Never throws: what goes wrong is in the cell. */
export async function tryClient(driver: Driver, shop: Shop): Promise<Cells<ClientColumn>> {
  const session = driver.start(shop);
  const cells: Record<ClientColumn, string> = {
    challenge: "not reached",
    paid: "not reached",
    replay: "not reached",
    poll: "not reached",
    recovery: "not reached",
    "paid once": "not reached",
  };
  let orderId = "";
  cells.paid = await said(async () => {
    orderId = await orderIdOf(await session.buy());
  });
  cells.challenge = shop.paid.length > 0 ? "yes" : `nothing was paid (${cells.paid})`;
  if (cells.paid !== "yes") return cells;
  const same = async (response: Response): Promise<void> => {
    const id = await orderIdOf(response);
    if (id !== orderId) throw new Error("another order");
  };
  cells.replay = await said(async () => same(await session.replay()));
  cells.poll = await said(async () => same(await session.poll(`${shop.orderUrl}/${orderId}`)));
  cells.recovery = await said(async () => {
    const response = await session.recover();
    // A client that kept nothing at all is told where its order is, and not to pay.
    if (response.status === 409) {
      const { error } = (await response.json()) as { error?: { statusUrl?: string } };
      if (error?.statusUrl?.endsWith(orderId)) return;
    }
    await same(response);
  });
  cells["paid once"] = shop.paid.length === 1 ? "yes" : `paid ${shop.paid.length} times`;
  return cells;
}

async function said(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "yes";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function orderIdOf(response: Response): Promise<string> {
  // Forwarders take no other status for success.
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  const { orderId } = (await response.json()) as { orderId?: unknown };
  if (typeof orderId !== "string") throw new Error("no order in the answer");
  return orderId;
}

/** A wallet of its own for each row, so that what it paid can be counted. */
export function openShop(orderUrl: string, body: string, payInvoice: (invoice: string) => Promise<string>): Shop {
  const preimages = new Map<string, string>();
  const paid: string[] = [];
  return {
    orderUrl,
    body,
    paid,
    async pay(invoice) {
      const hash = hashOf(invoice);
      const known = preimages.get(hash);
      if (known !== undefined) return known;
      paid.push(invoice);
      const preimage = await payInvoice(invoice);
      preimages.set(hash, preimage);
      return preimage;
    },
  };
}

/** The purchase as most clients send it. */
export const purchase = ({ orderUrl, body }: Shop, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(orderUrl, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
