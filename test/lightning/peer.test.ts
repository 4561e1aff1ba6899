/** The shipped lnd adapter and the settlement feed against the sandbox's Lightning network, over real sockets. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type Sats, sats } from "../../actors/order/money.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { createLnd } from "../../src/lightning/lnd.ts";
import { type LightningNode, NodeUnavailable, type Payment } from "../../src/lightning/port.ts";
import { checkRefundInvoice } from "../../src/lightning/refund-invoice.ts";
import { SettlementFeed } from "../../src/lightning/settlements.ts";
import { brokenConnection } from "../../src/sandbox/answers.ts";
import { ConnectionReset, Faults } from "../../src/sandbox/faults.ts";
import { LightningPeer } from "../../src/sandbox/lightning/peer.ts";

let world: RealWorld;
let faults: Faults;
let peer: LightningPeer;
let server: Bun.Server<undefined>;
let node: LightningNode;
let feed: SettlementFeed;
let taken: { hash: string; receivedMsats: number; cursor: string | null }[];
let cursor: string | null;

beforeEach(() => {
  world = new RealWorld();
  faults = new Faults();
  peer = new LightningPeer({ world, books: new Database(":memory:"), faults });
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) =>
      peer.fetch(request).catch((error: unknown) => {
        if (error instanceof ConnectionReset || request.signal.aborted) return brokenConnection();
        throw error;
      }),
  });
  node = createLnd({ world, baseUrl: `http://127.0.0.1:${server.port}`, macaroonHex: "0201" });
  taken = [];
  cursor = null;
  feed = new SettlementFeed({
    world,
    node,
    loadCursor: () => cursor,
    onSettlement: async ({ paymentHash, receivedMsats }, at) => {
      taken.push({ hash: paymentHash, receivedMsats, cursor: at });
      if (at !== null) cursor = at;
    },
    log: () => {},
  });
});
afterEach(async () => {
  await feed.stop();
  peer.close();
  await server.stop(true);
});

const fault = (action: string, name: string, detail: Record<string, unknown> = {}) =>
  faults.plan({ peer: "node", action, fault: name, detail });
const invoice = (amountSats = 1234) =>
  node.createInvoice({
    key: `order-${amountSats}`,
    amountSats: sats(amountSats),
    description: "One number",
    expirySeconds: 300,
  });
/** Resolves when the planned fault has met its call, and what the node then said has been read. */
const struck = () => until(() => faults.list().length === 0).then(() => Bun.sleep(30));
/** Waits for what arrives by itself, at most two seconds. */
const until = async (what: () => boolean) => {
  for (let turn = 0; turn < 400 && !what(); turn++) await Bun.sleep(5);
  expect(what()).toBe(true);
};
const has = (hash: string) => () => taken.some((event) => event.hash === hash);
const sha256 = (hex: string) => createHash("sha256").update(Buffer.from(hex, "hex")).digest("hex");

/** A refund to an invoice of the customer's wallet, as the service would make it. */
async function refund(amountSats: Sats = sats(1234), expirySeconds = 7200): Promise<Payment> {
  const { pubkey } = await node.info();
  const verdict = checkRefundInvoice({
    invoice: peer.wallet.invoice({ expirySeconds }).invoice,
    network: "bcrt",
    now: world.now(),
    minLifeSeconds: 60,
    ownPubkey: pubkey,
  });
  if (!verdict.ok) throw new Error(verdict.message);
  const { paymentHash } = verdict;
  return { bolt11: verdict.invoice, paymentHash, amountSats, maxFeeSats: sats(10), timeoutSeconds: 60 };
}
const refundsReceived = () => peer.wallet.view().payments.filter(({ direction }) => direction === "in");

