import { describe, expect, test } from "bun:test";
import type { Kind, Order, State } from "../../actors/order/state.ts";
import type { OrderType } from "../../actors/order/terms.ts";
import { sleep } from "../../actors/runtime/world.ts";
import { Inbox, type InboxOptions } from "../../src/provider/inbox.ts";
import { type ActiveActivation, ProviderUnavailable } from "../../src/provider/port.ts";
import { HOUR, idOf, MINUTE, numberOf, opening, SECOND } from "../actors/runtime/engine.ts";
import { ManualWorld, START } from "../support/manual-world.ts";
import { activeRow } from "./scripted-provider.ts";

/** An order whose number is `numberOf(n)`, in a kind that holds it. */
function order(n: number, kind: "waiting" | "delivered" | "closing" | "renting" | "done", messages = 0): Order {
  const type: OrderType = kind === "renting" ? "rent-number" : "receive-sms";
  const number = numberOf(n, START);
  // Only the kind and the number matter here.
  const state = { kind, as: "completed", number, looking: "idle", due: 1 } as unknown as State;
  const messageIds = Array.from({ length: messages }, (_, index) => String(index));
  return { ...opening(n, START, { type }).order, state, messageIds };
}

const row = (n: number, newest: string | null = null, message: ActiveActivation["message"] = null): ActiveActivation =>
  activeRow(numberOf(n, 0).activationId, { newest, message });

/** The rows that the journal would have written: where each order stands, by its activation. */
class Rows {
  readonly #orders = new Map<string, Order>();
  /** Messages of every order, oldest first; stored at the start where nothing else is said. */
  readonly messages: (NonNullable<ActiveActivation["message"]> & { readonly storedAt?: number })[] = [];
  readonly store: InboxOptions["store"] = {
    stakes: () => [...this.#orders.values()].map(({ state: { kind } }) => ({ ...NO_SUMS, kind, orders: 1 })),
    watchedAfter: (after, limit) =>
      [...this.#orders]
        .filter(([activationId, { state }]) => activationId > after && WANT_MESSAGES.includes(state.kind))
        .map(([activationId]) => activationId)
        .toSorted()
        .slice(0, limit),
    watcherOf: (activationId) => {
      const found = this.#orders.get(activationId);
      return found && WANT_MESSAGES.includes(found.state.kind) ? found.id : null;
    },
    kindOf: (id) => this.#orders.values().find((order) => order.id === id)?.state.kind ?? null,
    messages: () =>
      this.messages.map((message, n) => ({
        storedAt: START,
        ...message,
        id: String(n),
        sender: null,
        receivedAt: null,
      })),
  };

  /** @returns the order as it was; null for one that opens. */
  write(n: number, order: Order): Order | null {
    const { activationId } = numberOf(n, 0);
    const before = this.#orders.get(activationId) ?? null;
    this.#orders.set(activationId, order);
    return before;
  }
}

const NO_SUMS = { microUsd: 0, sats: 0, heldSats: 0 };
const WANT_MESSAGES: readonly Kind[] = ["waiting", "delivered", "renting"];

interface Bench {
  readonly world: ManualWorld;
  /** When the list was asked for, in seconds. */
  readonly polls: number[];
  readonly hints: string[];
  /** Of every order, as stored. */
  readonly messages: Rows["messages"];
  failures: number;
  /** How long it takes to read the list, ms. */
  readMs: number;
  /** What the list shows; null when it cannot be read. */
  listed: ActiveActivation[] | null;
  readonly inbox: Inbox;
  /** A step was committed: the row first, then the inbox hears of it. */
  follow(...step: Parameters<typeof order>): void;
}

/** @param found orders that are in the database when the process starts. */
function inbox(...found: Parameters<typeof order>[]): Bench {
  const world = new ManualWorld();
  const rows = new Rows();
  for (const step of found) rows.write(step[0], order(...step));
  const self: Bench = {
    world,
    polls: [],
    hints: [],
    messages: rows.messages,
    failures: 0,
    readMs: 0,
    listed: [],
    follow(...step) {
      const after = order(...step);
      self.inbox.follow(after, rows.write(step[0], after));
    },
    inbox: new Inbox({
      world,
      store: rows.store,
      provider: {
        active: async () => {
          self.polls.push((world.now() - START) / SECOND);
          if (self.readMs > 0) await sleep(world, self.readMs);
          if (!self.listed) throw new ProviderUnavailable("down");
          return self.listed;
        },
      },
      hint: (id) => self.hints.push(id),
      pollFailed: () => self.failures++,
    }),
  };
  return self;
}

describe("pace", () => {
  test("nobody waits: nothing is asked", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "done");
    await at.world.advance(HOUR);
    expect(at.polls).toEqual([]);
    expect(at.world.armed()).toEqual([]);
  });

  test("while any order waits for its SMS: every five seconds, one question for all", async () => {
    const at = inbox();
    at.inbox.start();
    for (let n = 1; n <= 30; n++) at.follow(n, "waiting");
    at.follow(31, "renting");
    expect(at.inbox.watching).toBe(31);
    await at.world.advance(20 * SECOND);
    expect(at.polls).toEqual([5, 10, 15, 20]);
  });

  test("a long list is begun as often as a short one, but leaves the others half of the time, or five seconds", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.readMs = 2 * SECOND;
    await at.world.advance(17 * SECOND);
    expect(at.polls).toEqual([5, 10, 15]);
    at.readMs = 4 * SECOND;
    await at.world.advance(20 * SECOND);
    expect(at.polls).toEqual([5, 10, 15, 20, 28, 36]);
    at.readMs = 10 * SECOND;
    // Nobody who reads makes it any faster.
    const nudges = Array.from({ length: 36 }, (_, n) => n);
    for (const _ of nudges) {
      at.inbox.nudge();
      await at.world.advance(SECOND);
    }
    expect(at.polls.slice(6)).toEqual([44, 59]);
  });

