/** The sums that a start believes are always what the orders say: after any step, a step undone, a new start, and the migration. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command, LookAnswer, RefundAnswer } from "../../../actors/order/commands.ts";
import type { EffectKind } from "../../../actors/order/effects.ts";
import { msats } from "../../../actors/order/money.ts";
import { Journal } from "../../../actors/runtime/journal.ts";
import { migrate } from "../../../actors/runtime/schema.ts";
import { countedStakes, keptStakes, type StakeSum, Store } from "../../../actors/runtime/store.ts";
import { orderText } from "../../../actors/runtime/texts.ts";
import { Reservations } from "../../../src/orders/reservations.ts";
import { Inbox } from "../../../src/provider/inbox.ts";
import { Chance } from "../../simulation/chance.ts";
import {
  type Asked,
  destinationOf,
  type Engine,
  HOUR,
  idOf,
  MINUTE,
  numberOf,
  opening,
  PREIMAGE,
  SECOND,
  startEngine,
} from "./engine.ts";

/** In one order, without kinds that have no order any more. */
const tidy = (sums: readonly StakeSum[]): StakeSum[] =>
  sums
    .filter(({ orders, microUsd, sats, heldSats }) => orders !== 0 || microUsd !== 0 || sats !== 0 || heldSats !== 0)
    .toSorted((a, b) => (a.kind < b.kind ? -1 : 1));

function agrees(db: Database): StakeSum[] {
  const kept = tidy(keptStakes(db));
  expect(kept).toEqual(tidy(countedStakes(db)));
  return kept;
}

/** A life of 30 orders: each turn a customer, an effect or the clock says something. */
class Town {
  readonly chance: Chance;
  readonly engine: Engine;
  readonly answered = new Set<Asked>();
  readonly kinds = new Set<string>();
  readonly #reservations = new Reservations([]);
  readonly #inbox: Inbox;

  constructor(seed: number, db?: Database) {
    this.chance = new Chance(seed);
    this.engine = startEngine({
      ...(db && { db }),
      observer: {
        committed: (order, _, before) => {
          this.#reservations.follow(order, before);
          this.#inbox.follow(order, before);
        },
      },
    });
    this.#inbox = this.#newInbox();
  }