describe("invoices", () => {
  test("a customer pays, and every way of asking says so", async () => {
    const { bolt11, paymentHash } = await invoice();
    expect(await node.lookupInvoice(paymentHash)).toEqual({ kind: "open" });
    const { preimage } = await peer.wallet.pay(bolt11);
    expect(sha256(preimage)).toBe(paymentHash);
    const state = await node.lookupInvoice(paymentHash);
    expect(state).toMatchObject({ kind: "settled", settlement: { paymentHash, receivedMsats: 1_234_000 } });
    const list = await node.settledSince(world.now() - 60_000);
    expect(state.kind === "settled" && list).toEqual(state.kind === "settled" && [state.settlement]);
    expect(await node.cancelInvoice(paymentHash)).toEqual(state);
  });

  test("a cancelled invoice is dead and cannot be paid", async () => {
    const { bolt11, paymentHash } = await invoice();
    expect(await node.cancelInvoice(paymentHash)).toEqual({ kind: "dead" });
    expect(await node.cancelInvoice(paymentHash)).toEqual({ kind: "dead" });
    await expect(peer.wallet.pay(bolt11)).rejects.toThrow("cancelled");
    expect(await node.lookupInvoice("00".repeat(32))).toEqual({ kind: "missing" });
    expect(await node.cancelInvoice("00".repeat(32))).toEqual({ kind: "missing" });
  });

  test("a cancel whose answer is lost is still known to have happened", async () => {
    const { paymentHash } = await invoice();
    fault("cancelinvoice", "reset_after");
    expect(await node.cancelInvoice(paymentHash)).toEqual({ kind: "dead" });
  });

  test("an invoice that the node did not make is not there", async () => {
    for (const name of ["reset", "http500", "http503", "html502", "unauthorized", "not_found_html"]) {
      fault("addinvoice", name);
      await expect(invoice()).rejects.toThrow(NodeUnavailable);
    }
  });

  test("an invoice whose answer is lost is found", async () => {
    for (const name of ["reset_after", "garbled", "empty"]) {
      fault("addinvoice", name);
      const { bolt11, paymentHash } = await invoice();
      await peer.wallet.pay(bolt11);
      expect(await node.lookupInvoice(paymentHash)).toMatchObject({ kind: "settled" });
    }
  });

  test("more than one page of the past is found", async () => {
    const hashes: string[] = [];
    for (let count = 0; count < 230; count++) {
      const { bolt11, paymentHash } = await invoice(1 + count);
      if (count % 2 === 0) {
        await peer.wallet.pay(bolt11);
        hashes.push(paymentHash);
      }
    }
    const found = await node.settledSince(world.now() - 60_000);
    expect(found.map(({ paymentHash }) => paymentHash).sort()).toEqual(hashes.sort());
  });

  test("identity and balance", async () => {
    expect(await node.info()).toMatchObject({ network: "bcrt", synced: true });
    const before = await node.balance();
    await peer.wallet.pay((await invoice(500)).bolt11);
    const after = await node.balance();
    expect([after.outboundSats - before.outboundSats, (after.inboundSats ?? 0) - (before.inboundSats ?? 0)]).toEqual([
      500, -500,
    ]);
  });
});

