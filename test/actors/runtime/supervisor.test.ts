import { describe, expect, test } from "bun:test";
import { MailboxFull, Quarantined } from "../../../actors/runtime/actor.ts";
import { JournalUnavailable } from "../../../actors/runtime/journal.ts";
import { UnknownOrder } from "../../../actors/runtime/supervisor.ts";
import { failureOf } from "../../support/manual-world.ts";
import {
  type BrittleDatabase,
  destinationOf,
  HOUR,
  hashOf,
  idOf,
  MINUTE,
  numberOf,
  opening,
  SECOND,
  startEngine,
} from "./engine.ts";

const preimageShown = { type: "PreimageShown" } as const;
const bought = (n: number, at: number) =>
  ({ type: "BuyAnswered", attempt: 1, answer: { kind: "bought", number: numberOf(n, at) } }) as const;

/** Moves the row under its actor, as a second host would. */
const outOfStep = (db: BrittleDatabase, n: number) =>
  db.run("UPDATE orders SET seq = seq + 10 WHERE id = ?", [idOf(n)]);

describe("telling", () => {
  test("answers after the commit, and only then starts the effects", async () => {
    const { world, effects, supervisor, ...engine } = startEngine();
    await engine.open(1);
    const told = supervisor.tell(idOf(1), engine.settled());
    await world.ready();
    expect(effects.asked).toEqual([]);
    await world.turn();
    expect((await told).order.state.kind).toBe("buying");
    expect(effects.kinds()).toEqual(["buy"]);
    expect(engine.isReplayable(1)).toBe(true);
  });

  test("readers see committed state only", async () => {
    const { world, supervisor, ...engine } = startEngine();
    await engine.open(1);
    void supervisor.tell(idOf(1), engine.settled());
    await world.ready();
    expect(supervisor.read(idOf(1))?.state.kind).toBe("unpaid");
    await world.turn();
    expect(supervisor.read(idOf(1))?.state.kind).toBe("buying");
  });

  test("many orders in one turn share one transaction", async () => {
    const { world, supervisor, ...engine } = startEngine();
    const db = engine.db as BrittleDatabase;
    for (let n = 0; n < 50; n++) await engine.open(n);
    const before = db.commits;
    const told = Promise.all(Array.from({ length: 50 }, (_, n) => supervisor.tell(idOf(n), engine.settled())));
    await world.turn();
    expect((await told).every(({ order }) => order.state.kind === "buying")).toBe(true);
    expect(db.commits).toBe(before + 1);
  });

  test("commands of one order are taken one by one, in the order in which they came", async () => {
    const { world, supervisor, ...engine } = startEngine();
    await engine.open(1);
    const replies: string[] = [];
    const tell = (name: string, command: Parameters<typeof supervisor.tell>[1]) =>
      void supervisor.tell(idOf(1), command).then(({ order }) => replies.push(`${name}:${order.seq}`));
    tell("proof", preimageShown);
    tell("money", engine.settled());
    tell("again", engine.settled());
    await world.settle();
    // Opened; PreimageShown and NodeAsked; PaymentSettled and BuyStarted; nothing.
    expect(replies).toEqual(["proof:3", "money:5", "again:5"]);
    expect(engine.store.events(idOf(1)).map(({ type }) => type)).toEqual([
      "Opened",
      "PreimageShown",
      "NodeAsked",
      "PaymentSettled",
      "BuyStarted",
    ]);
  });

  test("a mailbox is bounded; what is refused did not happen, what is in it does", async () => {
    const { world, supervisor, ...engine } = startEngine();
    await engine.open(1);
    const told = Array.from({ length: 258 }, () => supervisor.tell(idOf(1), preimageShown));
    const outcomes = Promise.allSettled(told);
    await world.settle();
    const refused = (await outcomes).filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(1);
    expect((refused[0] as PromiseRejectedResult).reason).toBeInstanceOf(MailboxFull);
    await engine.tell(1, preimageShown);
  });

  test("an order that does not exist is unknown, and takes no memory", async () => {
    const { supervisor } = startEngine();
    expect(await failureOf(supervisor.tell(idOf(5), preimageShown))).toBeInstanceOf(UnknownOrder);
    expect(supervisor.read(idOf(5))).toBeNull();
    expect(supervisor.residents).toBe(0);
  });

  test("an observer that throws harms neither the step nor its effects", async () => {
    const { effects, ...engine } = startEngine({
      observer: {
        committed: () => {
          throw new Error("a bug in a log line");
        },
      },
    });
    await engine.open(1);
    expect((await engine.pay(1)).order.state.kind).toBe("buying");
    expect(effects.kinds()).toEqual(["buy"]);
    expect(engine.crashes).toEqual([]);
    expect(engine.failures.map(({ kind }) => kind)).toEqual(["observer", "observer"]);
  });
});

