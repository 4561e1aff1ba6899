/** Where a refund goes when there is no usable invoice: to an address that is asked for one, or to whoever holds a link. */
import { describe, expect, test } from "bun:test";
import { bech32 } from "@scure/base";
import type { OrderView } from "../../../src/orders/view.ts";
import { outage, withNumber } from "../../support/life.ts";
import { documentedServer } from "../../support/openapi.ts";
import type { Bought } from "../../support/server.ts";

const server = documentedServer();
const address = (name = "alice") => `${name}@${new URL(server().sandbox).host}`;
const received = async (sats: number) =>
  (await server().wallet()).payments.filter(({ direction, amountSats }) => direction === "in" && amountSats === sats);

/** Paid, with its number, and old enough to be cancelled. */
async function cancellable(request: Record<string, unknown> = {}): Promise<Bought> {
  const { bought } = await withNumber(server(), { service: "tg", country: "US", ...request });
  await server().advance(181);
  return bought;
}

async function give(bought: Bought, body: Record<string, unknown>) {
  const response = await server().call(`/v2/l402/order/${bought.orderId}/refund-invoice`, bought, body);
  return { status: response.status, body: (await response.json()) as OrderView & { error?: { code: string } } };
}

async function link(bought: Bought) {
  const response = await server().call(`/v2/l402/order/${bought.orderId}/refund-link`, bought);
  const body = (await response.json()) as { lnurl: string; url: string; amountSats: number; error?: { code: string } };
  return { status: response.status, ...body };
}

const ask = async (url: string) => (await (await fetch(url)).json()) as Record<string, unknown>;
const newInvoice = async (amountSats?: number) =>
  (await server().control<{ invoice: string }>("POST", "/wallet/invoice", { amountSats, expirySeconds: 3_600 }))
    .invoice;

describe("a refund address", () => {
  test("is asked for exactly the refund, which arrives with its proof", async () => {
    const bought = await cancellable({ refundAddress: address() });
    const before = (await received(bought.priceSats)).length;
    await server().cancel(bought);
    const { refund } = await server().until(bought, ({ status }) => status === "refunded");
    expect(refund).toMatchObject({ status: "paid", amountSats: bought.priceSats, address: address() });
    expect(refund.preimage).toMatch(/^[0-9a-f]{64}$/);
    expect(await received(bought.priceSats)).toHaveLength(before + 1);
  });

  test("given only when the refund waits is asked then", async () => {
    const bought = await cancellable();
    await server().cancel(bought);
    await server().until(bought, ({ status }) => status === "refund_failed");
    expect((await give(bought, { refundAddress: address("bob") })).status).toBe(200);
    await server().until(bought, ({ status }) => status === "refunded");
  });

  test("waits while the invoice can be paid, and takes over when it cannot any more", async () => {
    const { invoice } = await server().control<{ invoice: string }>("POST", "/wallet/invoice", {
      expirySeconds: 1_900,
    });
    const bought = await cancellable({ refundInvoice: invoice, refundAddress: address() });
    const over = await outage(server(), "node", "send", "no_route");
    await server().cancel(bought);
    await server().advance(1_900);
    await over();
    await server().advance(120);
    const { refund } = await server().until(bought, ({ status }) => status === "refunded");
    expect(refund.status).toBe("paid");
  });

  test.each([
    ["request", "http500"],
    ["request", "garbled"],
    ["request", "reset"],
    ["request", "error"],
    ["request", "redirect"],
    ["request", "out_of_range"],
    ["request", "callback_elsewhere"],
    ["callback", "http500"],
    ["callback", "garbled"],
    ["callback", "error"],
    ["callback", "wrong_amount"],
    ["callback", "wrong_description"],
  ])("that misbehaves (%s %s) is asked again after a pause, and nothing is paid meanwhile", async (action, fault) => {
    const bought = await cancellable({ refundAddress: address() });
    const before = (await received(bought.priceSats)).length;
    await server().fault("address", action, fault);
    await server().cancel(bought);
    const view = await server().until(bought, ({ next }) =>
      next.message.startsWith("The refund address gave no usable"),
    );
    expect(view).toMatchObject({ status: "refund_pending", refund: { status: "pending", address: address() } });
    expect(await received(bought.priceSats)).toHaveLength(before);
    await server().advance(31);
    await server().until(bought, ({ status }) => status === "refunded");
    expect(await received(bought.priceSats)).toHaveLength(before + 1);
  });

  test("that never answers gives way to an invoice at any time, and is given up after a day", async () => {
    const bought = await cancellable({ refundAddress: address() });
    const other = await cancellable({ refundAddress: address() });
    const over = await outage(server(), "address", "request", "http500");
    await server().cancel(bought);
    await server().cancel(other);
    await server().until(bought, ({ status }) => status === "refund_pending");
    expect((await give(bought, { refundInvoice: await newInvoice() })).status).toBe(200);
    await server().until(bought, ({ status }) => status === "refunded");
    await server().advance(24 * 3_600);
    const view = await server().read(other);
    expect(view).toMatchObject({ status: "refund_failed", refund: { status: "needs_destination" } });
    await over();
    expect((await give(other, { refundAddress: address() })).status).toBe(200);
    await server().until(other, ({ status }) => status === "refunded");
  });

  test("that leads nowhere, or into a network of ours, is refused when it is given", async () => {
    const bought = await server().buy({ service: "tg", country: "US" });
    const lnurl = (url: string) => bech32.encode("lnurl", bech32.toWords(new TextEncoder().encode(url)), false);
    for (const refundAddress of [
      "nonsense",
      "alice@",
      "alice@localhost.localdomain",
      "alice@10.0.0.1",
      "alice@169.254.169.254",
      "alice@[::1]",
      "alice@metadata.google.internal",
      lnurl("http://wallet.example.com/pay"),
      lnurl("https://192.168.0.1/pay"),
      lnurl("https://user:pass@wallet.example.com/pay"),
      lnurl("file:///etc/passwd"),
      "lnurl1qqqq",
    ]) {
      const { status, body } = await give(bought, { refundAddress });
      expect({ refundAddress, status, code: body.error?.code }).toEqual({
        refundAddress,
        status: 400,
        code: "INVALID_REFUND_ADDRESS",
      });
      const asked = await server().ask({ refundAddress });
      expect({ refundAddress, status: asked.status }).toEqual({ refundAddress, status: 400 });
    }
    for (const body of [{}, { refundAddress: address(), refundInvoice: await newInvoice() }]) {
      expect((await give(bought, body)).status).toBe(400);
    }
  });

  test("survives a kill while it is asked", async () => {
    const bought = await cancellable({ refundAddress: address() });
    await server().fault("address", "callback", "hang");
    await server().cancel(bought);
    await server().until(bought, ({ status }) => status === "refund_pending");
    await server().advance(60);
    await server().until(bought, ({ status }) => status === "refunded");
  });
});