describe("settlements", () => {
  test("come by the stream, in order, with the cursor to go on from", async () => {
    feed.start();
    await until(() => feed.status().connected);
    const first = await invoice(100);
    const second = await invoice(200);
    await peer.wallet.pay(second.bolt11);
    await peer.wallet.pay(first.bolt11);
    await until(() => cursor === "2");
    expect(taken.filter((event) => event.cursor !== null)).toEqual([
      { hash: second.paymentHash, receivedMsats: 200_000, cursor: "1" },
      { hash: first.paymentHash, receivedMsats: 100_000, cursor: "2" },
    ]);
  });

  test("that happened while the service was down are replayed from the cursor", async () => {
    feed.start();
    await until(() => feed.status().connected);
    await peer.wallet.pay((await invoice()).bolt11);
    await until(() => cursor === "1");
    await feed.stop();
    taken.length = 0;
    const missed = [await invoice(), await invoice()];
    for (const { bolt11 } of missed) await peer.wallet.pay(bolt11);
    feed.start();
    await until(() => cursor === "3");
    expect(taken.filter((event) => event.cursor !== null).map(({ hash }) => hash)).toEqual(
      missed.map(({ paymentHash }) => paymentHash),
    );
  });

  test("the very first, which no cursor can replay, is found in the list", async () => {
    const { bolt11, paymentHash } = await invoice();
    await peer.wallet.pay(bolt11);
    feed.start();
    await until(has(paymentHash));
    expect(taken).toEqual([{ hash: paymentHash, receivedMsats: 1_234_000, cursor: null }]);
  });

  test("a stream that is cut is opened again a second later and misses nothing", async () => {
    fault("subscribe", "stream_cut");
    feed.start();
    await until(() => feed.status().connected);
    const first = await invoice();
    const second = await invoice();
    await peer.wallet.pay(first.bolt11);
    await until(() => !feed.status().connected);
    await peer.wallet.pay(second.bolt11);
    world.jump(world.now() + 1_000);
    await until(() => cursor === "2" || (has(second.paymentHash)() && feed.status().connected));
    expect([has(first.paymentHash)(), has(second.paymentHash)()]).toEqual([true, true]);
  });

  test("a stream that is silently dead is noticed by the list within a minute", async () => {
    fault("subscribe", "silent_stream");
    feed.start();
    await until(() => feed.status().connected);
    const { bolt11, paymentHash } = await invoice();
    await peer.wallet.pay(bolt11);
    await Bun.sleep(30);
    expect(taken).toEqual([]);
    world.jump(world.now() + 60_000);
    await until(has(paymentHash));
    // After ten minutes the stream is opened anew, and this time it lives.
    for (let minute = 0; minute < 10; minute++) world.jump(world.now() + 60_000);
    await Bun.sleep(30);
    await peer.wallet.pay((await invoice()).bolt11);
    await until(() => cursor === "2");
  });

  test("told twice are handed over twice, which the receiver must bear", async () => {
    fault("subscribe", "duplicate_events");
    feed.start();
    await until(() => feed.status().connected);
    const { bolt11, paymentHash } = await invoice();
    await peer.wallet.pay(bolt11);
    await until(() => taken.length === 2);
    expect(taken.map(({ hash, cursor }) => [hash, cursor])).toEqual([
      [paymentHash, "1"],
      [paymentHash, "1"],
    ]);
  });

  test("a node that is away comes back", async () => {
    for (const name of ["http503", "reset", "html502"]) {
      fault("subscribe", name);
      fault("listinvoices", name);
    }
    feed.start();
    await Bun.sleep(50);
    expect(feed.status().connected).toBe(false);
    const { bolt11, paymentHash } = await invoice();
    await peer.wallet.pay(bolt11);
    for (const seconds of [1, 2, 4, 8]) {
      world.jump(world.now() + seconds * 1000);
      await Bun.sleep(30);
    }
    await until(has(paymentHash));
    expect(feed.status().connected).toBe(true);
  });

  test("waiting for them keeps no steered clock busy", async () => {
    feed.start();
    await until(() => feed.status().connected);
    expect(await world.drained(1_000)).toEqual([]);
  });
});

