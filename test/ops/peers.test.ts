/** The doctor asks node and provider: what it finds, what it repairs, and what it leaves to a person. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { msats } from "../../actors/order/money.ts";
import { META_BACKUP, META_RESTORED } from "../../actors/runtime/schema.ts";
import { iso } from "../../actors/runtime/world.ts";
import { lockDataDir } from "../../src/lock.ts";
import { runDoctor } from "../../src/ops/doctor.ts";
import { OurBooks } from "../../src/ops/peers/books.ts";
import { hashOf, idOf, Lives, NODE, REFUND_HASH, SECRETS } from "./doctor-life.ts";
import { ScriptedPeers } from "./scripted-peers.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Found {
  readonly code: number;
  readonly clean: boolean;
  readonly findings: { readonly total: number };
  readonly problem?: string;
  readonly peers: {
    readonly agrees: boolean;
    readonly paymentsCompared: boolean;
    readonly paused: boolean;
    readonly differences: { readonly list: { kind: string; orderId: string | null; words: string; repair: boolean }[] };
    readonly doubts: { readonly list: { orderId: string; words: string }[] };
    readonly strangers: { readonly list: { what: string; id: string }[] };
    readonly repaired: { done: string[]; failed: string[]; pauseOver: boolean } | null;
  };
}

let lives: Lives;
let peers: ScriptedPeers;
beforeEach(async () => {
  lives = await new Lives().all();
  // Beside what is on its way.
  await lives.world.advance(HOUR);
  peers = new ScriptedPeers(lives);
});
afterEach(() => lives.remove());

async function doctor(...args: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const { dataDir, world } = lives;
  const out = (line: string) => lines.push(line);
  const code = await runDoctor(args, { dataDir, world, now: world.now(), peers: peers.connect, out });
  return { code, text: lines.join("\n") };
}

async function compared(...args: string[]): Promise<Found> {
  const { code, text } = await doctor("--peers", "--quick", "--json", ...args);
  return { ...(JSON.parse(text) as Found), code };
}

const kinds = ({ peers }: Found) => peers.differences.list.map(({ kind, orderId }) => [kind, orderId]);
const receipt = (name: string) => ({
  paymentHash: hashOf(name),
  settledAt: lives.world.now() - 10 * MINUTE,
  receivedMsats: msats(100_000),
  description: "SMS verification number",
  key: null,
});
const PROOF = { kind: "succeeded", preimage: SECRETS.refundPreimage, feeMsats: msats(1_500) } as const;
/** The receipt of an order. */
const received = (name: string) => peers.received?.findIndex(({ paymentHash }) => paymentHash === hashOf(name)) ?? -1;

describe("books that agree", () => {
  test("are said to, and nothing is changed or shown that is secret", async () => {
    const before = lives.journal.db.query("SELECT id, seq, state FROM orders").all();
    const found = await compared();
    expect(found.peers).toMatchObject({ agrees: true, paused: false, repaired: null });
    const { text } = await doctor("--peers");
    expect(text).toContain("They agree with our books");
    for (const secret of Object.values(SECRETS)) expect(text).not.toContain(secret);
    expect(lives.journal.db.query("SELECT id, seq, state FROM orders").all()).toEqual(before);
  });

  test("of other software on the same node and account are told apart, and touched by nothing", async () => {
    peers.received?.push({ ...receipt("of somebody"), description: "coffee" });
    peers.pays(hashOf("a bill"), 7, PROOF, lives.world.now() - HOUR);
    peers.opened("900001", lives.order("waiting"), lives.world.now() - HOUR);
    peers.ended("900002", lives.order("waiting"), lives.world.now() - HOUR);
    // Given back, it cost nothing: it is nobody's concern.
    peers.ended("900003", lives.order("waiting"), lives.world.now() - HOUR, "refunded");
    const found = await compared("--repair");
    expect(found.peers.agrees).toBe(true);
    expect(found.peers.strangers.list.map(({ what, id }) => [what, id])).toEqual([
      ["payment", hashOf("a bill")],
      ["active number", "900001"],
      ["past number", "900002"],
    ]);
    expect(peers.cancelled).toEqual([]);
  });
});