describe("a withdraw link", () => {
  async function stuck(): Promise<Bought> {
    const bought = await cancellable();
    await server().cancel(bought);
    await server().until(bought, ({ status }) => status === "refund_failed");
    return bought;
  }

  test("pays the refund to whoever holds it, once, by the steps of LNURL-withdraw", async () => {
    const bought = await stuck();
    const { status, lnurl, url, amountSats } = await link(bought);
    expect({ status, amountSats }).toEqual({ status: 200, amountSats: bought.priceSats });
    expect(new TextDecoder().decode(bech32.decodeToBytes(lnurl.toLowerCase()).bytes)).toBe(url);
    expect(url).not.toContain(bought.macaroon);
    const request = await ask(url);
    expect(request).toMatchObject({
      tag: "withdrawRequest",
      minWithdrawable: bought.priceSats * 1_000,
      maxWithdrawable: bought.priceSats * 1_000,
    });
    const pay = async (invoice: string) => ask(`${request.callback}?k1=${request.k1}&pr=${invoice}`);
    expect(await pay(await newInvoice(bought.priceSats + 1))).toMatchObject({ status: "ERROR" });
    expect(await pay(await newInvoice())).toMatchObject({ status: "ERROR" });
    expect(await pay("nonsense")).toMatchObject({ status: "ERROR" });
    const before = (await received(bought.priceSats)).length;
    const answers = await Promise.all(
      (await Promise.all([1, 2, 3].map(() => newInvoice(bought.priceSats)))).map((invoice) => pay(invoice)),
    );
    expect(answers.filter(({ status }) => status === "OK")).toHaveLength(1);
    await server().until(bought, ({ status }) => status === "refunded");
    expect(await received(bought.priceSats)).toHaveLength(before + 1);
    expect(await pay(await newInvoice(bought.priceSats))).toMatchObject({ status: "ERROR" });
    expect(await ask(url)).toMatchObject({ status: "ERROR" });
  });

  test("is over with the next one, and with any other way that is taken", async () => {
    const bought = await stuck();
    const first = await link(bought);
    const second = await link(bought);
    expect(await ask(first.url)).toMatchObject({ status: "ERROR" });
    expect(await ask(second.url)).toMatchObject({ tag: "withdrawRequest" });
    await give(bought, { refundInvoice: await newInvoice() });
    await server().until(bought, ({ status }) => status === "refunded");
    expect(await ask(second.url)).toMatchObject({ status: "ERROR" });
  });

  test("is for orders that wait for a destination; unknown, foreign and wrong ones are the same", async () => {
    const waiting = await cancellable();
    expect((await link(waiting)).error?.code).toBe("REFUND_NOT_PENDING");
    const bought = await stuck();
    const { url } = await link(bought);
    const secret = url.split("/").at(-1) ?? "";
    const wrong = `${secret.startsWith("0") ? "1" : "0"}${secret.slice(1)}`;
    const base = url.slice(0, url.lastIndexOf("/withdraw/"));
    const answers = await Promise.all(
      [
        `${base}/withdraw/${bought.orderId}/${wrong}`,
        `${base}/withdraw/${waiting.orderId}/${secret}`,
        `${base}/withdraw/${"f".repeat(32)}/${secret}`,
        `${base}/withdraw/${bought.orderId}/short`,
      ].map(ask),
    );
    for (const answer of answers) {
      expect(answer).toEqual({ status: "ERROR", reason: "This link is not valid, or was used already" });
    }
    expect(server().output()).not.toContain(secret);
  });
});
