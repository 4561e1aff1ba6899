/**
 * Every L402 client we know of, by its own rules, against the running server: it reads our challenge, buys, gets its order for the repeated
 * purchase, and comes back for it. Indexes that probe endpoints find what they look for.
 */
import { describe, expect, test } from "bun:test";
import type { OrderView } from "../../src/orders/view.ts";
import { documentedServer } from "../support/openapi.ts";
import { type Challenge, CLIENTS, type Client, FORMS, type Form, hashOf } from "./clients.ts";
import { decodeL402 } from "./macaroon-v2.ts";

const server = documentedServer();
const REQUEST = JSON.stringify({ service: "telegram", country: "US" });
const orderUrl = () => `${server().origin}/v2/l402/order`;
const purchase = (headers: Record<string, string> = {}, body = REQUEST) =>
  fetch(orderUrl(), { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
const pay = async (invoice: string): Promise<string> =>
  (await server().control<{ preimage: string }>("POST", "/wallet/pay", { invoice })).preimage;
const orderOf = async (response: Response): Promise<OrderView> => {
  // Forwarders take no other status for success.
  expect(response.status).toBe(200);
  return (await response.json()) as OrderView;
};

async function challenged(client: Client): Promise<Challenge> {
  const response = await purchase();
  expect(response.status).toBe(402);
  const body = await response.text();
  return client.read(response, body);
}

describe.each(CLIENTS)("$name", (client) => {
  test("reads the challenge, pays, and gets its order however often it asks", async () => {
    let challenge = await challenged(client);
    if (client.asksAgain) challenge = await challenged(client);
    const preimage = await pay(challenge.invoice);
    const shown = new Headers();
    for (const [name, value] of client.show(challenge, preimage)) shown.append(name, value);

    const again = client.dropsBody
      ? await fetch(orderUrl(), { method: "POST", headers: shown })
      : await purchase(Object.fromEntries(shown));
    const { orderId } = await orderOf(again);

    const come = client.repeats
      ? () => purchase(Object.fromEntries(shown))
      : () => fetch(`${orderUrl()}/${orderId}`, { headers: shown });
    let order = await orderOf(await come());
    for (let tries = 0; order.phoneNumber === null && tries < 200; tries++) {
      await Bun.sleep(10);
      order = await orderOf(await come());
    }
    await server().sms(order.phoneNumber, "Telegram code: 482913");
    for (let tries = 0; order.code === null && tries < 200; tries++) {
      await Bun.sleep(10);
      order = await orderOf(await come());
    }
    expect(order).toMatchObject({ orderId, code: "482913", service: "tg" });
  });
});

test("the rules tell other forms of a challenge apart, as the clients do", async () => {
  const { macaroon, invoice } = await server().challenge(JSON.parse(REQUEST));
  for (const { name, read, cannotRead } of CLIENTS) {
    const failed = (Object.keys(FORMS) as Form[]).filter((form) => {
      const headers = { "www-authenticate": FORMS[form](macaroon, invoice), "content-type": "application/json" };
      const body = JSON.stringify({ macaroon, invoice, priceSats: 1 });
      try {
        const challenge = read(new Response(body, { status: 402, headers }), body);
        return challenge.macaroon !== macaroon || challenge.invoice !== invoice;
      } catch {
        return true;
      }
    });
    expect({ name, failed }).toEqual({ name, failed: [...cannotRead] });
  }
});

describe("habits of clients", () => {
  const bought = async () => {
    const { macaroon, invoice, orderId } = await server().challenge(JSON.parse(REQUEST));
    return { macaroon, invoice, orderId, preimage: await pay(invoice) };
  };

  test("l402-requests sends the newest credential to every path below /v2/l402", async () => {
    const first = await bought();
    const second = await bought();
    const authorization = `L402 ${second.macaroon}:${second.preimage}`;
    for (const path of ["services", "catalog?country=US&service=tg", ""]) {
      const response = await fetch(`${server().origin}/v2/l402/${path}`.replace(/\/$/, ""), {
        headers: { authorization },
      });
      expect({ path, status: response.status }).toEqual({ path, status: 200 });
    }
    // It would pay a challenge: an order that is not the credential's own must not answer with one.
    const other = await fetch(`${orderUrl()}/${first.orderId}`, { headers: { authorization } });
    expect(other.status).toBe(404);
    // Another purchase is one: it pays the 402 that its old credential gets.
    const next = await purchase({ authorization }, JSON.stringify({ service: "whatsapp", country: "US" }));
    expect(next.status).toBe(402);
  });

  test("l402-kit sends an empty credential after it lost its own, and pays what it then gets", async () => {
    const response = await purchase({ authorization: "L402 :" });
    expect(response.status).toBe(402);
    const { macaroon, invoice } = (await response.json()) as Challenge;
    const retry = await purchase({ authorization: `L402 ${macaroon}:${await pay(invoice)}` });
    expect(retry.status).toBe(200);
  });

  test("lsat-js shows its macaroon before it has paid, and is sent back to the same invoice", async () => {
    const { macaroon, invoice, orderId } = await server().challenge(JSON.parse(REQUEST));
    for (const response of [
      await purchase({ authorization: `LSAT ${macaroon}:` }),
      await fetch(`${orderUrl()}/${orderId}`, { headers: { authorization: `LSAT ${macaroon}:` } }),
    ]) {
      expect(response.status).toBe(402);
      expect(await response.json()).toMatchObject({ macaroon, invoice, orderId });
    }
  });
});

/** ryanthegentry/402index: src/services/l402-utils.js. */
function detect(response: Response) {
  const value = response.headers.get("www-authenticate") ?? "";
  const macaroon = /(?:macaroon|token)="([A-Za-z0-9+/=_.-]{10,})"/.exec(value)?.[1] ?? "";
  const invoice = /invoice="(ln(?:bcrt|bc|tb)[a-zA-Z0-9]+)"/.exec(value)?.[1] ?? "";
  const { paymentHash, caveats } = decodeL402(Buffer.from(macaroon, "base64"));
  return {
    valid: /^(L402|LSAT)\b/.test(value) && invoice.length >= 100,
    degraded: paymentHash !== hashOf(invoice),
    lngetCompatible: caveats.length > 0,
  };
}

describe("indexes that probe", () => {
  test("402index posts {} and finds a healthy, valid, lnget-compatible service", async () => {
    const began = performance.now();
    const response = await fetch(orderUrl(), {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "node" },
      body: "{}",
      redirect: "manual",
    });
    expect(performance.now() - began).toBeLessThan(8_000);
    expect(response.status).toBe(402);
    expect(detect(response)).toEqual({ valid: true, degraded: false, lngetCompatible: true });
  });

  test("402index asks a listing without a method by HEAD, then by GET", async () => {
    const head = await fetch(orderUrl(), { method: "HEAD", redirect: "manual" });
    expect(head.status).toBe(405);
    const response = await fetch(orderUrl(), { redirect: "manual" });
    expect(response.status).toBe(402);
    expect(detect(response)).toEqual({ valid: true, degraded: false, lngetCompatible: true });
  });

  test("satring asks by GET alone, and takes 402 with the scheme's name for life", async () => {
    const response = await fetch(orderUrl(), { redirect: "manual", headers: { "user-agent": "satring-health/1.0" } });
    expect(response.status).toBe(402);
    expect(response.headers.get("www-authenticate")).toMatch(/L402|LSAT/);
  });

  test("402index finds no verification where none is configured", async () => {
    const response = await fetch(`${server().origin}/.well-known/402index-verify.txt`, { redirect: "manual" });
    expect(response.status).toBe(404);
  });

  test("402index's discovery reads the first 4096 bytes of the manifest and finds our path", async () => {
    const text = await (await fetch(`${server().origin}/.well-known/l402-services`)).text();
    const { services } = JSON.parse(text.slice(0, 4096)) as { services: { endpoint: string; method: string }[] };
    for (const { endpoint, method } of services) {
      const response = await fetch(new URL(endpoint, server().origin), { method, body: "{}" });
      expect(response.status).toBe(402);
    }
  });
});
