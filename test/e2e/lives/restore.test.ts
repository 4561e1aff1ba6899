/**
 * A database is lost and a backup of it restored, from outside: real process, real files, peers that remember. Refunds that left after the backup
 * are never paid again, what nobody can tell waits for a person, the rest goes on, and in the end the books agree to the sat.
 */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { OrderView } from "../../../src/orders/view.ts";
import { expectRefunded, refundable, refundsTo } from "../../support/life.ts";
import { type Peers, startPeers } from "../../support/peers.ts";
import { type Bought, type ChallengeBody, type RunningServer, runToEnd } from "../../support/server.ts";

setDefaultTimeout(60_000);

/** What the node speaks: the same is true for each that can list its past. */
const NODE = process.env.RESTORE_NODE ?? "lnd";

let peers: Peers;
let server: RunningServer;
beforeAll(async () => {
  peers = await startPeers(NODE);
  server = await peers.start();
});
afterAll(async () => {
  await server.stop();
  await peers.stop();
});

interface Life {
  readonly bought: Bought;
  /** Payment hash of its first refund invoice. */
  readonly hash: string;
}

interface Report {
  readonly clean: boolean;
  readonly findings: { readonly total: number };
  readonly peers: {
    readonly paused: boolean;
    readonly differences: { readonly list: { readonly kind: string; readonly words: string }[] };
    readonly doubts: { readonly list: { readonly orderId: string; readonly words: string }[] };
    readonly repaired: { readonly done: string[]; readonly failed: string[]; readonly pauseOver: boolean } | null;
  };
}

const is =
  (wanted: OrderView["status"]) =>
  ({ status }: OrderView): boolean =>
    status === wanted;

/** Paid, with a number that waits for its SMS. */
async function waiting(request: Record<string, unknown> = {}): Promise<Life> {
  const { request: whole, hash } = await refundable(server, request);
  const bought = await server.buy(whole);
  await server.until(bought, is("waiting_for_sms"));
  return { bought, hash };
}

const command = (...args: string[]) =>
  runToEnd({ DATA_DIR: peers.dataDir, SANDBOX_URL: peers.url, SANDBOX_NODE: NODE }, args);

async function doctor(...args: string[]): Promise<Report & { readonly code: number }> {
  const { code, output } = await command("doctor", "--peers", "--quick", "--json", ...args);
  return { ...(JSON.parse(output) as Report), code };
}

async function delivered({ bought }: Pick<Life, "bought">, code: string): Promise<void> {
  const { phoneNumber } = await server.read(bought);
  await server.sms(phoneNumber, `Your code is ${code}`);
  await server.until(bought, (order) => order.code === code);
}

const ready = async () => {
  const response = await fetch(`${server.origin}/readyz`);
  return { status: response.status, body: (await response.json()) as { reasons: string[] } };
};

/** What wallet and provider have: whatever changes it has moved money or numbers. */
async function outside() {
  const { payments } = await server.wallet();
  const { activations } = await server.books();
  return {
    paidBack: payments.filter(({ direction }) => direction === "in").length,
    numbers: activations.map(({ activationId, status }) => `${activationId} ${status}`),
  };
}

const file = () => join(peers.dataDir, "..", "backup.sqlite");
let cancelled: Life;
let redirected: Life;
let served: Life;
let stuck: Life;
let early: Life;
let running: Life;
let paidAndRefunded: { readonly challenge: ChallengeBody; readonly hash: string };
let paidAndServed: ChallengeBody;
let lateRefund: Bought;
let lateService: Bought;
let after: Life;
let redirectedTo: string;

test("lives go on after the backup: cancels, refunds, codes, sales", async () => {
  early = await waiting({ country: "GB" });
  running = await waiting({ country: "GB" });
  await delivered(running, "918273");
  stuck = { bought: await server.buy({ service: "wa", country: "ID" }), hash: "" };
  await server.until(stuck.bought, is("waiting_for_sms"));
  await server.advance(200);
  await server.cancel(early.bought);
  await expectRefunded(server, early.bought, early.hash);
  await server.cancel(stuck.bought);
  await server.until(stuck.bought, is("refund_failed"));

  cancelled = await waiting();
  redirected = await waiting({ country: "DE" });
  served = await waiting({ service: "go", country: "CA" });
  const { request, hash } = await refundable(server, { country: "IN" });
  paidAndRefunded = { challenge: await server.challenge(request), hash };
  paidAndServed = await server.challenge((await refundable(server, { service: "ig", country: "BR" })).request);

  const { code, output } = await command("backup", file());
  expect([code, output]).toEqual([0, expect.stringContaining("Backup")]);

  lateRefund = await server.pay(paidAndRefunded.challenge);
  lateService = await server.pay(paidAndServed);
  await server.until(lateRefund, is("waiting_for_sms"));
  await server.until(lateService, is("waiting_for_sms"));
  await delivered({ bought: lateService }, "555666");
  await delivered(served, "424242");
  after = await waiting({ service: "fb", country: "US" });
  const { invoice, paymentHash } = await server.control<{ invoice: string; paymentHash: string }>(
    "POST",
    "/wallet/invoice",
    {},
  );
  redirectedTo = paymentHash;
  expect((await server.redirect(redirected.bought, invoice)).status).toBe(200);
  await server.advance(200);
  for (const { bought } of [cancelled, redirected, { bought: lateRefund }, after]) await server.cancel(bought);
  await expectRefunded(server, cancelled.bought, cancelled.hash);
  await expectRefunded(server, redirected.bought, redirectedTo);
  await expectRefunded(server, lateRefund, paidAndRefunded.hash);
  await expectRefunded(server, after.bought, after.hash);
  await server.until({ ...served.bought }, is("completed"));
});

