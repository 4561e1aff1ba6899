/** How the node's word about a payment reaches the order: late, twice, on a broken stream, or while nobody listened. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectRefunded, refundable, refundsTo, secondsBetween, soldIn, withNumber } from "../../support/life.ts";
import { type Peers, startPeers } from "../../support/peers.ts";
import type { Bought, RunningServer } from "../../support/server.ts";

setDefaultTimeout(30_000);

let peers: Peers;
let server: RunningServer;

beforeAll(async () => {
  peers = await startPeers();
  server = await peers.start();
});
afterEach(async () => {
  expect(await server.unusedFaults()).toEqual([]);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await peers.stop();
});

/** The service starts again, and its first stream of settlements is faulty. */
async function restartWith(fault: string): Promise<void> {
  await server.kill();
  await peers.fault("node", "subscribe", fault);
  server = await peers.start();
}

test("money that came while the service was down buys, comes back or is owed, by its age", async () => {
  const parent = await withNumber(server, (await refundable(server)).request);
  await peers.sms(parent.order.phoneNumber, "Parent 10101");
  await server.until(parent.bought, ({ code }) => code !== null);
  await peers.advance(60);

  const old = await refundable(server, { service: "fb", country: "GB" });
  const stale = await refundable(server, { service: "wa", country: "GB" });
  const fresh = await refundable(server);
  const rental = { type: "rent-number", service: "full", country: "GB", durationMinutes: 60 };
  const again = { type: "receive-sms-reactivate", orderId: parent.bought.orderId };
  const challenges = {
    old: await server.challenge(old.request),
    oldWithout: await server.challenge({ service: "fb", country: "CA" }),
    rental: await server.challenge(rental),
    reactivation: await server.challenge(again, { authorization: parent.bought.authorization }),
    stale: await server.challenge(stale.request),
    fresh: await server.challenge(fresh.request),
    unpaid: await server.challenge({ service: "fb", country: "DE" }),
  };
  await server.kill();
  const bought = {
    old: await server.pay(challenges.old),
    oldWithout: await server.pay(challenges.oldWithout),
    rental: await server.pay(challenges.rental),
    reactivation: await server.pay(challenges.reactivation),
  };
  await peers.advance(130);
  const boughtStale = await server.pay(challenges.stale);
  await peers.advance(70);
  const boughtFresh = await server.pay(challenges.fresh);
  await peers.advance(200);
  server = await peers.start();
  await peers.advance(1);

  // 200 s old: buys, and everything counts from the payment.
  const order = await server.read(boughtFresh);
  expect(order.status).toBe("waiting_for_sms");
  expect(secondsBetween(order.paidAt, order.expiresAt)).toBe(1_200);
  expect(await server.cancel(boughtFresh)).toMatchObject({ status: 200, order: { status: "waiting_for_sms" } });

  // 270 s old: buying time is over.
  await expectRefunded(server, boughtStale, stale.hash);
  expect(await soldIn(server, "wa", 16)).toEqual([]);

  // 400 s old: late money. It is refunded where a refund is promised, and buys at the quoted price where none is.
  await expectRefunded(server, bought.old, old.hash);
  expect(await soldIn(server, "fb", 16)).toEqual([]);
  expect(await server.read(bought.oldWithout)).toMatchObject({
    status: "refund_failed",
    refund: { status: "needs_destination", amountSats: bought.oldWithout.priceSats },
  });
  const later = await refundable(server);
  expect((await server.redirect(bought.oldWithout, later.request.refundInvoice)).status).toBe(200);
  await expectRefunded(server, bought.oldWithout, later.hash);

  const rented = await server.read(bought.rental);
  expect(rented.status).toBe("rent_active");
  await peers.sms(rented.phoneNumber, "Rented 20202");
  expect(await server.until(bought.rental, ({ code }) => code !== null)).toMatchObject({ code: "20202" });
  const second = await server.read(bought.reactivation);
  expect(second).toMatchObject({ status: "waiting_for_sms", phoneNumber: parent.order.phoneNumber });
  await peers.sms(second.phoneNumber, "Again 30303");
  expect(await server.until(bought.reactivation, ({ code }) => code !== null)).toMatchObject({ code: "30303" });

  // What nobody paid has lapsed meanwhile, at the node as well.
  await peers.advance(30);
  await expect(server.pay(challenges.unpaid)).rejects.toThrow("400");

  // The provider takes a number back two minutes after the buy at the earliest.
  await peers.advance(60);
  expect((await server.read(boughtFresh)).status).toBe("waiting_for_sms");
  await peers.advance(40);
  await expectRefunded(server, boughtFresh, fresh.hash);
});