describe("a difference", () => {
  test.each([
    ["settlement_missed", "unpaid", () => peers.received?.push(receipt("unpaid"))],
    ["settlement_missed", "lapsed", () => peers.received?.push(receipt("lapsed"))],
    ["not_received", "completed", () => peers.received?.splice(received("completed"), 1)],
    [
      "received_differs",
      "waiting",
      () => peers.received?.splice(received("waiting"), 1, { ...receipt("waiting"), receivedMsats: msats(99_000) }),
    ],
    ["refund_unknown", "refunded", () => peers.paid.splice(0, 1)],
    [
      "refund_unknown",
      "refunded",
      () => peers.paid.splice(0, 1, { ...firstPaid(), state: { kind: "failed", reason: "x" } }),
    ],
    ["number_unknown", "waiting", () => peers.forget(numberOf("waiting"))],
    [
      "charge_differs",
      "completed",
      () => peers.ended(numberOf("completed"), lives.order("completed"), start(), "refunded"),
    ],
  ])("%s is found (%s)", async (kind, name, change) => {
    change();
    const found = await compared();
    expect(kinds(found)).toEqual([[kind, idOf(name)]]);
    expect([found.code, found.clean, found.peers.agrees]).toEqual([1, false, false]);
    const { text } = await doctor("--peers");
    expect(text).toContain(`BAD ${kind}`);
    expect(text).toContain(idOf(name));
  });

  test("is money for an order that was lost: by the key that the node keeps, else by its text", async () => {
    peers.received?.push({ ...receipt("lost"), key: idOf("lost") }, receipt("also lost"));
    const found = await compared("--repair");
    expect(kinds(found)).toEqual([
      ["order_unknown", idOf("lost")],
      ["order_unknown", null],
    ]);
    expect(found.peers.differences.list[1]?.words).toContain(hashOf("also lost"));
  });

  test("of the last two minutes is on its way while a server runs, and is none", async () => {
    peers.received?.push({ ...receipt("unpaid"), settledAt: lives.world.now() - MINUTE });
    expect(kinds(await compared())).toEqual([]);
    expect((await compared("--repair")).peers.repaired?.done).toHaveLength(1);
  });
});

const firstPaid = () => {
  const [first] = peers.paid;
  if (!first) throw new Error("Nothing was paid");
  return first;
};
const numberOf = (name: string) => lives.number(name).activationId;
const start = () => lives.order("completed").terms.createdAt;

