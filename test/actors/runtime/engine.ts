/** The engine on a hand-driven world: real orders and real rules; effects answer when the test says so. */
import { Database, type Statement } from "bun:sqlite";
import type { Command } from "../../../actors/order/commands.ts";
import { open } from "../../../actors/order/decide.ts";
import type { Effect, EffectKind } from "../../../actors/order/effects.ts";
import { replay } from "../../../actors/order/evolve.ts";
import { microUsd, msats, sats } from "../../../actors/order/money.ts";
import { DEFAULT_POLICY } from "../../../actors/order/policy.ts";
import type { Destination, HeldNumber, Order } from "../../../actors/order/state.ts";
import type { OrderId, OrderType, Terms } from "../../../actors/order/terms.ts";
import type { Told } from "../../../actors/runtime/actor.ts";
import type { EffectHandlers } from "../../../actors/runtime/effects.ts";
import { Journal, type Transition } from "../../../actors/runtime/journal.ts";
import { type Observer, Supervisor, type SupervisorOptions } from "../../../actors/runtime/supervisor.ts";
import { ManualWorld } from "../../support/manual-world.ts";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const idOf = (n: number): OrderId => n.toString(16).padStart(32, "0") as OrderId;
export const hashOf = (n: number): string => n.toString(16).padStart(16, "0").padEnd(64, "a");
export const PREIMAGE = "cc".repeat(32);
export const PRICE_SATS = 1_500;
export const MAX_COST = 250_000;

export function termsOf(n: number, now: number, type: OrderType = "receive-sms"): Terms {
  const common = { service: "tg", country: 187, maxCost: microUsd(MAX_COST) };
  const goods = {
    "receive-sms": { type: "receive-sms", ...common },
    "receive-sms-reactivate": {
      type: "receive-sms-reactivate",
      ...common,
      parentOrderId: idOf(9_999),
      parentActivationId: "900009999",
      parentPhoneNumber: "+15550009999",
    },
    "rent-number": { type: "rent-number", ...common, durationMinutes: 240, hours: 4 },
  } as const;
  return {
    good: goods[type],
    priceSats: sats(PRICE_SATS),
    createdAt: now,
    invoice: `lnbcrt1invoice${n}`,
    paymentHash: hashOf(n),
    invoiceExpiresAt: now + DEFAULT_POLICY.invoiceExpiryMs,
    node: `02${"11".repeat(32)}`,
    notifyNpub: null,
    requestDigest: "dd".repeat(32),
    policy: DEFAULT_POLICY,
  };
}

export const destinationOf = (n: number, expiresAt: number): Omit<Destination, "claimed"> => ({
  invoice: `lnbcrt1refund${n}`,
  paymentHash: n.toString(16).padStart(64, "0"),
  expiresAt,
});

export const numberOf = (n: number, boughtAt: number): HeldNumber => ({
  activationId: String(900_000_000 + n),
  phoneNumber: `+1555${String(n).padStart(7, "0")}`,
  cost: microUsd(MAX_COST),
  boughtAt,
  endsAt: boughtAt + 20 * MINUTE,
});

export interface OpenOptions {
  readonly type?: OrderType;
  readonly destination?: Omit<Destination, "claimed"> | null;
  readonly openedBy?: string;
  readonly terms?: Partial<Terms>;
}

/** The first step of the order with number `n`. */
export function opening(n: number, now: number, options: OpenOptions = {}): Transition {
  const terms = { ...termsOf(n, now, options.type), ...options.terms };
  const opened = open({ id: idOf(n), terms, destination: options.destination ?? null, now });
  const nothing = { postings: [], effects: [], messages: [], claims: [] };
  return { before: null, ...opened, ...nothing, openedBy: options.openedBy ?? "client" };
}

/** An effect that was asked for and waits for its answer. */
export interface Asked {
  readonly orderId: OrderId;
  readonly effect: Effect;
  answer(command: Command): void;
  fail(error: Error): void;
}

export class ScriptedEffects {
  /** Everything asked for so far, in order. */
  readonly asked: Asked[] = [];
  readonly handlers: EffectHandlers;

  constructor() {
    const ask =
      <T extends Command>() =>
      (effect: Effect, orderId: OrderId): Promise<T> =>
        new Promise((resolve, reject) => {
          // Each test answers an effect with the command that belongs to it.
          this.asked.push({ orderId, effect, answer: (command) => resolve(command as T), fail: reject });
        });
    this.handlers = {
      askNode: ask(),
      buy: ask(),
      findBuy: ask(),
      look: ask(),
      cancel: ask(),
      finish: ask(),
      release: ask(),
      resolve: ask(),
      refund: ask(),
      findRefund: ask(),
      notify: ask(),
    };
  }