describe("refunds", () => {
  test("arrive once, with proof, however often they are sent", async () => {
    const payment = await refund();
    const outcome = await node.pay(payment);
    expect(outcome).toMatchObject({ kind: "succeeded", feeMsats: expect.any(Number) });
    if (outcome.kind === "succeeded") expect(sha256(outcome.preimage)).toBe(payment.paymentHash);
    expect(await node.pay(payment)).toEqual(outcome);
    expect(await node.lookupPayment(payment.paymentHash)).toEqual(outcome);
    expect(refundsReceived()).toMatchObject([{ paymentHash: payment.paymentHash, amountSats: 1234 }]);
  });

  const definite: [string, string][] = [
    ["no_route", "no_route"],
    ["insufficient_balance", "insufficient_balance"],
    ["timeout", "timeout"],
    ["incorrect_details", "incorrect_payment_details"],
  ];
  for (const [name, reason] of definite) {
    test(`that fail for sure (${reason}) can be sent again to the same invoice`, async () => {
      const payment = await refund();
      fault("send", name);
      expect(await node.pay(payment)).toEqual({ kind: "failed", reason });
      expect(await node.lookupPayment(payment.paymentHash)).toEqual({ kind: "failed", reason });
      expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
      expect(refundsReceived()).toHaveLength(1);
    });
  }

  test("respect the fee limit", async () => {
    const payment = { ...(await refund()), maxFeeSats: sats(0) };
    expect(await node.pay(payment)).toEqual({ kind: "failed", reason: "no_route" });
  });

  test("to an invoice that expired meanwhile fail for sure, but not if they went out before", async () => {
    const late = await refund(sats(10), 120);
    const paid = await refund(sats(20), 120);
    expect(await node.pay(paid)).toMatchObject({ kind: "succeeded" });
    world.jump(world.now() + 121_000);
    expect(await node.pay(late)).toEqual({ kind: "failed", reason: "invoice_expired" });
    expect(await node.lookupPayment(late.paymentHash)).toEqual({ kind: "never_sent" });
    expect(await node.pay(paid)).toMatchObject({ kind: "succeeded" });
    expect(refundsReceived()).toHaveLength(1);
  });

  for (const resolve of ["succeeded", "failed"] as const) {
    test(`held by the recipient for an hour are in flight all the time, then have ${resolve}`, async () => {
      const payment = await refund();
      fault("send", "in_flight", { resolveAfterSeconds: 3600, resolve });
      const paying = node.pay(payment);
      await struck();
      world.jump(world.now() + 75_000);
      expect(await paying).toEqual({ kind: "in_flight" });
      expect(await node.lookupPayment(payment.paymentHash)).toEqual({ kind: "in_flight" });
      expect(await node.pay(payment)).toEqual({ kind: "in_flight" });
      world.jump(world.now() + 3_600_000);
      const state = await node.lookupPayment(payment.paymentHash);
      expect(state).toMatchObject(
        resolve === "succeeded" ? { kind: "succeeded" } : { kind: "failed", reason: "timeout" },
      );
      // One that failed can be sent again; one that succeeded is not paid twice.
      expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
      expect(refundsReceived()).toHaveLength(1);
    });
  }

  test("that end while they are waited for are known at once", async () => {
    const payment = await refund();
    fault("send", "in_flight", { resolveAfterSeconds: 30 });
    const paying = node.pay(payment);
    await struck();
    world.jump(world.now() + 30_000);
    expect(await paying).toMatchObject({ kind: "succeeded" });
  });

  for (const name of ["reset", "http500", "http503", "html502", "unauthorized", "not_found_html", "hang"]) {
    test(`whose request is lost before the node acts (${name}) are unknown, then surely never sent`, async () => {
      const payment = await refund();
      fault("send", name);
      const paying = node.pay(payment);
      if (name === "hang") await struck().then(() => world.jump(world.now() + 75_000));
      expect(await paying).toMatchObject({ kind: "unknown" });
      expect(await node.lookupPayment(payment.paymentHash)).toEqual({ kind: "never_sent" });
      expect(refundsReceived()).toEqual([]);
      expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
    });
  }

  for (const name of ["reset_after", "garbled", "empty", "hang_after"]) {
    test(`whose answer is lost after the node acted (${name}) are unknown, then proven`, async () => {
      const payment = await refund();
      fault("send", name);
      const paying = node.pay(payment);
      if (name === "hang_after") await struck().then(() => world.jump(world.now() + 75_000));
      expect(await paying).toMatchObject({ kind: "unknown" });
      expect(await node.lookupPayment(payment.paymentHash)).toMatchObject({ kind: "succeeded" });
      expect(refundsReceived()).toHaveLength(1);
    });
  }

  test("with a preimage that proves nothing are unknown until the node shows the right one", async () => {
    const payment = await refund();
    fault("send", "wrong_preimage");
    expect(await node.pay(payment)).toEqual({ kind: "unknown", reason: "wrong_preimage" });
    expect(await node.lookupPayment(payment.paymentHash)).toMatchObject({ kind: "succeeded" });
  });

  test("cannot be asked about while the node is away, and a proxy's 404 is no proof", async () => {
    const payment = await refund();
    for (const name of [
      "reset",
      "http500",
      "http503",
      "html502",
      "unauthorized",
      "not_found_html",
      "garbled",
      "empty",
    ]) {
      // More than once, because Bun repeats a GET whose reused connection breaks.
      for (let times = 0; times < 3; times++) fault("track", name);
      const answer = await node.lookupPayment(payment.paymentHash).catch((error: unknown) => error);
      expect([name, answer instanceof NodeUnavailable]).toEqual([name, true]);
      faults.clear();
    }
    expect(await node.lookupPayment(payment.paymentHash)).toEqual({ kind: "never_sent" });
  });
});