describe("repair", () => {
  test("tells a missed settlement, also to an order whose row is gone", async () => {
    lives.bury("lapsed");
    peers.received?.push(receipt("unpaid"), receipt("lapsed"));
    const found = await compared("--repair");
    expect(found.peers.repaired).toMatchObject({ failed: [], pauseOver: false });
    expect(kinds(found)).toEqual([]);
    for (const name of ["unpaid", "lapsed"]) {
      expect(lives.order(name).payment?.receivedMsats).toBe(msats(100_000));
      expect(lives.order(name).state.kind).toBe("refundStuck");
    }
    expect(found.findings.total).toBe(0);
  });

  test("books a refund that the node paid, with its proof, in whatever state the order is; once", async () => {
    const expiresAt = lives.world.now() + 2 * HOUR;
    const paymentHash = hashOf("destination");
    const destination = { invoice: SECRETS.refundInvoice, paymentHash, expiresAt };
    await lives.open("owed", { destination });
    await lives.settled("owed");
    await lives.bought("owed");
    await lives.world.advance(10 * MINUTE);
    peers = new ScriptedPeers(lives);
    peers.ended(numberOf("owed"), lives.order("owed"), lives.world.now() - 9 * MINUTE, "refunded");
    peers.pays(paymentHash, 100, { ...PROOF, preimage: SECRETS.refundPreimage });
    expect(kinds(await compared("--days", "1"))).toEqual([]);
    const found = await compared("--repair");
    expect(found.peers.repaired?.done).toEqual([expect.stringContaining("refund_not_booked")]);
    expect(lives.order("owed")).toMatchObject({ owedMsats: 0, refund: { amountSats: 100, paymentHash } });
    expect(lives.order("owed").state).toMatchObject({ kind: "done", as: "refunded" });
    expect((await compared("--repair")).peers.repaired?.done).toEqual([]);
  });

  test("of another amount, or of an order that was served, is for a person", async () => {
    await claim("delivered", hashOf("odd"));
    peers.pays(hashOf("odd"), 100, PROOF, lives.world.now() - HOUR);
    const found = await compared("--repair");
    expect(kinds(found)).toEqual([["refund_unexplained", idOf("delivered")]]);
    expect(lives.order("delivered").refund).toBeNull();
  });

  test("holds the money of an order whose refund is on its way unexpectedly, until that ended", async () => {
    await claim("stuck", hashOf("flying"));
    peers.pays(hashOf("flying"), 100, { kind: "in_flight" }, lives.world.now() - HOUR);
    expect(kinds(await compared("--repair"))).toEqual([["refund_out", idOf("stuck")]]);
    expect(lives.order("stuck").doubtSince).toBe(lives.world.now());
    peers.paid = peers.paid.filter(({ state }) => state.kind !== "in_flight");
    const after = await compared("--repair");
    expect(after.peers.repaired?.done).toEqual([`doubt over  ${idOf("stuck")}`]);
    expect(lives.order("stuck").doubtSince).toBeUndefined();
  });

  test("cancels a number that its order gave back and that is still open; a refusal is told", async () => {
    const name = "given back";
    await lives.open(name);
    await lives.settled(name);
    await lives.bought(name);
    await lives.tell(name, { type: "Looked", answer: { kind: "seen", standing: "refunded", messages: [] } });
    await lives.tell(name, { type: "Looked", answer: { kind: "seen", standing: "refunded", messages: [] } }, "look");
    await lives.world.advance(10 * MINUTE);
    peers = new ScriptedPeers(lives);
    await lives.tell(name, {
      type: "Reconciled",
      finding: {
        kind: "refund_paid",
        paymentHash: hashOf("x"),
        amountSats: 100 as never,
        feeMsats: msats(0),
        preimage: "00".repeat(32),
        numberRefunded: true,
      },
    });
    peers.pays(hashOf("x"), 100, PROOF, lives.world.now());
    peers.past = peers.past.filter(({ activationId }) => activationId !== numberOf(name));
    peers.opened(numberOf(name), lives.order(name), lives.world.now() - 10 * MINUTE);
    peers.cancelAnswer = { kind: "too_late" };
    const refused = await compared("--repair");
    expect(refused.peers.repaired?.failed).toEqual([expect.stringContaining("the provider says too late")]);
    peers.cancelAnswer = { kind: "cancelled" };
    const found = await compared("--repair");
    expect(peers.cancelled).toEqual([numberOf(name), numberOf(name)]);
    expect([kinds(found), found.peers.repaired?.failed]).toEqual([[], []]);
  });

  test("is refused while a server has the database, and when a list is not complete; nothing changes", async () => {
    peers.received?.push(receipt("unpaid"));
    const unlock = lockDataDir(lives.dataDir);
    const locked = await compared("--repair");
    expect([locked.code, locked.problem]).toEqual([2, expect.stringContaining("stop it first")]);
    unlock();
    peers.received = null;
    const cut = await compared("--repair");
    expect([cut.code, cut.problem]).toEqual([2, expect.stringContaining("not finished")]);
    expect(lives.order("unpaid").payment).toBeNull();
  });

  test("believes no other node and no other account", async () => {
    peers.pubkey = `03${"cd".repeat(32)}`;
    expect(await compared("--repair")).toMatchObject({ code: 2, problem: expect.stringContaining("Lightning node") });
    peers.pubkey = NODE;
    peers.account = "another";
    expect(await compared("--repair")).toMatchObject({ code: 2, problem: expect.stringContaining("provider account") });
  });
});

