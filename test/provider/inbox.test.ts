import { describe, expect, test } from "bun:test";
import type { Order, State } from "../../actors/order/state.ts";
import type { OrderType } from "../../actors/order/terms.ts";
import { Inbox } from "../../src/provider/inbox.ts";
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

const row = (n: number, newest: string | null = null): ActiveActivation =>
  activeRow(numberOf(n, 0).activationId, { newest });

interface Bench {
  readonly world: ManualWorld;
  /** When the list was asked for, in seconds. */
  readonly polls: number[];
  readonly hints: string[];
  failures: number;
  /** What the list shows; null when it cannot be read. */
  listed: ActiveActivation[] | null;
  readonly inbox: Inbox;
}

function inbox(): Bench {
  const world = new ManualWorld();
  const self: Bench = {
    world,
    polls: [],
    hints: [],
    failures: 0,
    listed: [],
    inbox: new Inbox({
      world,
      provider: {
        active: async () => {
          self.polls.push((world.now() - START) / SECOND);
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
    at.inbox.follow(order(1, "done"));
    await at.world.advance(HOUR);
    expect(at.polls).toEqual([]);
    expect(at.world.armed()).toEqual([]);
  });

  test("while any order waits for its SMS: every five seconds, one question for all", async () => {
    const at = inbox();
    at.inbox.start();
    for (let n = 1; n <= 30; n++) at.inbox.follow(order(n, "waiting"));
    at.inbox.follow(order(31, "renting"));
    expect(at.inbox.watching).toBe(31);
    await at.world.advance(20 * SECOND);
    expect(at.polls).toEqual([5, 10, 15, 20]);
  });

  test("while only rentals run: ever more slowly, at least every ten minutes", async () => {
    const at = inbox();
    at.inbox.start();
    at.inbox.follow(order(1, "renting"));
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
    at.inbox.follow(order(1, "renting"));
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

  test("stops with stop and goes on with start", async () => {
    const at = inbox();
    at.inbox.follow(order(1, "waiting"));
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
    at.inbox.follow(order(1, "waiting"));
    at.inbox.follow(order(2, "waiting"));
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
    at.inbox.follow(order(1, "waiting"));
    at.listed = [row(1, "first")];
    await at.world.advance(5 * SECOND);
    at.inbox.follow(order(1, "delivered", 1));
    await at.world.advance(30 * SECOND);
    expect(at.hints).toHaveLength(1);
    at.listed = [row(1, "second")];
    await at.world.advance(5 * SECOND);
    expect(at.hints).toHaveLength(2);
  });

  test("is told again with the next poll after the look at the provider failed, and only then", async () => {
    const at = inbox();
    at.inbox.start();
    at.inbox.follow(order(1, "waiting"));
    at.inbox.follow(order(2, "waiting"));
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
    at.inbox.follow(order(1, "renting"));
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
    at.inbox.follow(order(1, "waiting"));
    at.listed = [row(1), row(9, "digest")];
    await at.world.advance(MINUTE);
    expect(at.hints).toEqual([]);
  });
});

describe("an activation that is missing from the list", () => {
  test("is looked into, but not while it is fresh, and not at every poll", async () => {
    const at = inbox();
    at.inbox.start();
    at.inbox.follow(order(1, "waiting"));
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
});

describe("a poll that fails", () => {
  test("proves nothing: nobody is told anything, and the next poll comes in time", async () => {
    const at = inbox();
    at.inbox.start();
    at.inbox.follow(order(1, "waiting"));
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
    at.inbox.follow(order(1, "waiting"));
    at.inbox.follow(order(2, "renting"));
    at.inbox.follow(order(1, "waiting"));
    expect(at.inbox.watching).toBe(2);
    at.inbox.follow(order(1, "closing"));
    expect(at.inbox.watching).toBe(1);
    at.inbox.follow({ ...order(2, "done"), terms: order(2, "renting").terms });
    expect(at.inbox.watching).toBe(0);
    at.listed = [row(1, "late"), row(2, "late")];
    await at.world.advance(HOUR);
    expect(at.hints).toEqual([]);
    expect(at.polls.length).toBeLessThanOrEqual(1);
  });

  test("an order that was set aside takes no hints any more, and the others still do", () => {
    const { inbox: box } = inbox();
    box.follow(order(1, "waiting"));
    box.follow(order(2, "renting"));
    box.setAside(idOf(1));
    expect(box.watching).toBe(1);
    box.setAside(idOf(1));
    expect(box.watching).toBe(1);
  });

  test("a late SMS that reopens a closing order is followed again", () => {
    const at = inbox();
    at.inbox.follow(order(1, "waiting"));
    at.inbox.follow(order(1, "closing"));
    at.inbox.follow(order(1, "delivered", 1));
    expect(at.inbox.watching).toBe(1);
  });
});
