/**
 * Whole lives with real Lightning on both ends: the service pays and is paid through two LDK nodes with a real channel between them, over
 * its shipped adapter. Numbers, prices and the clock are the sandbox's.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { SHIPPED_COUNTRIES } from "../../../src/catalog/countries.ts";
import { SHIPPED_SERVICES } from "../../../src/catalog/services.ts";
import { loadConfig } from "../../../src/config.ts";
import { loopbackNode } from "../../../src/node.ts";
import { createLog } from "../../../src/ops/logs.ts";
import type { OrderView } from "../../../src/orders/view.ts";
import { createPeers, sandboxAddresses } from "../../../src/peers.ts";
import { type Sandbox, startSandbox } from "../../../src/sandbox/server.ts";
import { type Service, startService } from "../../../src/service.ts";
import { type ChallengeBody, controlOf } from "../../support/server.ts";
import { LndFront } from "./lnd-front.ts";
import { LdkNetwork } from "./network.ts";

const WEBHOOK_SECRET = "over-real-lightning-only";
const dataDir = mkdtempSync(join(tmpdir(), "l402-ldk-"));
const world = new RealWorld();
const network = new LdkNetwork(() => Math.floor(world.now() / 1000));
const { merchant, customer } = network;
/** What the customer's node received and learnt. */
const received = new Map<string, number>();
const preimages = new Map<string, string>();
let front: LndFront;
let sandbox: Sandbox;
let service: Service;

beforeAll(async () => {
  front = new LndFront(world, merchant);
  customer.listener = {
    received: (hash, msat) => received.set(hash, (received.get(hash) ?? 0) + msat),
    sent: (hash, preimage) => preimages.set(hash, preimage),
  };
  sandbox = await startSandbox({
    world,
    dataDir,
    port: 0,
    hostname: "127.0.0.1",
    smsAfterMs: null,
    webhooks: () => [`${service.url}/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`],
  });
  await startAgain();
});