describe("two orders that are paid at once with the same refund invoice", () => {
  test("both run; one owns the hash, the other asks for a fresh invoice", async () => {
    const { world, supervisor, ...engine } = startEngine();
    const destination = destinationOf(1, world.now() + 2 * HOUR);
    await engine.open(1, { destination });
    await engine.open(2, { destination });
    const told = Promise.all([1, 2].map((n) => supervisor.tell(idOf(n), engine.settled())));
    await world.settle();
    expect((await told).map(({ order }) => order.state.kind)).toEqual(["buying", "buying"]);
    expect(engine.order(1).destination).toEqual({ ...destination, claimed: true });
    expect(engine.order(2).destination).toBeNull();
    expect(engine.store.claimOwner("refund_hash", destination.paymentHash)?.orderId).toBe(idOf(1));
    expect(engine.effects.kinds()).toEqual(["buy", "buy"]);
    expect([1, 2].every(engine.isReplayable)).toBe(true);
    expect(engine.store.ledger().find(({ account }) => account === "owed")?.amount).toBe(2 * 1_500_000);
  });

  test("a destination that is taken is refused to the customer and changes nothing", async () => {
    const { world, ...engine } = startEngine();
    const destination = destinationOf(1, world.now() + 2 * HOUR);
    await engine.withNumber(1, { destination });
    const before = await engine.withNumber(2);
    const { reply } = await engine.tell(2, { type: "DestinationGiven", destination });
    expect(reply).toEqual({ ok: false, refusal: { code: "REFUND_DESTINATION_TAKEN", retryAt: null } });
    expect(engine.order(2)).toEqual(before);
  });
});

describe("a journal that cannot write", () => {
  test("answers with JournalUnavailable, starts nothing, and the same command works later", async () => {
    const { world, effects, supervisor, ...engine } = startEngine();
    const db = engine.db as BrittleDatabase;
    await engine.open(1);
    db.failCommits = true;
    expect(await failureOf(engine.pay(1))).toBeInstanceOf(JournalUnavailable);
    expect(effects.asked).toEqual([]);
    expect(supervisor.read(idOf(1))?.state.kind).toBe("unpaid");
    expect(engine.crashes).toEqual([]);
    db.failCommits = false;
    await engine.pay(1);
    expect(effects.kinds()).toEqual(["buy"]);
    expect(engine.isReplayable(1)).toBe(true);
    expect(world.held()).toEqual([]);
  });

  test("an answer of the world is offered again until it is durable, and the world is not asked again", async () => {
    const { world, effects, ...engine } = startEngine();
    const db = engine.db as BrittleDatabase;
    await engine.open(1);
    await engine.pay(1);
    db.failCommits = true;
    await engine.answer("buy", bought(1, world.now()));
    await world.advance(3 * MINUTE);
    expect(engine.order(1).state.kind).toBe("buying");
    const tries = engine.failures.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(20);
    expect(engine.store.unfinishedEffects()).toHaveLength(1);

    db.failCommits = false;
    await world.advance(30 * SECOND);
    expect(engine.order(1).state.kind).toBe("waiting");
    expect(effects.kinds().filter((kind) => kind === "buy")).toHaveLength(1);
    expect(engine.store.unfinishedEffects()).toEqual([]);
    expect(engine.crashes).toEqual([]);
    expect(engine.isReplayable(1)).toBe(true);
  });
});