/** The order owns one more refund hash. */
async function claim(name: string, hash: string): Promise<void> {
  await lives.journal.note((db) => {
    db.run("INSERT INTO claims VALUES ('refund_hash', ?, ?, NULL, ?)", [hash, idOf(name), lives.world.now()]);
    return null;
  });
}

describe("after a restore", () => {
  const takenAt = () => lives.world.now() - HOUR;
  beforeEach(() => lives.journal.store.setMeta(META_BACKUP, JSON.stringify({ takenAt: iso(takenAt()) })));

  const doubted = () =>
    lives.journal.db
      .query<{ id: string }, []>(
        "SELECT id FROM orders WHERE state <> '' AND state ->> '$.doubtSince' IS NOT NULL ORDER BY id",
      )
      .all()
      .map(({ id }) => id);

  test("money is paused until it was compared; what is proven to agree goes on", async () => {
    expect((await compared()).peers).toMatchObject({ paused: true, agrees: false, doubts: { list: [] } });
    const found = await compared("--repair");
    expect(found.peers).toMatchObject({ paused: false, agrees: true, repaired: { pauseOver: true, failed: [] } });
    expect(doubted()).toEqual([]);
    expect(lives.journal.store.meta(META_BACKUP)).toBeNull();
    const restored = { takenAt: iso(takenAt()), matchedAt: iso(lives.world.now()) };
    expect(JSON.parse(lives.journal.store.meta(META_RESTORED) ?? "")).toEqual(restored);
  });

  test("stays paused when a list is not complete", async () => {
    peers.received = null;
    expect((await compared("--repair")).code).toBe(2);
    expect(lives.journal.store.meta(META_BACKUP)).not.toBeNull();
  });

  test("an order whose refund may be a payment that nobody claims is in doubt; one that is owed another amount is not", async () => {
    peers.pays(hashOf("unknown"), 100, PROOF, lives.world.now() - 30 * MINUTE);
    const found = await compared("--repair");
    expect(found.peers.doubts.list).toContainEqual({
      orderId: idOf("stuck"),
      words: expect.stringContaining(hashOf("unknown")),
    });
    expect(doubted()).toContain(idOf("stuck"));
    expect(lives.order("stuck").attention?.reason).toBe("in_doubt");
    expect(found.peers.paused).toBe(false);
    for (const served of ["delivered", "completed", "refunded"]) expect(doubted()).not.toContain(idOf(served));
  });

  test("such a payment makes nobody doubtful when it is of another amount, failed, or of before the backup", async () => {
    peers.pays(hashOf("a"), 101, PROOF, lives.world.now() - 30 * MINUTE);
    peers.pays(hashOf("b"), 100, { kind: "failed", reason: "no_route" }, lives.world.now() - 30 * MINUTE);
    peers.pays(hashOf("c"), 100, PROOF, takenAt() - 20 * MINUTE);
    await compared("--repair");
    expect(doubted()).toEqual([]);
  });

  test("an order that may have got a number since is in doubt, and one of another country is not", async () => {
    const { terms } = lives.order("buying");
    peers.opened("900001", { terms: { ...terms, good: { ...terms.good, country: 99 } } }, lives.world.now() - MINUTE);
    expect((await compared()).peers.doubts.list).toEqual([]);
    peers.ended("900002", lives.order("buying"), lives.world.now() - 30 * MINUTE, "refunded");
    expect((await compared()).peers.doubts.list).toEqual([]);
    peers.ended("900003", lives.order("buying"), lives.world.now() - 30 * MINUTE);
    await compared("--repair");
    expect(doubted()).toContain(idOf("buying"));
    expect(doubted()).toContain(idOf("loose"));
    expect(doubted()).not.toContain(idOf("waiting"));
  });

  test("an order whose number was charged since is in doubt: its SMS may have been shown", async () => {
    peers.ended(numberOf("waiting"), lives.order("waiting"), lives.order("waiting").terms.createdAt);
    await compared("--repair");
    expect(doubted()).toEqual([idOf("waiting")]);
  });

  test("a later comparison makes no order doubtful, and takes doubt away when nothing speaks for it any more", async () => {
    peers.ended("900003", lives.order("buying"), lives.world.now() - 30 * MINUTE);
    await compared("--repair");
    expect(doubted()).toContain(idOf("buying"));
    await lives.world.advance(HOUR);
    peers.pays(hashOf("a bill"), 100, PROOF, lives.world.now() - MINUTE);
    await compared("--repair");
    expect(doubted()).not.toContain(idOf("stuck"));
    peers.past = peers.past.filter(({ activationId }) => activationId !== "900003");
    await compared("--repair");
    expect(doubted()).toEqual([]);
  });

  test("with a wallet that lists nothing, every order that is still owed may have been refunded; settlements are told", async () => {
    peers.lists = false;
    peers.received?.push(receipt("unpaid"));
    const found = await compared("--repair");
    expect(found.peers).toMatchObject({ paused: false, paymentsCompared: false, differences: { list: [] } });
    const owed = ["buying", "waiting", "stuck", "loose", "unpaid"];
    expect(doubted()).toEqual(owed.map((name) => idOf(name)).toSorted());
    await compared("--repair");
    expect(doubted()).toEqual(owed.map((name) => idOf(name)).toSorted());
    expect((await doctor("--peers")).text).toContain("cannot list its payments");
    peers.pays(hashOf("unknown"), 100, PROOF, lives.world.now());
    expect((await doctor("paid", idOf("stuck"), hashOf("unknown"))).code).toBe(0);
    expect(lives.order("stuck")).toMatchObject({ owedMsats: 0, refund: { amountSats: 100 } });
  });

  test("an order that was set aside keeps nobody else waiting", async () => {
    lives.journal.db.run("INSERT INTO quarantine VALUES (?, 1, 'Error')", [idOf("stuck")]);
    peers.pays(hashOf("unknown"), 100, PROOF, lives.world.now() - 30 * MINUTE);
    const found = await compared("--repair");
    expect(found.peers.repaired?.pauseOver).toBe(true);
    expect(found.peers.repaired?.failed).toContainEqual(expect.stringContaining("set aside"));
  });
});

