/** `@getalby/lightning-tools` as published, against the running server: buys, polls, resumes, and never pays twice. */
import { describe, expect, test } from "bun:test";
import { Fetch402InterruptedError, fetch402, fetchWithL402, fetchWithMpp } from "@getalby/lightning-tools/402";
import type { OrderView } from "../../src/orders/view.ts";
import { documentedServer } from "../support/openapi.ts";

const server = documentedServer();
const orderUrl = () => `${server().origin}/v2/l402/order`;
const DEFAULT = { service: "telegram", country: "US" };
const purchase = (body: unknown = DEFAULT, headers: Record<string, string> = {}) => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

/** The customer's wallet in the form of an NWC client. */
function newWallet() {
  const paid: string[] = [];
  const payInvoice = async ({ invoice }: { invoice: string }) => {
    const { preimage } = await server().control<{ preimage: string }>("POST", "/wallet/pay", { invoice });
    paid.push(invoice);
    return { preimage, fees_paid: 0 };
  };
  return { paid, payInvoice };
}

describe.each([
  ["fetchWithL402", fetchWithL402],
  ["fetch402", fetch402],
] as const)("%s", (_, buy) => {
  test("buys an order, polls it with its credentials, and reads the code", async () => {
    const wallet = newWallet();
    const response = await buy(orderUrl(), purchase(), { wallet });
    expect(response.status).toBe(200);
    const bought = (await response.json()) as OrderView;
    expect(response.payment).toMatchObject({ paid: true, amountSat: bought.priceSats });
    const credentials = response.payment?.credentials ?? { header: "", value: "" };
    expect(credentials.header).toBe("Authorization");

    const poll = async (): Promise<OrderView> => {
      const answer = await buy(`${orderUrl()}/${bought.orderId}`, {}, { wallet, credentials });
      expect(answer.status).toBe(200);
      return (await answer.json()) as OrderView;
    };
    let order = await poll();
    for (let tries = 0; order.phoneNumber === null && tries < 200; tries++) {
      await Bun.sleep(10);
      order = await poll();
    }
    await server().sms(order.phoneNumber, "Telegram code: 482913");
    for (let tries = 0; order.code === null && tries < 200; tries++) {
      await Bun.sleep(10);
      order = await poll();
    }
    expect(order).toMatchObject({ orderId: bought.orderId, code: "482913" });
    expect(wallet.paid).toHaveLength(1);
  });

  test("buys a default order with a GET", async () => {
    const wallet = newWallet();
    const response = await buy(orderUrl(), {}, { wallet });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ type: "receive-sms", service: "ot" });
    expect(wallet.paid).toHaveLength(1);
  });

  test("pays nothing for what is free, refused or unavailable", async () => {
    const wallet = newWallet();
    for (const [path, init] of [
      ["/v2/l402/services", {}],
      ["/v2/l402/order", purchase({ country: "XX" })],
      ["/v2/l402/order", purchase({ service: "full" })],
      [`/v2/l402/order/${"f".repeat(32)}`, {}],
      [`/v2/l402/order/${"f".repeat(32)}/cancel`, purchase({})],
    ] as const) {
      const response = await buy(`${server().origin}${path}`, init, { wallet });
      expect(response.status).not.toBe(402);
      expect(response.payment?.paid ?? false).toBe(false);
    }
    expect(wallet.paid).toEqual([]);
  });

  test("repeats a purchase with its credentials and gets the same order", async () => {
    const wallet = newWallet();
    const response = await buy(orderUrl(), purchase(), { wallet });
    const { orderId } = (await response.json()) as OrderView;
    const credentials = response.payment?.credentials ?? { header: "", value: "" };
    const again = await buy(orderUrl(), purchase(), { wallet, credentials });
    expect(await again.json()).toMatchObject({ orderId });
    // With credentials it never pays, so a purchase of something else is an offer and no more.
    const other = await buy(orderUrl(), purchase({ service: "wa" }), { wallet, credentials });
    expect(other.status).toBe(402);
    expect(wallet.paid).toHaveLength(1);
  });

  test("resumes after the wallet paid and its answer was lost", async () => {
    const wallet = newWallet();
    let preimage = "";
    const losing = {
      payInvoice: async ({ invoice }: { invoice: string }): Promise<never> => {
        preimage = (await wallet.payInvoice({ invoice })).preimage;
        throw new Error("Timeout");
      },
    };
    const failure = await buy(orderUrl(), purchase(), { wallet: losing }).catch((error: unknown) => error);
    if (!(failure instanceof Fetch402InterruptedError) || !failure.pendingPayment) throw failure;
    const resume = { pendingPayment: failure.pendingPayment, preimage };
    const response = await buy(orderUrl(), purchase(), { wallet, resume });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ type: "receive-sms", service: "tg" });
    expect(wallet.paid).toHaveLength(1);
  });
});

describe.each([
  ["fetchWithMpp", fetchWithMpp],
  ["fetch402", fetch402],
] as const)("%s over the Payment scheme", (_, buy) => {
  const asking = { "accept-payment": "lightning/charge" };

  test("buys an order, gets a receipt, and goes on with L402 or with what it has", async () => {
    const wallet = newWallet();
    const response = await buy(orderUrl(), purchase(DEFAULT, asking), { wallet });
    expect(response.status).toBe(200);
    expect(response.headers.get("payment-receipt")).toMatch(/^[A-Za-z0-9_-]{100,}$/);
    expect(response.payment?.credentials.value).toStartWith("Payment ");
    const { orderId, macaroon } = (await response.json()) as OrderView & { macaroon: string };
    const credentials = response.payment?.credentials ?? { header: "", value: "" };
    for (const authorization of [credentials.value, `L402 ${macaroon}:${response.payment?.preimage}`]) {
      const polled = await fetch(`${orderUrl()}/${orderId}`, { headers: { authorization } });
      expect(await polled.json()).toMatchObject({ orderId });
    }
    // The purchase repeated is the same order, not a second one.
    const again = await buy(orderUrl(), purchase(DEFAULT, asking), { wallet, credentials });
    expect(await again.json()).toMatchObject({ orderId });
    expect(wallet.paid).toHaveLength(1);
  });

  test("resumes after the wallet paid and its answer was lost", async () => {
    const wallet = newWallet();
    let preimage = "";
    const losing = {
      payInvoice: async ({ invoice }: { invoice: string }): Promise<never> => {
        preimage = (await wallet.payInvoice({ invoice })).preimage;
        throw new Error("Timeout");
      },
    };
    const failure = await buy(orderUrl(), purchase(DEFAULT, asking), { wallet: losing }).catch(
      (error: unknown) => error,
    );
    if (!(failure instanceof Fetch402InterruptedError)) throw failure;
    const resume = { pendingPayment: failure.pendingPayment, preimage };
    const resumed = await buy(orderUrl(), purchase(DEFAULT, asking), { wallet, resume });
    expect(resumed.status).toBe(200);
    expect(wallet.paid).toHaveLength(1);
  });
});
