/** The `Payment` scheme over HTTP: its challenge beside L402's, its credential, its receipt, its refusals. */
import { afterAll, describe, expect, test } from "bun:test";
import { fetch402, fetchWithL402, fetchWithMpp } from "@getalby/lightning-tools/402";
import { decodeJson, encodeJson } from "../../src/mpp/wire.ts";
import type { Sold } from "./desk.ts";
import { startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);

const ORDER = "/v2/l402/order";
const ASKING = { "accept-payment": "lightning/charge" };

function challengeIn(header: string | null): Record<string, string> {
  const part = /Payment (id=.*?expires="[^"]*")/.exec(header ?? "")?.[1] ?? "";
  return Object.fromEntries([...part.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

/** Buys, and makes the credential of this scheme for it. */
async function bought(): Promise<{ sold: Sold; authorization: string; challenge: Record<string, string> }> {
  const { headers, body } = await api.post(ORDER, {});
  const sold = api.desk.sold.get(body.orderId) as Sold;
  sold.settled = true;
  const challenge = challengeIn(headers.get("www-authenticate"));
  return {
    sold,
    challenge,
    authorization: `Payment ${encodeJson({ challenge, payload: { preimage: sold.preimage } })}`,
  };
}

describe("the challenge", () => {
  test("comes behind the one of L402, over the same invoice", async () => {
    const { headers, body } = await api.post(ORDER, {});
    expect(headers.get("www-authenticate")).toMatch(/^L402 macaroon="[^"]+", invoice="[^"]+", .*, Payment id="/);
    expect(headers.get("content-type")).toBe("application/json");
    const { realm, method, intent, request, expires } = challengeIn(headers.get("www-authenticate"));
    expect({ realm, method, intent, expires }).toEqual({
      realm: "sms.example.com",
      method: "lightning",
      intent: "charge",
      expires: body.expiresAt,
    });
    expect(decodeJson(request ?? "")).toMatchObject({
      amount: String(body.priceSats),
      externalId: body.orderId,
      methodDetails: { invoice: body.invoice, paymentHash: body.paymentHash },
    });
    expect(headers.get("www-authenticate")?.length).toBeLessThan(2_500);
  });

  test("comes first for who asks for it, in a problem document with all members of the usual body", async () => {
    const { headers, body } = await api.post(ORDER, {}, ASKING);
    expect(headers.get("www-authenticate")).toMatch(/^Payment id="[^"]+", .*, L402 macaroon="/);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toMatchObject({
      type: "https://paymentauth.org/problems/payment-required",
      error: { code: "PAYMENT_REQUIRED" },
      orderId: expect.any(String),
      macaroon: expect.any(String),
    });
  });

  test("is not handed out with a macaroon that was presented, which may be a restricted one", async () => {
    const { challenge } = api.desk.open();
    const authorization = `L402 ${challenge.macaroon}:`;
    for (const answer of [
      await api.post(ORDER, {}, { authorization, ...ASKING }),
      await api.get(`${ORDER}/${challenge.orderId}`, { authorization, ...ASKING }),
    ]) {
      expect(answer.status).toBe(402);
      expect(answer.headers.get("www-authenticate")).toBe(challenge.header);
    }
  });

  test("stays away from who refuses it", async () => {
    const { headers } = await api.post(ORDER, {}, { "accept-payment": "lightning/charge;q=0" });
    expect(headers.get("www-authenticate")).not.toContain("Payment");
  });
});

describe("the credential", () => {
  test("opens the order it was issued for, with a receipt and the macaroon that goes on", async () => {
    const { sold, authorization, challenge } = await bought();
    const paid = await api.post(ORDER, {}, { authorization });
    expect(paid.status).toBe(200);
    expect(paid.headers.get("cache-control")).toBe("private, no-store");
    expect(decodeJson(paid.headers.get("payment-receipt") ?? "")).toEqual({
      status: "success",
      method: "lightning",
      challengeId: challenge.id,
      reference: sold.challenge.paymentHash,
      timestamp: expect.any(String),
    });
    expect(paid.body).toMatchObject({ orderId: sold.challenge.orderId, macaroon: sold.challenge.macaroon });
    const polled = await api.get(`${ORDER}/${paid.body.orderId}`, {
      authorization: `L402 ${paid.body.macaroon}:${sold.preimage}`,
    });
    expect(polled.status).toBe(200);
    expect(polled.headers.has("payment-receipt")).toBe(false);
    expect(polled.body.macaroon).toBeUndefined();
  });

  test("opens it as often as it is shown, to read and to cancel", async () => {
    const { sold, authorization } = await bought();
    const path = `${ORDER}/${sold.challenge.orderId}`;
    for (const answer of [
      await api.get(path, { authorization }),
      await api.get(path, { authorization }),
      await api.post(`${path}/cancel`, {}, { authorization }),
      await api.post(`${path}/refund-invoice`, { refundInvoice: "lnbcrt1p" }, { authorization }),
    ]) {
      expect(answer.status).toBe(200);
    }
  });

  test("opens no other order, and says of it what a macaroon would hear", async () => {
    const { authorization } = await bought();
    const other = api.desk.paid();
    for (const id of [other.challenge.orderId, "f".repeat(32)]) {
      const { status, body } = await api.get(`${ORDER}/${id}`, { authorization });
      expect({ status, code: body.error.code }).toEqual({ status: 404, code: "NOT_FOUND" });
    }
  });

  test("that is refused gets 403 at an order, and a fresh challenge that says why at a purchase", async () => {
    const { sold, challenge } = await bought();
    const shown = (echo: object, preimage: string) => ({
      authorization: `Payment ${encodeJson({ challenge: echo, payload: { preimage } })}`,
    });
    for (const [headers, fault] of [
      [shown(challenge, "0".repeat(64)), "invalid-preimage"],
      [shown({ ...challenge, realm: "elsewhere" }, sold.preimage), "unknown-challenge"],
      [{ authorization: "Payment e30" }, "malformed-credential"],
    ] as const) {
      const read = await api.get(`${ORDER}/${sold.challenge.orderId}`, headers);
      expect({ status: read.status, code: read.body.error.code }).toEqual({ status: 403, code: "INVALID_MACAROON" });
      const again = await api.post(ORDER, {}, headers);
      expect(again.status).toBe(402);
      expect(again.headers.get("content-type")).toBe("application/problem+json");
      expect(again.body.type).toBe(`https://paymentauth.org/problems/lightning/${fault}`);
      expect(again.body.orderId).not.toBe(sold.challenge.orderId);
    }
  });

  test("in the form that holds a preimage and nothing else opens nothing", async () => {
    const { sold } = await bought();
    const authorization = `Payment method="lightning", preimage="${sold.preimage}"`;
    expect((await api.get(`${ORDER}/${sold.challenge.orderId}`, { authorization })).status).toBe(403);
    expect((await api.post(ORDER, {}, { authorization })).status).toBe(402);
  });
});

describe("@getalby/lightning-tools", () => {
  const init = () => ({ method: "POST", headers: { "content-type": "application/json", ...ASKING }, body: "{}" });
  const plain = () => ({ method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  const newWallet = () => {
    const paid: string[] = [];
    const payInvoice = async ({ invoice }: { invoice: string }) => {
      paid.push(invoice);
      const sold = [...api.desk.sold.values()].find(({ challenge }) => challenge.invoice === invoice) as Sold;
      sold.settled = true;
      return { preimage: sold.preimage };
    };
    return { paid, payInvoice };
  };

  test.each([
    ["fetchWithMpp", fetchWithMpp, init, "Payment"],
    ["fetch402, asking for Payment", fetch402, init, "Payment"],
    ["fetch402", fetch402, plain, "L402"],
    ["fetchWithL402", fetchWithL402, plain, "L402"],
  ] as const)("%s pays once and is let in", async (_, buy, request, scheme) => {
    const wallet = newWallet();
    const response = await buy(`${api.url}${ORDER}`, request(), { wallet });
    expect(response.status).toBe(200);
    expect(response.payment?.credentials.value).toStartWith(`${scheme} `);
    expect(wallet.paid).toHaveLength(1);
    const { orderId } = (await response.json()) as { orderId: string };
    const credentials = response.payment?.credentials;
    const again = await buy(`${api.url}${ORDER}/${orderId}`, {}, { wallet, ...(credentials && { credentials }) });
    expect(again.status).toBe(200);
    expect(wallet.paid).toHaveLength(1);
  });
});