describe("the stream of settlements", () => {
  /** Nobody reads the order: a reader's proof of payment makes the service ask the node. */
  async function boughtUnread(service: string, country: string): Promise<{ bought: Bought; hash: string }> {
    const { request, hash } = await refundable(server, { service, country });
    return { bought: await server.buy(request), hash };
  }

  test("a stream that is silently dead delays a payment by a minute at most, and a reader who shows the preimage not at all", async () => {
    await restartWith("silent_stream");
    const unheard = await boughtUnread("ds", "GB");
    await peers.advance(61);
    expect(await soldIn(server, "ds", 16)).toHaveLength(1);
    expect((await server.read(unheard.bought)).status).toBe("waiting_for_sms");
    const shown = await boughtUnread("ds", "US");
    const order = await server.until(shown.bought, ({ phoneNumber }) => phoneNumber !== null, 5_000);
    expect(order.status).toBe("waiting_for_sms");
  });

  test("a stream that breaks after each settlement loses none", async () => {
    await restartWith("stream_cut");
    const first = await boughtUnread("ds", "DE");
    await server.until(first.bought, ({ phoneNumber }) => phoneNumber !== null);
    const second = await boughtUnread("ds", "CA");
    await peers.advance(5);
    expect(await soldIn(server, "ds", 36)).toHaveLength(1);
    expect(await soldIn(server, "ds", 43)).toHaveLength(1);
    expect((await server.read(second.bought)).status).toBe("waiting_for_sms");
  });

  test("a settlement that is told twice buys once and is refunded once", async () => {
    await restartWith("duplicate_events");
    const { bought, hash } = await boughtUnread("ds", "IN");
    await peers.advance(2);
    expect(await soldIn(server, "ds", 22)).toHaveLength(1);
    await peers.advance(181);
    await server.cancel(bought);
    await expectRefunded(server, bought, hash);
    expect(await refundsTo(server, hash)).toHaveLength(1);
    expect(await soldIn(server, "ds", 22)).toHaveLength(1);
  });

  test("a preimage shows payment at once, but the number waits for the node's own word", async () => {
    await server.kill();
    await peers.fault("node", "subscribe", "silent_stream", 100_000);
    await peers.fault("node", "listinvoices", "http503", 100_000);
    await peers.fault("node", "lookupinvoice", "http503", 100_000);
    server = await peers.start();
    const { request } = await refundable(server, { service: "ds", country: "BR" });
    const challenge = await server.challenge(request);
    const bought = await server.pay(challenge);
    const paid = await server.read(bought);
    expect(paid).toMatchObject({ status: "paid", phoneNumber: null, next: { action: "wait" } });
    expect(paid.paidAt).not.toBeNull();
    expect(await server.cancel(bought)).toMatchObject({ status: 409, error: { code: "CANCEL_TOO_SOON" } });
    await peers.advance(20);
    expect((await server.read(bought)).status).toBe("paid");
    expect(await soldIn(server, "ds", 73)).toEqual([]);
    await server.unusedFaults();
    expect((await server.until(bought, ({ phoneNumber }) => phoneNumber !== null)).status).toBe("waiting_for_sms");
    expect(await soldIn(server, "ds", 73)).toHaveLength(1);
  });
});
