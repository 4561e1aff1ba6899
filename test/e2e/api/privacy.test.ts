/**
 * Canaries: orders live through everything with logs at their loudest, then all that the process said is searched for what must never be
 * said, and the database for what must be gone from its bytes.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { npubEncode, nsecEncode } from "nostr-tools/nip19";
import { generateSecretKey, getPublicKey } from "nostr-tools/pure";
import type { OrderView } from "../../../src/orders/view.ts";
import { outage } from "../../support/life.ts";
import { startPeers } from "../../support/peers.ts";
import { type Bought, passWhileStopped, type RunningServer, startServer } from "../../support/server.ts";

setDefaultTimeout(60_000);
const DAY = 86_400;
const ORDER = "/v2/l402/order";

/** What must never be seen, by what it is. Every text is looked for in all forms in which it could slip out. */
class Canaries {
  readonly #texts = new Map<string, string>();

  add(what: string, text: string | null | undefined): void {
    if (!text || text.length < 6) throw new Error(`No canary: ${what}`);
    this.#texts.set(text, what);
    if (what === "phone number") this.#texts.set(text.replace("+", ""), what);
    if (/^[0-9a-f]{64}$/.test(text)) {
      this.#texts.set(text.toUpperCase(), what);
      this.#texts.set(Buffer.from(text, "hex").toString("base64"), what);
    }
    if (what === "macaroon") {
      const bytes = Buffer.from(text, "base64");
      this.#texts.set(bytes.toString("base64url"), what);
      this.#texts.set(bytes.toString("hex"), what);
      // Its signature alone is enough to go on with.
      this.#texts.set(bytes.subarray(-32).toString("hex"), what);
    }
  }

  bought({ macaroon, preimage }: Bought): void {
    this.add("macaroon", macaroon);
    this.add("preimage", preimage);
  }

  count(what: string): number {
    return [...this.#texts.values()].filter((known) => known === what).length;
  }

  /** Which kinds are in a text. `only` limits the search. */
  in(haystack: string, only: readonly string[] | null = null): string[] {
    const found = [...this.#texts].filter(([text, what]) => (only?.includes(what) ?? true) && haystack.includes(text));
    return [...new Set(found.map(([text, what]) => `${what} (${text.slice(0, 6)}...)`))];
  }
}

/** The raw bytes of the service's database, log and all, as text. */
function databaseBytes(dataDir: string): string {
  return ["", "-wal", "-shm", "-journal"]
    .map((tail) => join(dataDir, `orders.sqlite${tail}`))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path).toString("latin1"))
    .join("\n");
}

