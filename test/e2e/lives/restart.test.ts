/**
 * The process ends in every kind of state, by SIGKILL and by SIGTERM, and starts again against peers that remember: each order goes
 * on as if nothing had happened, deadlines that passed meanwhile fire at once, and the books agree at the end.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runDoctor } from "../../../src/ops/doctor.ts";
import type { OrderView } from "../../../src/orders/view.ts";
import {
  activationsOf,
  expectRefunded,
  faultsUsed,
  refundable,
  refundsTo,
  soldIn,
  withNumber,
} from "../../support/life.ts";
import { type Peers, startPeers } from "../../support/peers.ts";
import { type Bought, type RunningServer, startServer } from "../../support/server.ts";

setDefaultTimeout(40_000);

let peers: Peers;
let server: RunningServer;

beforeAll(async () => {
  peers = await startPeers();
  server = await peers.start();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  const lines: string[] = [];
  const now = Date.now() + (await peers.control<{ offsetMs: number }>("GET", "/clock")).offsetMs;
  expect([await runDoctor([], { dataDir: peers.dataDir, now, out: (line) => lines.push(line) }), ...lines]).toContain(
    0,
  );
  await peers.stop();
});

interface Life {
  readonly bought: Bought;
  /** Payment hash of its refund invoice. */
  readonly hash: string;
}

const is =
  (wanted: OrderView["status"]) =>
  ({ status }: OrderView): boolean =>
    status === wanted;

async function paid(request: Record<string, unknown> = {}): Promise<Life> {
  const { request: whole, hash } = await refundable(server, request);
  return { bought: await server.buy(whole), hash };
}

async function waiting(request: Record<string, unknown> = {}): Promise<Life> {
  const life = await paid(request);
  await server.until(life.bought, is("waiting_for_sms"));
  return life;
}

/** Its SMS arrived, and nobody has read it. */
async function unread(code: string): Promise<Life> {
  const life = await waiting();
  await peers.sms((await server.read(life.bought)).phoneNumber, `Code ${code}`);
  await peers.advance(0.01);
  return life;
}

async function read(code: string): Promise<Life> {
  const life = await unread(code);
  await server.until(life.bought, is("code_received"));
  return life;
}

/** A cancel, just before which the next call of `action` was spoilt. */
async function cancelUnder(life: Life, peer: string, action: string, fault: string, detail = {}): Promise<void> {
  await peers.fault(peer, action, fault, 1, detail);
  expect((await server.cancel(life.bought)).status).toBe(200);
  await faultsUsed(peers);
}

/** A purchase whose buy goes wrong. */
async function buying(country: string, fault: string): Promise<Life> {
  const { request, hash } = await refundable(server, { service: "go", country });
  const challenge = await server.challenge(request);
  await peers.fault("provider", "getNumberV2", fault);
  const bought = await server.pay(challenge);
  await faultsUsed(peers);
  return { bought, hash };
}

/** How often each order was paid back, by the wallet's own books. */
const refundsOf = async (lives: readonly Life[]): Promise<number[]> =>
  Promise.all(lives.map(async ({ hash }) => (await refundsTo(server, hash)).length));

async function terminate(): Promise<void> {
  expect(await server.stop()).toBe(0);
}

const ENDS: readonly ["SIGKILL" | "SIGTERM", () => Promise<unknown>][] = [
  ["SIGKILL", () => server.kill()],
  ["SIGTERM", terminate],
];