describe("a person's word", () => {
  beforeEach(async () => {
    lives.journal.store.setMeta(META_BACKUP, JSON.stringify({ takenAt: iso(lives.world.now() - HOUR) }));
    peers.pays(REFUND_HASH, 100, PROOF, lives.world.now() - 30 * MINUTE);
    peers.pays(hashOf("unknown"), 100, PROOF, lives.world.now() - 30 * MINUTE);
    await compared("--repair");
  });

  test("that a payment was its refund is looked up at the node and booked", async () => {
    expect(await doctor("paid", idOf("stuck"), hashOf("nothing"))).toMatchObject({ code: 1 });
    expect((await doctor("paid", idOf("stuck"), REFUND_HASH)).text).toContain("belongs to order");
    const { code, text } = await doctor("paid", idOf("stuck"), hashOf("unknown"));
    expect([code, text]).toEqual([0, expect.stringContaining("are its refund")]);
    expect(lives.order("stuck")).toMatchObject({ owedMsats: 0, refund: { paymentHash: hashOf("unknown") } });
    expect(lives.order("stuck").doubtSince).toBeUndefined();
  });

  test("that its customer was served ends it; that neither happened lets it go on", async () => {
    expect((await doctor("served", idOf("stuck"))).code).toBe(0);
    expect(lives.order("stuck").state).toMatchObject({ kind: "done", as: "completed" });
    expect((await doctor("served", idOf("stuck"))).code).toBe(1);
    expect((await doctor("release", idOf("loose"))).code).toBe(0);
    expect(lives.order("loose").doubtSince).toBeUndefined();
    expect((await doctor("release", idOf("loose"))).text).toContain("not in doubt");
    expect((await doctor("release", idOf("nobody"))).text).toBe("No such order");
  });

  test("that a number was bought for it is looked up at the provider, and the order goes on with it", async () => {
    const at = lives.world.now() - 5 * MINUTE;
    const { terms } = lives.order("buying");
    peers.opened("900001", { terms: { ...terms, good: { ...terms.good, country: 99 } } }, at, "+4915700000001");
    peers.opened("900002", { terms }, at);
    peers.opened("900003", { terms }, at, "+447700900777");
    expect((await doctor("bought", idOf("buying"), "900001")).text).toContain("another service, country");
    expect((await doctor("bought", idOf("buying"), "900002")).text).toContain("does not say enough");
    expect((await doctor("bought", idOf("buying"), "900009")).text).toContain("no such activation");
    expect((await doctor("bought", idOf("buying"), numberOf("waiting"))).text).toContain("is that of order");
    expect((await doctor("bought", idOf("completed"), "900003")).text).toContain("takes no number any more");
    const { code, text } = await doctor("bought", idOf("buying"), "900003");
    expect([code, text]).toEqual([0, expect.stringContaining("waiting")]);
    expect(text).not.toContain("447700900777");
    expect(lives.order("buying").state).toMatchObject({ kind: "waiting", number: { activationId: "900003" } });
    expect(lives.order("buying").doubtSince).toBeUndefined();
    expect((await compared()).findings.total).toBe(0);
  });

  test("is not taken while a server has the database", async () => {
    const unlock = lockDataDir(lives.dataDir);
    expect(await doctor("served", idOf("stuck"))).toMatchObject({ code: 2, text: expect.stringContaining("stop it") });
    unlock();
    expect(lives.order("stuck").state.kind).toBe("refundStuck");
  });
});