afterAll(async () => {
  await service.stop();
  await sandbox.stop();
  await front.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function startAgain(): Promise<void> {
  const loaded = loadConfig({ DATA_DIR: dataDir, PORT: "0", CREATE_PER_MINUTE: "1000", READ_PER_MINUTE: "100000" });
  if (!loaded.ok) throw new Error(loaded.problems.join("; "));
  const addresses = sandboxAddresses(sandbox.url);
  service = await startService({
    config: loaded.config,
    world,
    log: createLog({
      level: "silent",
      pretty: false,
      name: "test",
      now: () => world.now(),
      destination: { write() {} },
    }),
    names: {
      countries: SHIPPED_COUNTRIES,
      services: SHIPPED_SERVICES,
      blockedServices: new Set(),
      blockedCountries: new Set(),
    },
    peers: createPeers(world, loaded.config, { ...addresses, node: loopbackNode("lnd", front.url) }),
    webhookSecret: WEBHOOK_SECRET,
  });
}

interface Order extends ChallengeBody {
  readonly authorization: string;
}

/** Buys as an agent would: the customer's node pays the invoice and shows the preimage it got for it. */
async function buy(request: unknown): Promise<Order> {
  const response = await fetch(`${service.url}/v2/l402/order`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  expect(response.status).toBe(402);
  const challenge = (await response.json()) as ChallengeBody;
  expect(customer.pay(challenge.invoice)).toBe("sent");
  const preimage = preimages.get(challenge.paymentHash);
  return { ...challenge, authorization: `L402 ${challenge.macaroon}:${preimage}` };
}

async function read(order: Order): Promise<OrderView> {
  const response = await fetch(`${service.url}/v2/l402/order/${order.orderId}`, {
    headers: { authorization: order.authorization },
  });
  expect(response.status).toBe(200);
  return (await response.json()) as OrderView;
}

async function until(order: Order, done: (view: OrderView) => boolean): Promise<OrderView> {
  const giveUp = performance.now() + 10_000;
  for (;;) {
    const view = await read(order);
    if (done(view)) return view;
    if (performance.now() > giveUp) throw new Error(`Still ${view.status}`);
    await Bun.sleep(10);
  }
}

const call = (order: Order, path: string, body: unknown = {}) =>
  fetch(`${service.url}/v2/l402/order/${order.orderId}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: order.authorization },
    body: JSON.stringify(body),
  });
const control = () => controlOf(`${sandbox.url}/sandbox`);
const advance = (advanceSeconds: number) => control()("POST", "/clock", { advanceSeconds });
const sha256 = (hex: string): string => createHash("sha256").update(Buffer.from(hex, "hex")).digest("hex");
/** An invoice without an amount, of the customer's node. */
const refundInvoice = () => customer.invoice(null, "refund", 86_400);

/** A number is bought, the minimum passes, and the customer cancels. */
async function cancelled(request: unknown): Promise<Order> {
  const order = await buy(request);
  await until(order, ({ status }) => status === "waiting_for_sms");
  await advance(181);
  expect((await call(order, "cancel")).status).toBe(200);
  return order;
}

describe("over real Lightning", () => {
  test("an invoice of the service is paid by another implementation, and the preimage opens the order", async () => {
    const order = await buy({ service: "telegram", country: "US" });
    const { phoneNumber } = await until(order, ({ status }) => status === "waiting_for_sms");
    await control()("POST", "/sms", { phoneNumber, text: "Telegram code: 482913" });
    expect(await until(order, ({ code }) => code !== null)).toMatchObject({ code: "482913" });
  });

  test("a refund reaches an invoice without an amount, to the sat and with its proof", async () => {
    const { bolt11, hash } = refundInvoice();
    const order = await cancelled({ service: "telegram", country: "US", refundInvoice: bolt11 });
    const view = await until(order, ({ status }) => status === "refunded");
    expect(received.get(hash)).toBe(order.priceSats * 1000);
    expect(sha256(view.refund?.preimage ?? "")).toBe(hash);
  });

  test("the network itself refuses to pay a refund twice, while it is under way and afterwards", async () => {
    const { bolt11, hash } = refundInvoice();
    customer.holding = true;
    const order = await cancelled({ service: "telegram", country: "US", refundInvoice: bolt11 });
    await until(order, ({ status }) => status === "refund_pending");
    await waitFor(() => customer.holds(hash));
    customer.holding = false;
    expect(merchant.pay(bolt11, order.priceSats * 1000)).toBe("duplicate");
    customer.release(hash, "claim");
    await advance(600);
    await until(order, ({ status }) => status === "refunded");
    expect(merchant.pay(bolt11, order.priceSats * 1000)).toBe("duplicate");
    expect(received.get(hash)).toBe(order.priceSats * 1000);
  });

  test("a refund that is stuck stays pending for hours and through a restart, and arrives when it is let go", async () => {
    const { bolt11, hash } = refundInvoice();
    customer.holding = true;
    const order = await cancelled({ service: "telegram", country: "US", refundInvoice: bolt11 });
    await waitFor(() => customer.holds(hash));
    customer.holding = false;
    await advance(20_000);
    expect((await read(order)).status).toBe("refund_pending");
    await service.stop();
    await startAgain();
    expect((await read(order)).status).toBe("refund_pending");
    // A new destination while the first one may still be paid would be a second refund.
    expect((await call(order, "refund-invoice", { refundInvoice: refundInvoice().bolt11 })).status).toBe(409);
    customer.release(hash, "claim");
    await advance(600);
    expect((await until(order, ({ status }) => status === "refunded")).refund).toMatchObject({
      amountSats: order.priceSats,
    });
    expect(received.get(hash)).toBe(order.priceSats * 1000);
  }, 30_000);

  test("a refund that is stuck and then fails goes to another destination, once", async () => {
    const { bolt11, hash } = customer.invoice(null, "refund", 7_200);
    customer.holding = true;
    const order = await cancelled({ service: "telegram", country: "US", refundInvoice: bolt11 });
    await waitFor(() => customer.holds(hash));
    customer.holding = false;
    await advance(9_000);
    expect((await read(order)).status).toBe("refund_pending");
    customer.release(hash, "fail");
    await advance(600);
    // The invoice has expired meanwhile, so the money waits for another one.
    await until(order, ({ status }) => status === "refund_failed");
    const second = refundInvoice();
    expect((await call(order, "refund-invoice", { refundInvoice: second.bolt11 })).status).toBe(200);
    await until(order, ({ status }) => status === "refunded");
    expect(received.get(hash)).toBeUndefined();
    expect(received.get(second.hash)).toBe(order.priceSats * 1000);
  }, 30_000);
});

async function waitFor(holds: () => boolean): Promise<void> {
  const giveUp = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > giveUp) throw new Error("It never came to hold");
    await Bun.sleep(5);
  }
}