describe.each(ENDS)("%s", (signal, end) => {
  /** A planned stop waits some seconds for answers that are under way; here it finds none. */
  const abrupt = signal === "SIGKILL";
  const country = { hangs: abrupt ? "DE" : "BR", lost: abrupt ? "CA" : "IN", none: abrupt ? "ID" : "GB" };

  test("every kind of order goes on as if nothing had happened", async () => {
    const cancelled = await waiting();
    const stuck = await server.buy({ service: "tg", country: "US" });
    await server.until(stuck, is("waiting_for_sms"));
    const held = await waiting();
    const lost = await waiting();
    const never = await waiting();
    const failing = await waiting();
    const closing = await waiting();
    const completed = await read("10001");
    const rental = await withNumber(server, {
      type: "rent-number",
      service: "full",
      country: "US",
      durationMinutes: 120,
    });
    await peers.sms(rental.order.phoneNumber, "Rent 20001");
    await peers.advance(185);

    // Over: completed, refunded, and one that waits for a destination.
    await server.until(completed.bought, is("completed"));
    await server.cancel(cancelled.bought);
    await server.until(cancelled.bought, is("refunded"));
    await server.cancel(stuck);
    await server.until(stuck, is("refund_failed"));

    // Being refunded: held by the receiver, paid without an answer, and between two attempts.
    await cancelUnder(held, "node", "send", "in_flight", { resolveAfterSeconds: 200 });
    if (!abrupt) await peers.advance(80);
    await peers.fault("node", "track", "http503");
    await cancelUnder(lost, "node", "send", "reset_after");

    // The number is being given back, before and after its code.
    const finishing = await read("10002");
    if (abrupt) {
      await peers.fault("provider", "setStatus", "hang");
      await peers.advance(31);
      await faultsUsed(peers);
      await cancelUnder(closing, "provider", "setStatus", "hang");
      await cancelUnder(never, "node", "send", "hang");
    } else {
      await peers.advance(25);
      await cancelUnder(closing, "provider", "setStatus", "early_cancel_denied");
      await cancelUnder(never, "node", "send", "reset");
    }
    await cancelUnder(failing, "node", "send", "no_route");

    // Before the code: unpaid, buying in several ways, waiting, and with a code that nobody has read.
    const open = await server.challenge({ service: "tg", country: "US" });
    const delivered = await unread("10003");
    const known = await read("10004");
    const waits = await waiting();
    const hangs = await buying(country.hangs, abrupt ? "hang_bought" : "reset_bought");
    const nothing = await buying(country.lost, "reset_not_bought");
    const pausing = await buying(country.none, "no_numbers");

    const kept = [cancelled.bought, stuck, held.bought, lost.bought, never.bought, failing.bought, closing.bought];
    const more = [completed.bought, rental.bought, finishing.bought, known.bought, waits.bought, nothing.bought];
    const before = await Promise.all([...kept, ...more].map((bought) => server.read(bought)));
    expect(before.map(({ status }) => status)).toEqual([
      "refunded",
      "refund_failed",
      "refund_pending",
      before[3]?.status === "refunded" ? "refunded" : "refund_pending",
      "refund_pending",
      "refund_pending",
      "waiting_for_sms",
      "completed",
      "rent_active",
      "code_received",
      "code_received",
      "waiting_for_sms",
      "allocating_number",
    ]);

    await end();
    server = await peers.start();

    // What was over, or only waits, reads exactly as before; the rest may have moved on already.
    for (const view of [0, 1, 7, 8, 10, 11].map((index) => before[index])) {
      const bought = [...kept, ...more].find(({ orderId }) => orderId === view?.orderId);
      if (bought && view) expect(await server.read(bought)).toEqual(view);
    }
    const unpaid = await server.call(`/v2/l402/order/${open.orderId}/cancel`, {
      authorization: `L402 ${open.macaroon}:`,
    });
    expect(unpaid.status).toBe(402);
    expect(await unpaid.json()).toMatchObject({ invoice: open.invoice, macaroon: open.macaroon });

    const opened = await server.pay(open);
    await server.until(opened, is("waiting_for_sms"));
    await peers.sms((await server.read(waits.bought)).phoneNumber, "Code 10005");
    expect(await server.until(waits.bought, is("code_received"))).toMatchObject({ code: "10005" });
    expect(await server.read(delivered.bought)).toMatchObject({ status: "code_received", code: "10003" });
    await peers.advance(60);

    for (const [life, code] of [
      [finishing, "10002"],
      [delivered, "10003"],
      [known, "10004"],
      [waits, "10005"],
    ] as const) {
      expect(await server.read(life.bought)).toMatchObject({ status: "completed", code });
      const rows = await activationsOf(server, (await server.read(life.bought)).phoneNumber);
      expect(rows).toMatchObject([{ status: "finished" }]);
    }
    await expectRefunded(server, closing.bought, closing.hash);
    await expectRefunded(server, failing.bought, failing.hash);
    await expectRefunded(server, lost.bought, lost.hash);
    for (const life of [hangs, pausing]) expect((await server.read(life.bought)).status).toBe("waiting_for_sms");

    await peers.advance(170);
    await expectRefunded(server, never.bought, never.hash);
    expect((await server.read(nothing.bought)).status).toBe("waiting_for_sms");
    for (const [iso, id] of [
      ["DE", 43],
      ["CA", 36],
      ["ID", 6],
      ["BR", 73],
      ["IN", 22],
      ["GB", 16],
    ] as const) {
      if (Object.values(country).includes(iso)) expect(await soldIn(server, "go", id)).toHaveLength(1);
    }

    const later = await refundable(server);
    expect((await server.redirect(stuck, later.request.refundInvoice)).status).toBe(200);
    await expectRefunded(server, stuck, later.hash);
    for (const life of [hangs, nothing, pausing]) expect((await server.cancel(life.bought)).status).toBe(200);
    await peers.advance(130);
    for (const life of [held, hangs, nothing, pausing]) await expectRefunded(server, life.bought, life.hash);
    expect(await refundsOf([cancelled, held, lost, never, failing, closing])).toEqual([1, 1, 1, 1, 1, 1]);
    expect(await refundsOf([completed, finishing, delivered, known, waits])).toEqual([0, 0, 0, 0, 0]);

    await peers.sms(rental.order.phoneNumber, "Rent 20002");
    const rented = await server.until(rental.bought, ({ code }) => code === "20002");
    expect(rented.status).toBe("rent_active");
    expect(rented.messages.map(({ code }) => code)).toEqual(["20001", "20002"]);
    expect(rented.expiresAt).toBe(rental.order.expiresAt);
  });
});