  kinds(): EffectKind[] {
    return this.asked.map(({ effect }) => effect.kind);
  }

  /** The newest effect of a kind. */
  last(kind: EffectKind): Asked {
    const found = this.asked.findLast(({ effect }) => effect.kind === kind);
    if (!found) throw new Error(`No ${kind} was asked for`);
    return found;
  }
}

/** A database whose COMMIT can be made to fail, as when the disk does. */
export class BrittleDatabase extends Database {
  commits = 0;
  failCommits = false;

  // biome-ignore lint/suspicious/noExplicitAny: as the method it stands in for.
  override prepare(sql: string, ...rest: any[]): Statement<any, any> {
    const statement = super.prepare(sql, ...rest);
    if (sql !== "COMMIT") return statement;
    const run = statement.run.bind(statement);
    statement.run = (...values) => {
      if (this.failCommits) throw new Error("disk I/O error");
      this.commits++;
      return run(...values);
    };
    return statement;
  }
}

export interface Crash {
  readonly id: OrderId;
  readonly error: string;
  readonly quarantined: boolean;
}

export type Engine = ReturnType<typeof startEngine>;

export function startEngine(
  options: Partial<Omit<SupervisorOptions, "observer">> & {
    readonly world?: ManualWorld;
    readonly db?: Database;
    readonly observer?: Observer;
  } = {},
) {
  const world = options.world ?? new ManualWorld();
  const db = options.db ?? new BrittleDatabase(":memory:", { strict: true });
  const journal = options.journal ?? new Journal(db, world);
  const effects = new ScriptedEffects();
  const crashes: Crash[] = [];
  const failures: { kind: string; error: unknown }[] = [];
  const supervisor = new Supervisor({
    world,
    journal,
    handlers: options.handlers ?? effects.handlers,
    maxResidents: options.maxResidents ?? 100,
    observer: {
      ...options.observer,
      crashed: (id, error, quarantined) => crashes.push({ id, error: error.name, quarantined }),
      effectFailed: (kind, error) => failures.push({ kind, error }),
    },
  });
  const { store } = journal;

  const engine = {
    world,
    db,
    journal,
    store,
    effects,
    supervisor,
    crashes,
    failures,

    /** The order, committed. */
    async open(n: number, openOptions: OpenOptions = {}): Promise<Order> {
      const opened = supervisor.open(opening(n, world.now(), openOptions));
      await world.settle();
      await opened;
      return engine.order(n);
    },

    /** Tells and waits for the commit. */
    async tell(n: number, command: Command): Promise<Told> {
      const told = supervisor.tell(idOf(n), command);
      told.catch(() => {});
      await world.settle();
      return told;
    },

    settled: (): Command => ({ type: "Settled", settledAt: world.now(), receivedMsats: msats(PRICE_SATS * 1_000) }),

    pay: (n: number): Promise<Told> => engine.tell(n, engine.settled()),

    /** Answers the newest effect of a kind and waits for what follows. */
    async answer(kind: EffectKind, command: Command): Promise<void> {
      effects.last(kind).answer(command);
      await world.settle();
    },

    /** Paid, and the number is there. */
    async withNumber(n: number, openOptions: OpenOptions = {}): Promise<Order> {
      await engine.open(n, openOptions);
      await engine.pay(n);
      await engine.answer("buy", {
        type: "BuyAnswered",
        attempt: 1,
        answer: { kind: "bought", number: numberOf(n, world.now()) },
      });
      return engine.order(n);
    },

    /** What the database says. */
    order(n: number): Order {
      const order = store.order(idOf(n));
      if (!order) throw new Error(`No order ${n}`);
      return order;
    },

    column<T extends string | number | null>(n: number, name: string): T {
      const row = db.query<Record<string, T>, [string]>(`SELECT ${name} FROM orders WHERE id = ?`).get(idOf(n));
      return (row as Record<string, T>)[name] as T;
    },

    count: (table: string): number => (db.query(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n,

    /** Replaying an order's events gives its stored state (invariant 19), and there are as many as it says. */
    isReplayable(n: number): boolean {
      const order = engine.order(n);
      const events = store.events(order.id);
      return Bun.deepEquals(replay(events), order, true) && engine.column(n, "seq") === order.seq;
    },
  };
  return engine;
}