test.each([
  ["--repair"],
  ["--days=3"],
  ["--peers --days=0"],
  ["--peers --repair --file x"],
  ["--peers find x"],
  ["paid x y"],
  ["served"],
  [`release ${"a".repeat(32)} b`],
  [`bought ${"a".repeat(32)}`],
  [`bought ${"a".repeat(32)} x1`],
])("%s makes no sense and is refused", async (words) => {
  const { code, text } = await doctor(...words.split(" "));
  expect([code, text]).toEqual([2, expect.stringContaining("Usage: doctor")]);
});

test("books know every order that opened before they were asked the first time", async () => {
  const books = new OurBooks(lives.journal.db);
  await lives.open("later");
  expect(books.byPaymentHash(hashOf("later"))?.id).toBe(idOf("later"));
});

test("an order whose state is no JSON any more does not keep the others from being compared", async () => {
  const before = await compared();
  lives.journal.db.run(
    `INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at, ended_at)
     SELECT hex(randomblob(16)), seq, kind, substr(state, 1, 500), hex(randomblob(32)), created_at, invoice_expires_at, ended_at FROM orders
     WHERE kind = 'done' LIMIT 1`,
  );
  lives.journal.db.run("INSERT INTO meta VALUES (?, ?)", [
    META_BACKUP,
    JSON.stringify({ takenAt: iso(lives.world.now()) }),
  ]);
  lives.journal.db.run("INSERT INTO meta VALUES (?, ?)", [META_RESTORED, JSON.stringify({ takenAt: iso(0) })]);
  const found = await compared();
  expect(found.problem).toBeUndefined();
  expect(kinds(found)).toEqual(kinds(before));
});

test("a node that can only receive is a finding, with what to do", async () => {
  expect((await doctor("--peers", "--quick")).text).not.toContain("receive_only");
  peers.rights = { ok: false, reason: "The connection may not pay" };
  const { code, text } = await doctor("--peers", "--quick");
  expect(code).toBe(1);
  expect(text).toContain("BAD receive_only: The connection may not pay");
  expect(await compared()).toMatchObject({ peers: { agrees: false, mayPay: { ok: false } } });
});