  test("while only rentals run: ever more slowly, at least every ten minutes", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "renting");
    at.listed = [row(1)];
    await at.world.advance(2 * HOUR);
    const gaps = at.polls.map((poll, index) => poll - (at.polls[index - 1] ?? 0));
    expect(gaps.slice(0, 4)).toEqual([15, 22.5, 33.75, 50.625]);
    expect(gaps.at(-1)).toBe(600);
    expect(at.hints).toEqual([]);
  });

  test("falls back to fast on news and for a reader, but is never faster than ever", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "renting");
    at.listed = [row(1)];
    await at.world.advance(HOUR);
    at.polls.length = 0;
    const readAt = (at.world.now() - START) / SECOND;
    at.inbox.nudge();
    await at.world.advance(0);
    expect(at.polls).toEqual([readAt]);
    for (let reads = 0; reads < 100; reads++) {
      at.inbox.nudge();
      await at.world.advance(100);
    }
    expect(at.polls).toEqual([readAt, readAt + 5, readAt + 10]);
  });

  test("a reader after the clock was set back does not put off the next question by as much", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "renting");
    at.listed = [row(1)];
    await at.world.advance(HOUR);
    at.world.step(-HOUR);
    at.polls.length = 0;
    at.inbox.nudge();
    await at.world.advance(5 * SECOND);
    expect(at.polls.length).toBe(1);
  });

  test("stops with stop and goes on with start", async () => {
    const at = inbox();
    at.follow(1, "waiting");
    await at.world.advance(MINUTE);
    expect(at.polls).toEqual([]);
    at.inbox.start();
    await at.world.advance(5 * SECOND);
    at.inbox.stop();
    await at.world.advance(MINUTE);
    expect(at.polls).toEqual([65]);
    expect(at.world.armed()).toEqual([]);
  });
});