describe("orders that lived through everything", () => {
  const canaries = new Canaries();
  const dataDir = mkdtempSync(join(tmpdir(), "l402-privacy-"));
  const ADDRESS = "203.0.113.77";
  const ADDRESS_6 = "2001:db8:cafe:77::1";
  const WEBHOOK_SECRET = "canary-hook-Zx81Qw7Lk20Pm55";
  const METRICS_TOKEN = "canary-metrics-Ty64Rr9Bn31Vc";
  const nostrKey = generateSecretKey();
  const env = {
    LOG_LEVEL: "trace",
    WEBHOOK_SECRET,
    METRICS_TOKEN,
    ROOT_KEY: `7:${"c0ffee11".repeat(8)}`,
    NOSTR_KEY: nsecEncode(nostrKey),
    TRUSTED_PROXIES: "127.0.0.1",
    CREATE_PER_MINUTE: "1000",
  };
  const npub = npubEncode(getPublicKey(generateSecretKey()));
  const from = { "x-forwarded-for": ADDRESS };
  let server: RunningServer;
  /** What every process said, and every body and header of a refusal. */
  let said = "";
  let refusals = "";

  /** Sends, and keeps the answer for the search unless it is one that must show what it shows. */
  async function send(method: string, path: string, init: { body?: string; headers?: Record<string, string> } = {}) {
    const headers = { ...from, ...init.headers };
    const response = await fetch(`${server.origin}${path}`, { method, ...init, headers });
    const text = await response.text();
    if (response.status >= 400 && response.status !== 402) {
      refusals += `${JSON.stringify([...response.headers])}\n${text}\n`;
    }
    return { status: response.status, text };
  }

  async function invoice(): Promise<string> {
    const text = await server.refundInvoice();
    canaries.add("refund invoice", text);
    return text;
  }

  async function buy(request: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Bought> {
    const challenge = await server.challenge(request, { ...from, ...headers });
    canaries.add("invoice", challenge.invoice);
    const bought = await server.pay(challenge);
    canaries.bought(bought);
    return bought;
  }

  async function withPhone(bought: Bought): Promise<OrderView> {
    const order = await server.until(bought, ({ phoneNumber }) => phoneNumber !== null);
    canaries.add("phone number", order.phoneNumber);
    return order;
  }

  async function sms(order: OrderView, bought: Bought, code: string): Promise<void> {
    const text = `Zebra-Quartz-${code} is not for logs. Your code: ${code}`;
    await server.sms(order.phoneNumber, text);
    canaries.add("code", code);
    canaries.add("text", `Zebra-Quartz-${code}`);
    await server.until(bought, (now) => now.messages.some((message) => message.text === text));
  }

  beforeAll(async () => {
    canaries.add("client address", ADDRESS);
    canaries.add("client address", ADDRESS_6);
    canaries.add("webhook secret", WEBHOOK_SECRET);
    canaries.add("metrics token", METRICS_TOKEN);
    canaries.add("root key", "c0ffee11".repeat(8));
    canaries.add("Nostr key", env.NOSTR_KEY);
    canaries.add("Nostr key", Buffer.from(nostrKey).toString("hex"));
    canaries.add("npub", npub);
    server = await startServer({ dataDir, env });
  });
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

  test("are bought, delivered, cancelled, refunded, rented, reactivated and refused", async () => {
    // A code, with a notice, a secret key for retries and a webhook.
    const key = crypto.randomUUID();
    canaries.add("idempotency key", key);
    const notify = { nostr: npub };
    const request = { service: "tg", country: "US", refundInvoice: await invoice(), notify };
    const first = await buy(request, { "idempotency-key": key });
    const waiting = await withPhone(first);
    await sms(waiting, first, "73914628");
    await send("GET", `${ORDER}/${first.orderId}`, { headers: { authorization: first.authorization } });
    await send("POST", ORDER, { body: "{}", headers: { "idempotency-key": key } });
    await send("POST", `${ORDER}/${first.orderId}/cancel`, { headers: { authorization: first.authorization } });

    // Another code on the same number, with the credential in the body.
    const parentCredential = `${first.macaroon}:${first.preimage}`;
    const again = await buy({ type: "receive-sms-reactivate", orderId: first.orderId, parentCredential });
    await server.until(again, ({ phoneNumber }) => phoneNumber !== null);
    await server.sms(waiting.phoneNumber, "Zebra-Quartz-again 55512345");
    canaries.add("text", "Zebra-Quartz-again");
    await server.until(again, ({ messages }) => messages.length > 0);

    // A rental.
    const rental = await buy({ type: "rent-number", service: "full", country: "US", durationMinutes: 120 });
    await sms(await withPhone(rental), rental, "62840157");

    // One that is cancelled, with a refund that is lost on the way at first.
    const second = await buy({ service: "wa", country: "GB", refundInvoice: await invoice() });
    await withPhone(second);
    await server.fault("node", "send", "reset_after");
    await server.advance(181);
    await send("POST", `${ORDER}/${second.orderId}/cancel`, { headers: { authorization: second.authorization } });
    await server.advance(120);
    const refunded = await server.until(second, ({ status }) => status === "refunded");
    canaries.add("refund preimage", refunded.refund.preimage);

    // One that gets no number, whose destination comes late, after a bad one.
    const endNumbers = await outage(server, "provider", "getNumberV2", "no_numbers");
    const third = await buy({ service: "ig", country: "US" });
    await server.advance(300);
    await endNumbers();
    const headers = { authorization: third.authorization };
    for (const refundInvoice of [`${await invoice()}x`, await invoice()]) {
      const body = JSON.stringify({ refundInvoice });
      await send("POST", `${ORDER}/${third.orderId}/refund-invoice`, { body, headers });
    }
    await server.until(third, ({ status }) => status === "refunded");

    // One whose address gives nothing at first, and one that is taken by a link.
    const refundAddress = `canary-jane.doe@127.0.0.1:${new URL(server.sandbox).port}`;
    canaries.add("refund address", refundAddress);
    canaries.add("refund address", "canary-jane.doe");
    await server.fault("address", "callback", "error", 1);
    const byAddress = await buy({ service: "tg", country: "US", refundAddress });
    const byLink = await buy({ service: "tg", country: "US" });
    for (const bought of [byAddress, byLink]) await withPhone(bought);
    await server.advance(181);
    for (const { orderId, authorization } of [byAddress, byLink]) {
      await send("POST", `${ORDER}/${orderId}/cancel`, { headers: { authorization } });
    }
    await server.advance(120);
    await server.until(byAddress, ({ status }) => status === "refunded");
    await server.until(byLink, ({ status }) => status === "refund_failed");
    const asked = { method: "POST", headers: { authorization: byLink.authorization } };
    const issued = await fetch(`${server.origin}${ORDER}/${byLink.orderId}/refund-link`, asked);
    const { url, lnurl, amountSats } = (await issued.json()) as { url: string; lnurl: string; amountSats: number };
    canaries.add("link", url.slice(url.lastIndexOf("/") + 1));
    canaries.add("link", lnurl);
    const { k1, callback } = (await (await fetch(url)).json()) as { k1: string; callback: string };
    const { invoice: withdrawn } = await server.control<{ invoice: string }>("POST", "/wallet/invoice", { amountSats });
    canaries.add("refund invoice", withdrawn);
    for (const secret of ["0".repeat(64), k1]) await fetch(`${callback}?k1=${secret}&pr=${withdrawn}`);
    await server.until(byLink, ({ status }) => status === "refunded");

    // One that is never paid.
    const unpaid = await server.challenge({ service: "tg" }, { "x-forwarded-for": ADDRESS_6 });
    canaries.add("unpaid invoice", unpaid.invoice);
    canaries.add("macaroon", unpaid.macaroon);
    await server.advance(330);

    // Peers that answer nonsense about a number of ours.
    const fourth = await buy({ service: "go", country: "US", refundInvoice: await invoice() });
    await withPhone(fourth);
    for (const [action, fault] of [
      ["getStatusV2", "garbled"],
      ["getActiveActivations", "garbled"],
      ["getAllSms", "garbled"],
      ["*", "echo_key"],
      ["*", "quoted"],
      ["*", "reset"],
    ] as const) {
      await server.fault("provider", action, fault, 5);
      await server.advance(20);
      await server.read(fourth);
    }
    for (const fault of ["garbled", "html502", "unauthorized"]) {
      await server.fault("node", "*", fault, 3);
      await send("POST", ORDER, { body: "{}" });
      await server.advance(30);
    }
    await server.control("DELETE", "/faults");
    await server.advance(30 * 60);
    expect((await server.read(fourth)).status).toBe("refunded");

    // Everything wrong that a client can say.
    const { macaroon, preimage, orderId } = first;
    for (const authorization of [
      `L402 ${macaroon}`,
      `L402 ${macaroon}:${preimage.slice(1)}`,
      `L402 ${macaroon.slice(4)}:${preimage}`,
      `Bearer ${macaroon}`,
      `${macaroon}:${preimage}`,
      `L402 ${macaroon}:${preimage}\u00ff`,
      `Basic ${Buffer.from(`${macaroon}:${preimage}`).toString("base64")}`,
      `L402 ${second.macaroon}:${preimage}`,
    ]) {
      await send("GET", `${ORDER}/${orderId}`, { headers: { authorization } });
      await send("POST", `${ORDER}/${orderId}/cancel`, { headers: { authorization } });
      await send("GET", `${ORDER}/${macaroon.replaceAll("/", "_")}`, { headers: { authorization } });
    }
    for (const body of [
      `{"refundInvoice":"${third.macaroon}"}`,
      `{"country":"${waiting.phoneNumber}","service":"Zebra-Quartz-73914628"}`,
      `{"service":"${macaroon.slice(0, 60)}"}`,
      `{"notify":{"nostr":"${npub}x"}}`,
      `{"broken":"${preimage}`,
      preimage,
    ]) {
      await send("POST", ORDER, { body });
    }
    await send("POST", ORDER, { body: "{}", headers: { "idempotency-key": `${key} with blanks` } });
    await send("GET", `/no/such/${preimage}?macaroon=${encodeURIComponent(macaroon)}&phone=${waiting.phoneNumber}`);
    await send("PUT", `/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`);
    await send("POST", `/v2/l402/webhooks/rent/${WEBHOOK_SECRET}x`, { body: "{}" });
    await send("POST", `/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`, { body: `{"activationId":"7","text":"${preimage}` });
    await send("GET", "/metrics", { headers: { authorization: `Bearer ${METRICS_TOKEN}x` } });
    expect(refusals).toContain("INVALID_MACAROON");
    expect(refusals).toContain("INVALID_REFUND_INVOICE");
  });

  test("leave nothing of themselves in logs, metrics and refusals", async () => {
    const metrics = await send("GET", "/metrics", { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
    expect(metrics.text).toContain("orders_paid_total");
    expect(canaries.in(metrics.text)).toEqual([]);
    expect(canaries.in(refusals)).toEqual([]);
    said += server.output();
    expect(said).toContain('"level":"debug"');
    expect(said.split("\n").length).toBeGreaterThan(150);
    expect(canaries.in(said)).toEqual([]);
    for (const what of ["macaroon", "preimage", "invoice", "refund invoice", "phone number", "code", "text", "link"]) {
      expect({ what, planted: canaries.count(what) > 0 }).toEqual({ what, planted: true });
    }
  });

  test("leave no credential and no key in the database, ever", () => {
    const bytes = databaseBytes(dataDir);
    const never = [
      "macaroon",
      "preimage",
      "root key",
      "webhook secret",
      "metrics token",
      "Nostr key",
      "idempotency key",
      "link",
    ];
    expect(canaries.in(bytes, never)).toEqual([]);
    // The search finds what is there.
    expect(canaries.in(bytes, ["phone number", "invoice"]).length).toBeGreaterThan(4);
  });

  test("leave neither code nor text in its bytes half an hour after their end", async () => {
    const personal = ["code", "text"];
    expect(canaries.in(databaseBytes(dataDir), personal).length).toBeGreaterThan(0);
    await server.advance(3 * 3600);
    expect(canaries.in(databaseBytes(dataDir), personal)).toEqual([]);
  });

  test("leave neither number, invoice, address nor npub in its bytes a month after their end", async () => {
    const personal = [
      "phone number",
      "invoice",
      "refund invoice",
      "unpaid invoice",
      "client address",
      "npub",
      "refund address",
    ];
    // The unpaid one becomes a tombstone after a day, and that goes after thirty.
    for (const days of [2, 32]) {
      expect(canaries.in(databaseBytes(dataDir), personal)).not.toEqual([]);
      expect(await server.stop()).toBe(0);
      said += server.output();
      passWhileStopped(dataDir, days * DAY);
      server = await startServer({ dataDir, env });
      await server.advance(6 * 60);
    }
    expect(canaries.in(databaseBytes(dataDir), [...personal, "code", "text"])).toEqual([]);
    expect(await server.stop()).toBe(0);
    expect(canaries.in(databaseBytes(dataDir), [...personal, "code", "text"])).toEqual([]);
    said += server.output();
    expect(canaries.in(said)).toEqual([]);
  });
});

describe("a server with keys to a node, a provider and a database of rates", () => {
  const API_KEY = "canary0hero0sms0key0b81f22d7";
  const MACAROON = "0201036c6e6402ca11ab1e".repeat(6);
  const FIREBASE_SECRET = "canary-firebase-Gh50Kd82Js61";
  const WEBHOOK_SECRET = "canary-hook-Vb37Nn40Xs92Lq18";

  test("tells none of them, whatever its peers answer", async () => {
    const canaries = new Canaries();
    canaries.add("API key", API_KEY);
    canaries.add("node macaroon", MACAROON);
    canaries.add("node macaroon", Buffer.from(MACAROON, "hex").toString("base64"));
    canaries.add("firebase secret", FIREBASE_SECRET);
    canaries.add("webhook secret", WEBHOOK_SECRET);
    const peers = await startPeers();
    // Stands in for the price sources, which are out of reach here.
    await fetch(`${peers.url}/firebase/sms4sats/fxrates/current.json`, {
      method: "PUT",
      body: JSON.stringify({ cents: 6_718_700, at: Date.now(), sources: ["coingecko", "kraken"] }),
    });
    const server = await peers.start({
      LIGHTNING_URL: `lnd+${peers.url}`,
      LIGHTNING_MACAROON: MACAROON,
      HEROSMS_URL: peers.url,
      HEROSMS_API_KEY: API_KEY,
      FIREBASE_URL: `${peers.url}/firebase`,
      FIREBASE_SECRET,
      WEBHOOK_SECRET,
      HTTPS_PROXY: "http://127.0.0.1:1",
      REFUSE_SANDBOX: "1",
      LOG_LEVEL: "trace",
    });
    try {
      expect(await (await fetch(`${server.origin}/health`)).json()).toMatchObject({ sandbox: false, status: "ok" });
      const bought = await server.buy({ service: "tg", country: "US" });
      const order = await server.until(bought, ({ phoneNumber }) => phoneNumber !== null);
      canaries.bought(bought);
      canaries.add("phone number", order.phoneNumber);
      const news = await peers.sms(order.phoneNumber, "Telegram code: 73914628");
      expect((await server.post(`/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`, news)).status).toBe(200);
      canaries.add("code", "73914628");
      await server.until(bought, ({ code }) => code !== null);

      let refusals = "";
      for (const [peer, action, fault] of [
        ["provider", "*", "echo_key"],
        ["provider", "*", "bad_key"],
        ["provider", "*", "html502"],
        ["provider", "*", "reset"],
        ["node", "addinvoice", "unauthorized"],
        ["node", "addinvoice", "html502"],
        ["node", "addinvoice", "reset"],
        ["node", "addinvoice", "garbled"],
      ] as const) {
        await peers.fault(peer, action, fault, 4);
        const response = await server.post(ORDER, { service: fault === "echo_key" ? "vk" : "wa", country: "US" });
        refusals += `${JSON.stringify([...response.headers])}${await response.text()}\n`;
        await peers.control("DELETE", "/faults");
      }
      expect(refusals).toContain("TEMPORARILY_UNAVAILABLE");
      expect(canaries.in(refusals)).toEqual([]);
      const metrics = await (await fetch(`${server.origin}/metrics`)).text();
      expect(canaries.in(metrics)).toEqual([]);
      expect(server.output()).toContain('"level":"warn"');
      expect(await server.stop()).toBe(0);
      expect(canaries.in(server.output())).toEqual([]);
      expect(canaries.in(databaseBytes(peers.dataDir), ["API key", "node macaroon", "firebase secret"])).toEqual([]);
    } finally {
      await server.kill();
      await peers.stop();
    }
  });
});