test("deadlines that passed while it was down fire at once, and what arrived meanwhile is found", async () => {
  const parent = await read("30001");
  await peers.advance(60);
  const { request, hash: parentHash } = await refundable(server);
  const challenge = await server.challenge(
    { type: "receive-sms-reactivate", orderId: parent.bought.orderId, refundInvoice: request.refundInvoice },
    { authorization: parent.bought.authorization },
  );
  const again = await server.pay(challenge);
  await server.until(again, is("waiting_for_sms"));
  const silent = await waiting();
  const codeless = await server.buy({ service: "tg", country: "US" });
  await server.until(codeless, is("waiting_for_sms"));
  const graced = await read("30002");
  const nobody = await unread("30003");
  const rental = await withNumber(server, {
    type: "rent-number",
    service: "full",
    country: "GB",
    durationMinutes: 60,
  });
  const lapsing = await server.challenge({ service: "tg", country: "US" });

  await terminate();
  await peers.advance(100);
  server = await peers.start();
  expect((await server.read(silent.bought)).status).toBe("waiting_for_sms");
  expect(await server.cancel(silent.bought)).toMatchObject({ status: 409, error: { code: "CANCEL_TOO_SOON" } });
  expect(await server.until(graced.bought, is("completed"))).toMatchObject({ code: "30002" });

  // An SMS that comes while nobody listens is read later.
  const heard = await waiting();
  const { phoneNumber } = await server.read(heard.bought);
  await server.kill();
  await peers.sms(phoneNumber, "Code 30004");
  await peers.sms(rental.order.phoneNumber, "Rent 30005");
  await peers.advance(200);
  server = await peers.start();
  await peers.advance(10);
  expect(await server.read(heard.bought)).toMatchObject({ status: "code_received", code: "30004" });
  expect(await server.read(rental.bought)).toMatchObject({ status: "rent_active", code: "30005" });

  await terminate();
  await peers.advance(1_300);
  server = await peers.start();
  await server.until(silent.bought, is("refunded"), 5_000);
  await expectRefunded(server, silent.bought, silent.hash);
  await server.until(codeless, is("refund_failed"), 5_000);
  expect(await server.until(again, is("expired"), 5_000)).toMatchObject({ refund: { status: "none" } });
  expect(await refundsTo(server, parentHash)).toEqual([]);
  expect(await server.until(nobody.bought, is("completed"), 5_000)).toMatchObject({ code: "30003" });
  expect((await server.read(rental.bought)).status).toBe("rent_active");

  await server.kill();
  await peers.advance(6_000);
  server = await peers.start();
  expect(await server.until(rental.bought, is("completed"), 5_000)).toMatchObject({ code: "30005" });
  await expect(server.pay(lapsing)).rejects.toThrow("400");
});

test("the embedded sandbox goes on as well: its money, its numbers and its clock", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "l402-embedded-"));
  try {
    let own = await startServer({ dataDir });
    const { request, hash } = await refundable(own);
    const life = await withNumber(own, request);
    await own.advance(185);
    const before = await own.read(life.bought);
    expect(await own.stop()).toBe(0);

    own = await startServer({ dataDir });
    expect(await own.read(life.bought)).toEqual(before);
    const other = await withNumber(own, (await refundable(own)).request);
    await own.sms(other.order.phoneNumber, "Code 40001");
    await own.until(other.bought, is("code_received"));
    await own.kill();

    own = await startServer({ dataDir });
    expect(await own.read(other.bought)).toMatchObject({ status: "code_received", code: "40001" });
    await own.cancel(life.bought);
    await own.advance(60);
    await expectRefunded(own, life.bought, hash);
    expect((await own.read(other.bought)).status).toBe("completed");
    expect(await own.stop()).toBe(0);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});