describe("news", () => {
  test("is a message that the list did not show before; its order is told", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.follow(2, "waiting");
    at.listed = [row(1), row(2)];
    await at.world.advance(10 * SECOND);
    expect(at.hints).toEqual([]);
    at.listed = [row(1, "digest"), row(2)];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toEqual([idOf(1)]);
  });

  test("that the order has taken is not told again; the next message is", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.listed = [row(1, "first")];
    await at.world.advance(5 * SECOND);
    at.follow(1, "delivered", 1);
    await at.world.advance(30 * SECOND);
    expect(at.hints).toHaveLength(1);
    at.listed = [row(1, "second")];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toHaveLength(2);
  });

  test("that a webhook brought is not looked for a second time; with other words, or in another order, it is news", async () => {
    const [code, text] = ["123456", "Your code is 123456"];
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting", 1);
    at.listed = [row(1)];
    await at.world.advance(5 * SECOND);
    at.messages.push({ code, text, storedAt: at.world.now() });
    at.listed = [row(1, "first", { code, text })];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toEqual([]);
    at.listed = [row(1, "second", { code, text: "Use 123456 to log in" })];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toHaveLength(1);
    at.messages.push({ code: "777777", text: null, storedAt: at.world.now() });
    at.listed = [row(1, "first", { code, text })];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toHaveLength(2);
  });

  test("in the words of the last message that is stored is told when that came before the last list: others may lie between", async () => {
    const message = { code: "123456", text: "Your code is 123456" };
    const at = inbox();
    at.inbox.start();
    at.follow(1, "renting");
    at.messages.push(message);
    at.listed = [row(1)];
    await at.world.advance(MINUTE);
    at.listed = [row(1, "first", message)];
    await at.world.advance(2 * MINUTE);
    expect(at.hints).toEqual([idOf(1)]);
  });

  test("in the words of the last message that is stored is told after a look that failed: that was for another one", async () => {
    const message = { code: "123456", text: "Your code is 123456" };
    const at = inbox();
    at.inbox.start();
    at.follow(1, "renting");
    at.messages.push(message);
    at.listed = [row(1, "first", message)];
    at.inbox.lookFailed(numberOf(1, 0).activationId);
    await at.world.advance(15 * SECOND);
    expect(at.hints).toEqual([idOf(1)]);
    await at.world.advance(MINUTE);
    expect(at.hints).toHaveLength(1);
  });

  test("is told again with the next poll after the look at the provider failed, and only then", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.follow(2, "waiting");
    at.listed = [row(1, "digest"), row(2, "digest")];
    await at.world.advance(5 * SECOND);
    at.inbox.lookFailed(numberOf(1, 0).activationId);
    at.inbox.lookFailed("a stranger");
    await at.world.advance(MINUTE);
    expect(at.hints).toEqual([idOf(1), idOf(2), idOf(1)]);
  });

  test("whose look failed is polled for soon, although polls had become rare", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "renting");
    at.listed = [row(1)];
    await at.world.advance(2 * HOUR);
    at.listed = [row(1, "digest")];
    await at.world.advance(10 * MINUTE);
    expect(at.hints).toHaveLength(1);
    at.inbox.lookFailed(numberOf(1, 0).activationId);
    await at.world.advance(15 * SECOND);
    expect(at.hints).toHaveLength(2);
  });

  test("of an activation that is not ours is nobody's", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.listed = [row(1), row(9, "digest")];
    await at.world.advance(MINUTE);
    expect(at.hints).toEqual([]);
  });
});

describe("an activation that is missing from the list", () => {
  test("is looked into, but not while it is fresh, and not at every poll", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.listed = [];
    await at.world.advance(30 * SECOND);
    expect(at.hints).toEqual([]);
    await at.world.advance(5 * SECOND);
    expect(at.hints).toEqual([idOf(1)]);
    await at.world.advance(MINUTE);
    expect(at.hints).toHaveLength(1);
    await at.world.advance(5 * SECOND);
    expect(at.hints).toHaveLength(2);
  });

  test("is looked into within the minute also when the clock was set back", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.listed = [];
    await at.world.advance(5 * SECOND);
    at.world.step(-HOUR);
    at.inbox.nudge();
    await at.world.advance(10 * SECOND);
    expect(at.hints).toEqual([idOf(1)]);
    at.world.step(-HOUR);
    at.inbox.nudge();
    await at.world.advance(10 * SECOND);
    expect(at.hints).toHaveLength(2);
  });
});