  #newInbox(): Inbox {
    const { world, store } = this.engine;
    return new Inbox({ world, store, provider: { active: async () => [] }, hint: () => {}, pollFailed: () => {} });
  }

  /** What this process counted step by step is what one would begin with that starts now. */
  isAsAfterAStart(): void {
    const sums = (of: Reservations) => [of.unpaid, of.microUsd, of.sats, of.heldSats];
    expect(sums(this.#reservations)).toEqual(sums(new Reservations(this.engine.store.stakes())));
    expect(this.#inbox.watching).toBe(this.#newInbox().watching);
  }

  pick<T>(of: readonly T[]): T {
    return of[this.chance.u32() % of.length] as T;
  }

  async open(): Promise<void> {
    for (let n = 1; n <= 30; n++) {
      const type = this.pick([
        "receive-sms",
        "receive-sms",
        "receive-sms",
        "rent-number",
        "receive-sms-reactivate",
      ] as const);
      const destination = n % 2 ? destinationOf(n, this.engine.world.now() + 200 * HOUR) : null;
      await this.engine.open(n, { type, destination });
    }
  }

  async turn(): Promise<void> {
    const { engine } = this;
    const waiting = engine.effects.asked.filter((asked) => !this.answered.has(asked));
    const dice = this.chance.u32() % 10;
    if (dice < 5 && waiting.length > 0) {
      const asked = this.pick(waiting);
      this.answered.add(asked);
      const answer = this.#answer(asked);
      if (answer) asked.answer(answer);
      else asked.fail(new Error("lost"));
      await engine.world.settle();
    } else if (dice < 9) {
      const n = 1 + (this.chance.u32() % 30);
      await engine.tell(n, this.#said(n)).catch(() => {});
    } else await engine.world.advance(this.pick([SECOND, MINUTE, 4 * MINUTE, 4 * MINUTE, HOUR]));
    for (const { kind } of keptStakes(engine.db)) this.kinds.add(kind);
  }

  #said(n: number): Command {
    const { engine } = this;
    // Some of the destinations belong to another order, which is a claim that is lost.
    const destination = destinationOf(this.pick([n, n + 1, 100 + n]), engine.world.now() + 200 * HOUR);
    return this.pick<Command>([
      engine.settled(),
      { type: "SurelyUnpaid" },
      { type: "PreimageShown" },
      { type: "Hinted" },
      { type: "CancelAsked" },
      { type: "FinishAsked" },
      { type: "CodeRead" },
      { type: "DestinationGiven", destination },
      { type: "AddressGiven", address: "alice@wallet.com" },
    ]);
  }

  /** Null when the answer is lost. */
  #answer({ effect, orderId }: Asked): Command | null {
    const now = this.engine.world.now();
    const n = Number.parseInt(orderId, 16);
    const attempt = "attempt" in effect ? effect.attempt : 1;
    const message = { id: `${this.chance.u32() % 3}`, code: "1", text: null, from: null, receivedAt: null };
    const messages = this.pick([[], [], [message]]);
    const looked = (standing: (LookAnswer & { kind: "seen" })["standing"]): LookAnswer => ({
      kind: "seen",
      standing,
      messages,
    });
    const number = numberOf(n, now);
    const refund = this.pick<RefundAnswer>([
      { kind: "succeeded", preimage: PREIMAGE, feeMsats: msats(0) },
      { kind: "failed", reason: "no_route" },
      { kind: "in_flight" },
      { kind: "never_sent" },
      { kind: "unknown", reason: "timeout" },
    ]);
    const answers: Partial<Record<EffectKind, readonly (Command | null)[]>> = {
      askNode: [{ type: "NodeAnswered", answer: "not_settled" }],
      buy: [
        { type: "BuyAnswered", attempt, answer: { kind: "bought", number } },
        {
          type: "BuyAnswered",
          attempt,
          answer: { kind: "refused", reason: "no_numbers", retry: this.pick(["soon", "never"]) },
        },
        { type: "BuyAnswered", attempt, answer: { kind: "unknown", reason: "timeout" } },
      ],
      findBuy: [
        { type: "BuySearched", attempt, answer: { kind: "absent" } },
        { type: "BuySearched", attempt, answer: { kind: "found", number } },
        { type: "BuySearched", attempt, answer: { kind: "unsure", reason: "unreachable" } },
      ],
      look: [
        { type: "Looked", answer: looked("open") },
        { type: "Looked", answer: looked("refunded") },
        { type: "Looked", answer: looked("finished") },
        { type: "Looked", answer: { kind: "unavailable" } },
      ],
      cancel: [
        { type: "CancelAnswered", answer: { kind: "cancelled" } },
        { type: "CancelAnswered", answer: { kind: "sms_arrived", messages: [message] } },
        { type: "CancelAnswered", answer: { kind: "unknown" } },
      ],
      finish: [{ type: "FinishAnswered", answer: { kind: "finished" } }],
      release: [{ type: "ReleaseAnswered", answer: { kind: "cancelled" } }],
      resolve: [
        {
          type: "AddressAnswered",
          attempt,
          answer: { kind: "invoice", destination: destinationOf(1_000 + n, now + 200 * HOUR) },
        },
        { type: "AddressAnswered", attempt, answer: { kind: "refused", reason: "no" } },
      ],
      refund: [{ type: "RefundAnswered", attempt, answer: refund }],
      findRefund: [{ type: "RefundSearched", attempt, answer: refund }],
      notify: [{ type: "NoticeHanded" }],
    };
    return this.pick([...(answers[effect.kind] ?? []), null]);
  }
}

describe("the sums by kind", () => {
  test("are what the orders say after every step of many lives", async () => {
    const reached = new Set<string>();
    for (let seed = 1; seed <= 8; seed++) {
      const town = new Town(seed);
      await town.open();
      for (let turn = 0; turn < 250; turn++) {
        await town.turn();
        agrees(town.engine.db);
        town.isAsAfterAStart();
      }
      for (const kind of town.kinds) reached.add(kind);
    }
    const all = ["buyUnknown", "buying", "closing", "delivered", "finishing", "refundStuck", "refundUnknown"];
    expect([...reached].toSorted()).toEqual(
      [...all, "refunding", "renting", "resolving", "unpaid", "waiting"].toSorted(),
    );
  });

  test("know nothing of a step that lost its claim or was refused", async () => {
    const { journal, world, db } = startEngine();
    const claims = [{ kind: "refund_hash", value: "shared" }] as const;
    const results = Promise.all([
      journal.commit({ ...opening(1, world.now()), claims }),
      journal.commit({ ...opening(2, world.now()), claims }),
      journal.commit(opening(1, world.now())),
      journal.commit(opening(3, world.now())),
    ]);
    await world.settle();
    expect((await results).map(({ kind }) => kind)).toEqual(["committed", "claim_lost", "refused", "committed"]);
    expect(agrees(db)).toMatchObject([{ kind: "unpaid", orders: 2 }]);
  });

  test("know nothing of a group whose commit failed", async () => {
    const engine = startEngine();
    const { journal, world, db } = engine;
    await engine.open(1);
    Object.assign(db, { failCommits: true });
    const failed = journal.commit(opening(2, world.now())).catch((error: Error) => error);
    await world.settle();
    expect(await failed).toBeInstanceOf(Error);
    Object.assign(db, { failCommits: false });
    expect(agrees(db)).toMatchObject([{ kind: "unpaid", orders: 1 }]);
  });

  test("are there again when the database is opened again, and go on from there", async () => {
    const dir = mkdtempSync(join(tmpdir(), "l402-stakes-"));
    const path = join(dir, "orders.sqlite");
    try {
      const town = new Town(7, new Database(path, { create: true, strict: true }));
      await town.open();
      for (let turn = 0; turn < 100; turn++) await town.turn();
      const before = agrees(town.engine.db);
      town.engine.journal.close();
      const db = new Database(path, { strict: true });
      const { world } = town.engine;
      const journal = new Journal(db, world);
      expect(agrees(db)).toEqual(before);
      const opened = journal.commit(opening(99, world.now()));
      await world.settle();
      await opened;
      const unpaid = (sums: readonly StakeSum[]) => sums.find(({ kind }) => kind === "unpaid")?.orders ?? 0;
      expect(unpaid(agrees(db))).toBe(unpaid(before) + 1);
      journal.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("a database of version 6", () => {
  const backToVersion6 = (db: Database): void => {
    const ids = db.query<{ id: string }, []>("SELECT id FROM orders WHERE state = ''").all();
    const store = new Store(db);
    for (const { id } of ids) {
      const order = store.order(id);
      if (order) db.run("UPDATE orders SET state = ? WHERE id = ?", [orderText(order), id]);
    }
    for (const sql of ["DROP TABLE stakes", "DROP INDEX orders_watched", "DROP INDEX orders_buying"]) db.run(sql);
    db.run("DROP INDEX orders_served");
    db.run("ALTER TABLE intents DROP COLUMN told_at");
    db.run("CREATE INDEX orders_opened_by ON orders (opened_by) WHERE kind = 'unpaid'");
    db.run("PRAGMA user_version = 6");
  };

  test.each([1, 2, 3, 4])("gets the sums of its orders, wherever they stand (seed %d)", async (seed) => {
    const town = new Town(seed);
    await town.open();
    for (let turn = 0; turn < 200; turn++) {
      await town.turn();
      if (turn % 20 > 0) continue;
      const before = agrees(town.engine.db);
      const copy = Database.deserialize(town.engine.db.serialize(), { strict: true });
      backToVersion6(copy);
      migrate(copy);
      expect(agrees(copy)).toEqual(before);
      copy.close();
    }
  });

  test("is migrated also when a row makes no sense", async () => {
    const engine = startEngine();
    for (const n of [1, 2]) await engine.open(n);
    engine.db.run("UPDATE orders SET state = 'nonsense' WHERE id = ?", [idOf(1)]);
    backToVersion6(engine.db);
    migrate(engine.db);
    expect(agrees(engine.db)).toMatchObject([{ kind: "unpaid", orders: 1 }]);
  });
});