test("a backup is restored only while nobody serves, and over nothing", async () => {
  expect(await command("restore", file(), "--replace")).toMatchObject({
    code: 2,
    output: expect.stringContaining("stop it first"),
  });
  expect((await command("doctor", "--peers", "--repair")).output).toContain("stop it first");
  await server.kill();
  expect(await command("restore", file())).toMatchObject({ code: 2, output: expect.stringContaining("--replace") });
  const { code, output } = await command("restore", file(), "--replace");
  expect([code, output]).toEqual([0, expect.stringContaining("Money is paused")]);
});

test("started on it, the server says so, sells nothing, and moves no money whatever comes due", async () => {
  server = await peers.start();
  const before = await outside();
  expect(await ready()).toMatchObject({
    status: 503,
    body: { reasons: [expect.stringContaining("restored from a backup")] },
  });
  expect(server.output()).toContain("the database was restored from a backup");
  expect((await server.ask({ service: "tg", country: "US" })).error.code).toBe("TEMPORARILY_UNAVAILABLE");
  // Those who wait are read to, and the refund that could be paid a second time is asked for.
  expect((await server.read(early.bought)).status).toBe("refunded");
  const invoice = await server.refundInvoice();
  expect([200, 409]).toContain((await server.redirect(redirected.bought, invoice)).status);
  expect((await server.redirect(stuck.bought, await server.refundInvoice())).status).toBe(200);
  await server.cancel(cancelled.bought);
  for (let minutes = 0; minutes < 40; minutes += 10) await server.advance(600);
  expect((await server.read(cancelled.bought)).status).toBe("refund_pending");
  expect(await outside()).toEqual(before);
  expect(await server.stop()).toBe(0);
});

test("the doctor books what is proven, holds what is not, and ends the pause", async () => {
  const seen = await doctor();
  expect(seen.peers).toMatchObject({ paused: true, repaired: null });
  const report = await doctor("--repair");
  expect(report.peers.repaired).toMatchObject({ failed: [], pauseOver: true });
  expect(report.findings.total).toBe(0);
  expect(report.code).toBe(1);
  expect(report.peers.differences.list).toEqual([
    expect.objectContaining({ kind: "order_unknown", words: expect.stringContaining(after.bought.paymentHash) }),
  ]);
  const doubted = report.peers.doubts.list.map(({ orderId }) => orderId).toSorted();
  expect(doubted).toEqual([redirected.bought.orderId, lateService.orderId].toSorted());
});

test("started again it sells, pays what is owed once, and nothing a second time", async () => {
  server = await peers.start();
  expect((await ready()).status).toBe(200);
  await server.advance(600);
  for (const { bought, hash } of [cancelled, early]) await expectRefunded(server, bought, hash);
  await expectRefunded(server, lateRefund, paidAndRefunded.hash);
  expect((await server.until(stuck.bought, is("refunded"))).refund.amountSats).toBe(stuck.bought.priceSats);
  expect((await server.until(served.bought, is("completed"))).status).toBe("completed");
  for (const bought of [redirected.bought, lateService]) {
    expect(["allocating_number", "refund_pending", "refund_failed"]).toContain((await server.read(bought)).status);
  }
  expect(await refundsTo(server, redirectedTo)).toEqual([redirected.bought.priceSats]);
  // An order in doubt keeps nobody else from buying the same.
  const fresh = await waiting({ service: "ig", country: "BR" });
  await delivered(fresh, "777888");
  await server.advance(300);
  await server.until(fresh.bought, is("completed"));
  expect(await server.stop()).toBe(0);
});

test("a person decides the rest, and the books of all sides agree to the sat", async () => {
  expect(await command("doctor", "paid", redirected.bought.orderId, redirectedTo)).toMatchObject({ code: 0 });
  expect(await command("doctor", "served", lateService.orderId)).toMatchObject({ code: 0 });
  server = await peers.start();
  await server.advance(60);
  expect((await server.until(redirected.bought, is("refunded"))).refund.paymentHash).toBe(redirectedTo);
  expect((await server.until(lateService, is("completed"))).status).toBe("completed");
  const { payments } = await server.wallet();
  expect(await server.stop()).toBe(0);

  const report = await doctor("--repair");
  expect(report.peers.doubts.list).toEqual([]);
  expect(report.peers.differences.list.map(({ kind }) => kind)).toEqual(["order_unknown"]);
  expect(report.findings.total).toBe(0);

  const db = new Database(join(peers.dataDir, "orders.sqlite"), { readonly: true });
  const sum = (account: string): number =>
    db
      .query<{ n: number | null }, [string]>(
        "SELECT sum(amount) AS n FROM postings WHERE account = ? AND unit = 'msat'",
      )
      .get(account)?.n ?? 0;
  const ledger = { received: -sum("received") / 1000, refunded: sum("refunded") / 1000, owed: sum("owed") };
  db.close();
  const total = (direction: "in" | "out", except: string) =>
    payments
      .filter((row) => row.direction === direction && row.paymentHash !== except)
      .reduce((sats, { amountSats }) => sats + amountSats, 0);
  expect(ledger).toEqual({
    received: total("out", after.bought.paymentHash),
    refunded: total("in", after.hash),
    owed: 0,
  });
  server = await peers.start();
  rmSync(file(), { force: true });
});