describe("a poll that fails", () => {
  test("proves nothing: nobody is told anything, and the next poll comes in time", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.listed = null;
    await at.world.advance(10 * MINUTE);
    expect(at.hints).toEqual([]);
    expect(at.failures).toBe(120);
    at.listed = [row(1, "digest")];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toEqual([idOf(1)]);
  });
});

describe("following", () => {
  test("forgets an order that wants no more messages, and with the last one stops asking", async () => {
    const at = inbox();
    at.inbox.start();
    at.follow(1, "waiting");
    at.follow(2, "renting");
    at.follow(1, "waiting");
    expect(at.inbox.watching).toBe(2);
    at.follow(1, "closing");
    expect(at.inbox.watching).toBe(1);
    at.follow(2, "done");
    expect(at.inbox.watching).toBe(0);
    at.listed = [row(1, "late"), row(2, "late")];
    await at.world.advance(HOUR);
    expect(at.hints).toEqual([]);
    expect(at.polls.length).toBeLessThanOrEqual(1);
  });

  test("an order that was set aside takes no hints any more, and the others still do", async () => {
    const at = inbox();
    const { inbox: box } = at;
    at.follow(1, "waiting");
    at.follow(2, "renting");
    box.setAside(idOf(1));
    expect(box.watching).toBe(1);
    box.setAside(idOf(1));
    expect(box.watching).toBe(1);
    box.start();
    at.listed = [row(1, "news"), row(2, "news")];
    await at.world.advance(MINUTE);
    expect(at.hints).toEqual([idOf(2)]);
  });

  test("a late SMS that reopens a closing order is followed again", () => {
    const at = inbox();
    at.follow(1, "waiting");
    at.follow(1, "closing");
    at.follow(1, "delivered", 1);
    expect(at.inbox.watching).toBe(1);
  });
});

describe("after a restart", () => {
  test("orders of the database are watched at once: news is told, and a missing number is looked into", async () => {
    const at = inbox([1, "waiting"], [2, "renting"], [3, "closing"], [4, "done"], [5, "delivered", 1]);
    expect(at.inbox.watching).toBe(3);
    at.inbox.start();
    at.listed = [row(1, "digest"), row(3, "digest"), row(5)];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toEqual([idOf(1)]);
    await at.world.advance(30 * SECOND);
    expect(at.hints).toEqual([idOf(1), idOf(2)]);
  });

  test("news in the words of the last message that is stored is told: others may have come while nobody polled", async () => {
    const message = { code: "123456", text: "Your code is 123456" };
    const at = inbox([1, "renting"]);
    at.messages.push({ ...message, storedAt: START - MINUTE });
    at.inbox.start();
    at.listed = [row(1, "first", message)];
    await at.world.advance(MINUTE);
    expect(at.hints).toEqual([idOf(1)]);
  });

  test("an order that was set aside before counts for nothing", async () => {
    const at = inbox([1, "waiting"]);
    at.inbox.setAside(idOf(1));
    at.inbox.start();
    await at.world.advance(HOUR);
    expect([at.inbox.watching, at.polls.length, at.hints.length]).toEqual([0, 0, 0]);
  });

  test("numbers of a crowd that are missing are all looked into, some thousands with each list", async () => {
    const crowd = Array.from({ length: 5_001 }, (_, n): Parameters<typeof order> => [n, "waiting"]);
    const at = inbox(...crowd);
    at.inbox.start();
    await at.world.advance(45 * SECOND);
    expect(new Set(at.hints).size).toBe(5_001);
  });
});
