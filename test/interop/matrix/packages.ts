/** Rows of clients as published on npm. */
import { Fetch402InterruptedError, fetch402, fetchWithL402, fetchWithMpp } from "@getalby/lightning-tools/402";
import { fetchWithL402 as fetchWithL402v6, MemoryStorage } from "lt6";
import { fetchWithL402 as fetchWithL402v8 } from "lt8/402";
import type { Driver, Session, Shop } from "./client-row.ts";

const post = ({ body }: Shop, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json", ...headers },
});

interface Credentials {
  readonly header: string;
  readonly value: string;
}

/** Version 9: with credentials, or with what is left of an interrupted payment, it never pays. */
function nine(buy: typeof fetchWithL402, headers: Record<string, string> = {}) {
  return (shop: Shop): Session => {
    const wallet = { payInvoice: async ({ invoice }: { invoice: string }) => ({ preimage: await shop.pay(invoice) }) };
    let credentials: Credentials = { header: "", value: "" };
    let pending: Fetch402InterruptedError["pendingPayment"] | null = null;
    return {
      async buy() {
        // The wallet pays and its answer is lost: what remains is a token that can be stored.
        const losing = {
          payInvoice: async (asked: { invoice: string }): Promise<never> => {
            await wallet.payInvoice(asked);
            throw new Error("Timeout");
          },
        };
        const failure = await buy(shop.orderUrl, post(shop, headers), { wallet: losing }).catch(
          (error: unknown) => error,
        );
        if (!(failure instanceof Fetch402InterruptedError)) throw new Error("no interrupted payment was told");
        pending = failure.pendingPayment;
        const resume = { pendingPayment: pending, preimage: await shop.pay(failure.invoice) };
        const response = await buy(shop.orderUrl, post(shop, headers), { wallet, resume });
        credentials = response.payment?.credentials ?? credentials;
        return response;
      },
      replay: () => buy(shop.orderUrl, post(shop, headers), { wallet, credentials }),
      poll: (url) => buy(url, {}, { wallet, credentials }),
      async recover() {
        if (!pending || !shop.paid[0]) throw new Error("nothing is pending");
        const stored = JSON.parse(JSON.stringify(pending)) as typeof pending;
        const resume = { pendingPayment: stored, preimage: await shop.pay(shop.paid[0]) };
        return buy(shop.orderUrl, post(shop, headers), { wallet, resume });
      },
    };
  };
}

/** Version 8: credentials, and no way back without them but the same Idempotency-Key, which is told not to pay. */
function eight(shop: Shop): Session {
  const key = { "idempotency-key": crypto.randomUUID() };
  const wallet = { payInvoice: async ({ invoice }: { invoice: string }) => ({ preimage: await shop.pay(invoice) }) };
  let credentials: Credentials = { header: "", value: "" };
  return {
    async buy() {
      const response = await fetchWithL402v8(shop.orderUrl, post(shop, key), { wallet });
      credentials = response.payment?.credentials ?? credentials;
      return response;
    },
    replay: () => fetchWithL402v8(shop.orderUrl, post(shop, key), { wallet, credentials }),
    poll: (url) => fetchWithL402v8(url, {}, { wallet, credentials }),
    recover: () => fetchWithL402v8(shop.orderUrl, post(shop, key), { wallet }),
  };
}

/** Version 6: a cache by exact URL, so it polls by repeating its purchase. */
function six(shop: Shop): Session {
  const key = { "idempotency-key": crypto.randomUUID() };
  // Only these two of WebLN are used.
  const webln = {
    enable: async () => undefined,
    sendPayment: async (invoice: string) => ({ preimage: await shop.pay(invoice) }),
  } as unknown as NonNullable<Parameters<typeof fetchWithL402v6>[2]["webln"]>;
  const store = new MemoryStorage();
  const again = () => fetchWithL402v6(shop.orderUrl, post(shop, key), { webln, store });
  return {
    buy: again,
    replay: again,
    poll: again,
    recover: () => fetchWithL402v6(shop.orderUrl, post(shop, key), { webln, store: new MemoryStorage() }),
  };
}

const ASKING = { "accept-payment": "lightning/charge" };
const alby = (name: string, version: string, start: Driver["start"]): Driver => ({
  client: `@getalby/lightning-tools ${name}`,
  version,
  how: "package",
  start,
});

export const PACKAGE_DRIVERS: readonly Driver[] = [
  alby("fetchWithL402", "9.0.1", nine(fetchWithL402)),
  alby("fetch402", "9.0.1", nine(fetch402)),
  alby("fetch402, MPP", "9.0.1", nine(fetch402, ASKING)),
  alby("fetchWithMpp", "9.0.1", nine(fetchWithMpp, ASKING)),
  alby("fetchWithL402", "8.2.0", eight),
  alby("fetchWithL402", "6.1.0", six),
];
