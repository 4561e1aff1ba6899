/** A customer of the service and of its loopback peers, for rows whose work is whole lives: over `fetch`, one call after another. */
import type { OrderView } from "../src/orders/view.ts";
import type { ChallengeBody } from "../test/support/server.ts";
import type { Peers, Product } from "./product.ts";

export interface Held {
  readonly orderId: string;
  readonly authorization: string;
  readonly preimage: string;
  readonly paymentHash: string;
}

export interface Wanted {
  readonly service: string;
  readonly country?: number;
}

const LIFE_WITHIN_MS = 60_000;

/** Opens an order and pays it. @param address the customer's, for a service that trusts us as a proxy. @throws Error when it is refused */
export async function buy(product: Product, { control }: Peers, wanted: Wanted, address?: string): Promise<Held> {
  const response = await fetch(`${product.origin}/v2/l402/order`, {
    method: "POST",
    body: JSON.stringify(wanted),
    ...(address !== undefined && { headers: { "x-forwarded-for": address } }),
  });
  const { orderId, macaroon, invoice, error } = (await response.json()) as ChallengeBody;
  if (response.status !== 402) throw new Error(`No challenge: ${response.status} ${JSON.stringify(error)}`);
  const { preimage, paymentHash } = await control<Held>("POST", "/wallet/pay", { invoice });
  return { orderId, authorization: `L402 ${macaroon}:${preimage}`, preimage, paymentHash };
}

export async function read({ origin }: Product, { orderId, authorization }: Held): Promise<OrderView> {
  const response = await fetch(`${origin}/v2/l402/order/${orderId}`, { headers: { authorization } });
  return (await response.json()) as OrderView;
}

/** The SMS that the customer of this number waits for, given to the provider. */
export const receive = ({ control }: Peers, phoneNumber: string | null): Promise<unknown> =>
  control("POST", "/sms", { phoneNumber, text: "Your code is 123456" });

/** Polls every `everyMs` until `done`. @throws Error after a minute, or when the order failed, with what the service said of it */
export async function until(
  product: Product,
  held: Held,
  done: (order: OrderView) => boolean,
  everyMs: number,
): Promise<OrderView> {
  const giveUp = performance.now() + LIFE_WITHIN_MS;
  for (;;) {
    const order = await read(product, held);
    if (done(order)) return order;
    if (order.status === "refund_failed" || performance.now() > giveUp) {
      const said = product.output().split("\n");
      const lines = said.filter((line) => line.includes(held.orderId) || line.includes('"level":"error"'));
      throw new Error(`Order is ${order.status} after ${LIFE_WITHIN_MS} ms at most:\n${lines.slice(-20).join("\n")}`);
    }
    await Bun.sleep(everyMs);
  }
}

/** One life, from its challenge to its code. */
export async function live(product: Product, peers: Peers, wanted: Wanted, everyMs: number): Promise<void> {
  const held = await buy(product, peers, wanted);
  const { phoneNumber } = await until(product, held, (order) => order.phoneNumber !== null, everyMs);
  await receive(peers, phoneNumber);
  await until(product, held, ({ code }) => code !== null, everyMs);
}