describe("an order that breaks", () => {
  test("is quarantined after repeated crashes, with its reason, without a deadline, and stays readable", async () => {
    const { world, supervisor, ...engine } = startEngine();
    const db = engine.db as BrittleDatabase;
    await engine.withNumber(1);
    await engine.open(2);
    expect(engine.column(1, "due")).not.toBeNull();
    outOfStep(db, 1);
    for (let crash = 1; crash <= 4; crash++) {
      expect((await failureOf(engine.tell(1, { type: "Hinted" })))?.message).toContain(
        "is not where its actor believes",
      );
      expect(engine.crashes.at(-1)).toEqual({ id: idOf(1), error: "OutOfStep", quarantined: crash === 4 });
    }
    expect(engine.store.quarantined()).toEqual([{ orderId: idOf(1), since: world.now(), reason: "OutOfStep" }]);
    expect(await failureOf(engine.tell(1, { type: "Hinted" }))).toBeInstanceOf(Quarantined);
    expect(supervisor.read(idOf(1))?.state.kind).toBe("waiting");
    expect(engine.column(1, "due")).toBeNull();
    expect(engine.column(1, "attention_since")).toBe(world.now());
    await engine.pay(2);
    expect(engine.order(2).state.kind).toBe("buying");
  });

  test("takes nobody of its group with it", async () => {
    const { world, supervisor, ...engine } = startEngine();
    for (const n of [1, 2, 3]) await engine.open(n);
    // The next event of order 2 will meet this row.
    engine.db.run("INSERT INTO events VALUES (?, 2, 0, 1, 'Foreign', '{}')", [idOf(2)]);
    const told = Promise.allSettled([1, 2, 3].map((n) => supervisor.tell(idOf(n), engine.settled())));
    await world.settle();
    expect((await told).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(engine.order(2).state.kind).toBe("unpaid");
    expect(engine.count("postings")).toBe(4);
    expect(engine.crashes).toEqual([{ id: idOf(2), error: "SQLiteError", quarantined: false }]);
  });

  test("is not quarantined when a step succeeds in between", async () => {
    const { ...engine } = startEngine();
    const db = engine.db as BrittleDatabase;
    await engine.withNumber(1);
    for (let round = 0; round < 3; round++) {
      outOfStep(db, 1);
      for (let crash = 0; crash < 3; crash++) {
        expect(await failureOf(engine.tell(1, { type: "Hinted" }))).toBeInstanceOf(Error);
      }
      db.run("UPDATE orders SET seq = seq - 10 WHERE id = ?", [idOf(1)]);
      await engine.tell(1, { type: "Hinted" });
      await engine.answer("look", { type: "Looked", answer: { kind: "unavailable" } });
    }
    expect(engine.store.quarantined()).toEqual([]);
  });

  test("goes on from the committed state after a crash", async () => {
    const { ...engine } = startEngine();
    await engine.open(1);
    await engine.tell(1, { type: "Due" });
    const beforeHere = engine.order(1);
    // Somebody else wrote the row: the actor's picture is old.
    const moved = { ...beforeHere, seq: 2, provenAt: 7 };
    engine.db.run("UPDATE orders SET seq = 2, state = ? WHERE id = ?", [JSON.stringify(moved), idOf(1)]);
    engine.db.run("INSERT INTO events VALUES (?, 2, 7, 1, 'PreimageShown', ?)", [
      idOf(1),
      JSON.stringify({ type: "PreimageShown", at: 7 }),
    ]);
    expect((await failureOf(engine.pay(1)))?.message).toContain("is not where its actor believes");
    await engine.pay(1);
    expect(engine.order(1).state.kind).toBe("buying");
    expect(engine.order(1).provenAt).toBe(7);
    expect(engine.isReplayable(1)).toBe(true);
  });

  test("hands back the letters that wait when it is set aside", async () => {
    const { world, supervisor, ...engine } = startEngine();
    const db = engine.db as BrittleDatabase;
    await engine.withNumber(1);
    outOfStep(db, 1);
    const told = Promise.allSettled(Array.from({ length: 7 }, () => supervisor.tell(idOf(1), { type: "Hinted" })));
    await world.settle();
    const reasons = (await told).map((one) => (one as PromiseRejectedResult).reason.name);
    expect(reasons).toEqual([...Array(4).fill("OutOfStep"), ...Array(3).fill("Quarantined")]);
    expect(supervisor.residents).toBe(0);
  });

  test("cannot be set aside while nothing can be written, and is as soon as that works", async () => {
    const { ...engine } = startEngine();
    const db = engine.db as BrittleDatabase;
    await engine.withNumber(1);
    outOfStep(db, 1);
    for (let crash = 1; crash <= 3; crash++)
      expect(await failureOf(engine.tell(1, { type: "Hinted" }))).toBeInstanceOf(Error);
    db.run("CREATE TRIGGER broken BEFORE INSERT ON quarantine BEGIN SELECT raise(FAIL, 'disk'); END");
    expect(await failureOf(engine.tell(1, { type: "Hinted" }))).toBeInstanceOf(Error);
    expect(engine.crashes.at(-1)?.quarantined).toBe(false);
    db.run("DROP TRIGGER broken");
    expect(await failureOf(engine.tell(1, { type: "Hinted" }))).toBeInstanceOf(Error);
    expect(engine.crashes.at(-1)?.quarantined).toBe(true);
  });

  test("whose row makes no sense is set aside like one that crashes, and only that one", async () => {
    const { world, supervisor, ...engine } = startEngine({ maxResidents: 1 });
    await engine.withNumber(1);
    await engine.withNumber(2);
    engine.db.run("UPDATE orders SET state = ?, due = ? WHERE id = ?", ['{"v":2}', world.now() + SECOND, idOf(1)]);
    await supervisor.start();
    await world.advance(10 * SECOND);
    expect(engine.store.quarantined().map(({ orderId }) => orderId)).toEqual([idOf(1)]);
    await world.advance(20 * MINUTE);
    expect(engine.order(2).state.kind).toBe("closing");
  });
});

describe("residency", () => {
  test("keeps a bounded number of idle orders", async () => {
    const { supervisor, ...engine } = startEngine({ maxResidents: 3 });
    for (let n = 1; n <= 10; n++) {
      await engine.open(n);
      await engine.tell(n, { type: "Due" });
      expect(supervisor.residents).toBeLessThanOrEqual(3);
    }
    expect(supervisor.residents).toBe(3);
  });

  test("an order that is over leaves memory at once, and hears what still comes", async () => {
    const { supervisor, ...engine } = startEngine();
    await engine.open(1);
    await engine.tell(1, { type: "SurelyUnpaid" });
    expect(engine.order(1).state.kind).toBe("lapsed");
    expect(supervisor.residents).toBe(0);
    expect((await engine.pay(1)).order.state.kind).not.toBe("lapsed");
    expect(supervisor.residents).toBe(1);
    expect(engine.isReplayable(1)).toBe(true);
  });

  test("never makes a second host for an order while all others are busy", async () => {
    const { world, supervisor, ...engine } = startEngine({ maxResidents: 1 });
    for (let n = 1; n <= 5; n++) await engine.open(n);
    const told = [];
    for (let round = 0; round < 3; round++) {
      for (let n = 1; n <= 5; n++) told.push(supervisor.tell(idOf(n), engine.settled()));
    }
    const outcomes = Promise.allSettled(told);
    expect(supervisor.residents).toBe(5);
    await world.settle();
    expect((await outcomes).filter(({ status }) => status === "rejected")).toEqual([]);
    expect(engine.crashes).toEqual([]);
    await engine.open(6);
    await engine.tell(6, { type: "Due" });
    expect(supervisor.residents).toBe(1);
  });

  test("an order that was forgotten goes on where it stood", async () => {
    const { world, ...engine } = startEngine({ maxResidents: 1 });
    await engine.withNumber(1);
    await engine.withNumber(2);
    await engine.tell(1, { type: "Hinted" });
    expect(engine.effects.kinds()).toEqual(["buy", "buy", "look"]);
    expect(engine.isReplayable(1)).toBe(true);
    expect(world.held()).toEqual([]);
  });

  test("maintenance may forget an idle order, and is told when one is busy", async () => {
    const { world, supervisor, ...engine } = startEngine();
    await engine.open(1);
    expect(supervisor.evict(idOf(1))).toBe(true);
    const told = supervisor.tell(idOf(1), preimageShown);
    expect(supervisor.evict(idOf(1))).toBe(false);
    await world.settle();
    await told;
    expect(supervisor.residents).toBe(1);
    expect(supervisor.evict(idOf(1))).toBe(true);
    expect(supervisor.residents).toBe(0);
    engine.db.run("UPDATE orders SET state = json_set(state, '$.provenAt', 7) WHERE id = ?", [idOf(1)]);
    expect(supervisor.read(idOf(1))?.provenAt).toBe(7);
  });
});

describe("start", () => {
  /** The process dies: everything in memory is gone, the database stays. */
  function restarted({ world, db }: Pick<ReturnType<typeof startEngine>, "world" | "db">) {
    return startEngine({ world, db });
  }

  test("a buy under way is searched, never repeated, and that once", async () => {
    const first = startEngine();
    await first.open(1);
    await first.pay(1);
    expect(first.effects.kinds()).toEqual(["buy"]);

    const second = restarted(first);
    const started = second.supervisor.start();
    await second.world.settle();
    await started;
    expect(second.effects.kinds()).toEqual(["findBuy"]);
    expect(second.order(1).state.kind).toBe("buyUnknown");
    expect(second.store.unfinishedEffects().map(({ effect }) => effect.kind)).toEqual(["findBuy"]);

    const third = restarted(second);
    const again = third.supervisor.start();
    await third.world.settle();
    await again;
    // The question itself was interrupted: the order pauses and asks it again, and nothing else.
    await third.world.advance(10 * SECOND);
    expect(third.effects.kinds()).toEqual(["findBuy"]);
    expect(third.isReplayable(1)).toBe(true);
  });

  test("a refund under way is looked up, never paid again", async () => {
    const first = startEngine();
    await first.withNumber(1, { destination: destinationOf(1, first.world.now() + 3 * HOUR) });
    await first.world.advance(4 * MINUTE);
    await first.tell(1, { type: "CancelAsked" });
    await first.answer("look", { type: "Looked", answer: { kind: "seen", standing: "open", messages: [] } });
    await first.answer("cancel", { type: "CancelAnswered", answer: { kind: "cancelled" } });
    expect(first.effects.last("refund").effect).toMatchObject({
      amountSats: 1_500,
      paymentHash: destinationOf(1, 0).paymentHash,
    });

    const second = restarted(first);
    const started = second.supervisor.start();
    await second.world.settle();
    await started;
    expect(second.effects.kinds()).toEqual(["findRefund"]);
    await second.answer("findRefund", {
      type: "RefundSearched",
      attempt: 1,
      answer: { kind: "succeeded", preimage: "cc".repeat(32), feeMsats: 0 as never },
    });
    expect(second.order(1).state).toMatchObject({ kind: "done", as: "refunded" });
    expect(second.effects.kinds()).toEqual(["findRefund"]);
  });

  test("an effect that came back is not interrupted", async () => {
    const first = startEngine();
    await first.withNumber(1);
    const second = restarted(first);
    await second.supervisor.start();
    expect(second.effects.asked).toEqual([]);
    expect(second.failures).toEqual([]);
  });

  test("an order that cannot take it keeps nobody else waiting, and is set aside", async () => {
    const first = startEngine();
    for (const n of [1, 2]) {
      await first.open(n);
      await first.pay(n);
    }
    outOfStep(first.db as BrittleDatabase, 1);
    const second = restarted(first);
    const started = second.supervisor.start();
    await second.world.settle();
    await started;
    expect(second.effects.asked.map(({ orderId }) => orderId)).toEqual([idOf(2)]);
    await second.world.advance(MINUTE);
    expect(second.store.quarantined().map(({ orderId }) => orderId)).toEqual([idOf(1)]);
    const failures = second.failures.length;
    await second.world.advance(HOUR);
    expect(second.failures.length).toBe(failures);
    // Found again at the next start, when the order may have been mended.
    expect(second.store.unfinishedEffects().some(({ orderId }) => orderId === idOf(1))).toBe(true);
  });

  test("a journal that cannot write yet is waited for", async () => {
    const first = startEngine();
    await first.open(1);
    await first.pay(1);
    const db = first.db as BrittleDatabase;
    db.failCommits = true;
    const second = restarted(first);
    const started = second.supervisor.start();
    await second.world.settle();
    await started;
    await second.world.advance(10 * MINUTE);
    expect(second.effects.asked).toEqual([]);
    db.failCommits = false;
    await second.world.advance(MINUTE);
    expect(second.effects.kinds()).toEqual(["findBuy"]);
  });
});

describe("drain", () => {
  test("waits for effects under way, so that a planned stop leaves no unknown behind", async () => {
    const { world, supervisor, ...engine } = startEngine();
    await engine.open(1);
    await engine.pay(1);
    let drained = false;
    const stopping = supervisor.drain(8 * SECOND).then(() => {
      drained = true;
    });
    await world.advance(SECOND);
    expect(drained).toBe(false);
    await engine.answer("buy", bought(1, world.now()));
    await world.advance(SECOND);
    await stopping;
    expect(engine.order(1).state.kind).toBe("waiting");
  });

  test("waits for a step that is not durable yet, and for the effect that it starts", async () => {
    const { world, effects, supervisor, ...engine } = startEngine();
    await engine.open(1);
    const told = supervisor.tell(idOf(1), engine.settled());
    let drained = false;
    const stopping = supervisor.drain(8 * SECOND).then(() => {
      drained = true;
    });
    await world.advance(SECOND);
    await told;
    expect(effects.kinds()).toEqual(["buy"]);
    expect(drained).toBe(false);
    await engine.answer("buy", bought(1, world.now()));
    await world.advance(SECOND);
    await stopping;
    expect(engine.store.unfinishedEffects()).toEqual([]);
  });

  test("afterwards no order moves: nobody would perform its effects", async () => {
    const { world, effects, supervisor, ...engine } = startEngine();
    await engine.open(1);
    const stopping = supervisor.drain(8 * SECOND);
    await world.advance(SECOND);
    await stopping;
    const refused = await failureOf(supervisor.tell(idOf(1), engine.settled()));
    expect(refused).toBeInstanceOf(JournalUnavailable);
    expect(engine.order(1).state.kind).toBe("unpaid");
    expect(effects.asked).toEqual([]);
  });

  test("gives up in time; what comes back afterwards is left for the next start", async () => {
    const { world, supervisor, ...engine } = startEngine();
    await engine.open(1);
    await engine.pay(1);
    const stopping = supervisor.drain(8 * SECOND);
    await world.advance(9 * SECOND);
    await stopping;
    await engine.answer("buy", bought(1, world.now()));
    await world.advance(MINUTE);
    expect(engine.order(1).state.kind).toBe("buying");
    expect(engine.store.unfinishedEffects()).toHaveLength(1);
  });
});

test("an order opened twice with the same payment hash is refused the second time", async () => {
  const { world, supervisor, ...engine } = startEngine();
  await engine.open(1);
  const twin = supervisor.open(opening(2, world.now(), { terms: { paymentHash: hashOf(1) } }));
  await world.settle();
  expect((await twin).kind).toBe("refused");
  expect(supervisor.read(idOf(2))).toBeNull();
});
