import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { msats } from "../../actors/order/money.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { type LightningNode, NodeUnavailable, type Settlement } from "../../src/lightning/port.ts";
import { SettlementFeed } from "../../src/lightning/settlements.ts";

const HOUR = 3_600_000;
const QUARTER = 900_000;

const settlement = (name: string, settledAt = 1_700_000_000_000): Settlement => ({
  paymentHash: name,
  settledAt,
  receivedMsats: msats(1000),
});

type Item = { settlement: Settlement; cursor: string };

/** A node whose stream and list a test steers. Only the two methods the feed may use exist. */
class SteeredNode {
  /** Every opening of the stream: the cursor it was asked for, and whether it is open. */
  readonly streams: { readonly cursor: string | null; open: boolean; push(item: Item): void; fail(): void }[] = [];
  readonly looks: number[] = [];
  list: () => Settlement[] | Promise<Settlement[]> = () => [];
  refuseStreams = false;

  async *settlements(cursor: string | null, signal: AbortSignal): AsyncGenerator<Item> {
    const queue: (Item | "fail")[] = this.refuseStreams ? ["fail"] : [];
    let wake = () => {};
    const add = (item: Item | "fail") => {
      queue.push(item);
      wake();
    };
    const stream = { cursor, open: true, push: add, fail: () => add("fail") };
    this.streams.push(stream);
    signal.addEventListener("abort", () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        const item = queue.shift();
        if (item === "fail") throw new NodeUnavailable("broken");
        if (item) yield item;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      stream.open = false;
    }
  }

  async settledSince(since: number): Promise<Settlement[]> {
    this.looks.push(since);
    return await this.list();
  }

  get last() {
    return this.streams.at(-1) ?? expect.unreachable("no stream was opened");
  }
}

let world: RealWorld;
let node: SteeredNode;
let feed: SettlementFeed;
/** Hashes of what was taken. */
let taken: string[];
/** Every cursor that was saved. */
let saved: string[];
let logged: string[];
let cursor: string | null;
/** Called before a settlement is taken; throws to refuse it. */
let onTake: (settlement: Settlement) => void | Promise<void>;
/** The same for the cursor. */
let onSave: (cursor: string) => void | Promise<void>;

beforeEach(() => {
  world = new RealWorld();
  node = new SteeredNode();
  taken = [];
  saved = [];
  logged = [];
  cursor = null;
  onTake = () => {};
  onSave = () => {};
  feed = new SettlementFeed({
    world,
    node: node as unknown as LightningNode, // the feed must not use anything else of the port
    loadCursor: () => cursor,
    onSettlement: async (settlement) => {
      await onTake(settlement);
      taken.push(settlement.paymentHash);
    },
    saveCursor: async (position) => {
      await onSave(position);
      saved.push(position);
      cursor = position;
    },
    log: (event, detail) => logged.push(detail ? `${event} ${JSON.stringify(detail)}` : event),
  });
});
afterEach(() => feed.stop());

/** Lets everything run that needs no clock. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const started = async () => {
  feed.start();
  await settle();
};
/** Moves the clock; real time passes as well, so what is due is tested half a second before and after. */
const advance = async (ms: number) => {
  world.jump(world.now() + ms);
  await settle();
};

describe("the stream", () => {
  test("starts at the stored cursor and hands settlements over in order, with the cursor behind them", async () => {
    cursor = "41";
    await started();
    expect(node.last.cursor).toBe("41");
    node.last.push({ settlement: settlement("a"), cursor: "42" });
    node.last.push({ settlement: settlement("b"), cursor: "43" });
    await settle();
    expect([taken, saved.at(-1)]).toEqual([["a", "b"], "43"]);
    expect(feed.status()).toEqual({ connected: true, lastEventAt: expect.closeTo(world.now(), -3) });
  });

  test("hands over many at once, and moves the cursor once all of them are durable", async () => {
    await started();
    const gates = new Map<string, () => void>();
    onTake = ({ paymentHash }) => new Promise<void>((resolve) => gates.set(paymentHash, resolve));
    for (const [index, name] of ["a", "b", "c", "d"].entries())
      node.last.push({ settlement: settlement(name), cursor: String(index + 1) });
    await settle();
    expect([...gates.keys()]).toEqual(["a", "b", "c", "d"]);
    for (const [name, cursors] of [
      ["b", []],
      ["c", []],
      ["a", ["3"]],
      ["d", ["3", "4"]],
    ] as const) {
      gates.get(name)?.();
      await settle();
      expect(saved).toEqual([...cursors]);
    }
  });

  test("is not read on while 256 are under way, or wait behind one that is not taken", async () => {
    await started();
    const gates: (() => void)[] = [];
    onTake = () => new Promise<void>((resolve) => gates.push(resolve));
    for (let n = 1; n <= 600; n++) node.last.push({ settlement: settlement(`s${n}`), cursor: String(n) });
    await settle();
    expect(gates).toHaveLength(256);
    for (const gate of gates.slice(1)) gate();
    await settle();
    expect([gates.length, taken.length, saved]).toEqual([256, 255, []]);
    gates[0]?.();
    await settle();
    expect([gates.length, saved]).toEqual([512, ["256"]]);
    for (let round = 0; round < 2; round++) {
      for (const gate of gates) gate();
      await settle();
    }
    expect([new Set(taken).size, taken.length, cursor]).toEqual([600, 600, "600"]);
  });

  test("one that is refused is offered again, ever more slowly, and the cursor does not pass it", async () => {
    await started();
    let offers = 0;
    onTake = ({ paymentHash }) => {
      if (paymentHash === "a" && ++offers <= 4) throw new RangeError("disk full: /secret/path");
    };
    node.last.push({ settlement: settlement("a"), cursor: "1" });
    node.last.push({ settlement: settlement("b"), cursor: "2" });
    await settle();
    for (const [waitMs, expected] of [
      [500, 1],
      [500, 2],
      [1_500, 2],
      [500, 3],
      [4_000, 4],
    ] as const) {
      await advance(waitMs);
      expect([offers, taken, saved]).toEqual([expected, ["b"], []]);
    }
    await advance(8_000);
    expect([taken, saved]).toEqual([["b", "a"], ["2"]]);
    expect(logged.filter((line) => line.startsWith("settlement_not_taken"))).toHaveLength(4);
    expect(logged.join()).toContain('{"reason":"RangeError","attempt":2,"retryInMs":2000}');
    expect(logged.join()).not.toContain("secret");
  });

  test("when all are refused, as by a full disk, one line of log says so each time", async () => {
    await started();
    let full = true;
    onTake = () => {
      if (full) throw new Error("full");
    };
    for (const name of ["a", "b", "c"]) node.last.push({ settlement: settlement(name), cursor: name });
    await settle();
    await advance(1_000);
    full = false;
    await advance(2_000);
    expect([taken, cursor]).toEqual([["a", "b", "c"], "c"]);
    expect(logged.filter((line) => line.startsWith("settlement_not_taken"))).toHaveLength(2);
  });

  test("a cursor that cannot be saved is saved later, and never two at a time", async () => {
    await started();
    let saving = 0;
    let refusals = 1;
    onSave = async () => {
      expect(++saving).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      saving--;
      if (refusals-- > 0) throw new Error("full");
    };
    node.last.push({ settlement: settlement("a"), cursor: "1" });
    await settle();
    node.last.push({ settlement: settlement("b"), cursor: "2" });
    node.last.push({ settlement: settlement("c"), cursor: "3" });
    await settle();
    expect([taken, saved]).toEqual([["a", "b", "c"], []]);
    await advance(1_000);
    expect([saved, cursor]).toEqual([["1", "3"], "3"]);
  });

  test("that breaks is opened again only behind what it brought", async () => {
    await started();
    const gate = Promise.withResolvers<void>();
    onTake = () => gate.promise;
    node.last.push({ settlement: settlement("a"), cursor: "1" });
    node.last.push({ settlement: settlement("b"), cursor: "2" });
    await settle();
    node.last.fail();
    await settle();
    await advance(10_000);
    expect(node.streams).toHaveLength(1);
    gate.resolve();
    await settle();
    await advance(1_000);
    expect(node.streams.map((stream) => stream.cursor)).toEqual([null, "2"]);
  });

  test("is opened again after it broke, from the cursor committed meanwhile", async () => {
    await started();
    node.last.push({ settlement: settlement("a"), cursor: "7" });
    await settle();
    node.last.fail();
    await settle();
    expect(feed.status().connected).toBe(false);
    expect(logged.at(-1)).toBe('settlements_lost {"reason":"Lightning node unavailable: broken","retryInMs":1000}');
    await advance(1_000);
    expect(node.streams.map(({ cursor }) => cursor)).toEqual([null, "7"]);
    expect(feed.status().connected).toBe(true);
  });

  test("the pauses between attempts grow from 1 s to 60 s, and are short again after a good connection", async () => {
    node.refuseStreams = true;
    await started();
    const pauses = [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1000);
    for (const [index, pause] of pauses.entries()) {
      await advance(pause - 500);
      expect(node.streams).toHaveLength(index + 1);
      await advance(500);
      expect(node.streams).toHaveLength(index + 2);
    }
    node.refuseStreams = false;
    await advance(60_000);
    const opened = node.streams.length;
    await advance(60_000);
    expect(node.streams).toHaveLength(opened);
    node.last.fail();
    await settle();
    await advance(1_000);
    expect(node.streams).toHaveLength(opened + 1);
  });

  test("ten silent minutes are enough to open it anew, without an alarm", async () => {
    await started();
    for (let minute = 0; minute < 9; minute++) await advance(60_000);
    node.last.push({ settlement: settlement("a"), cursor: "1" });
    await settle();
    for (let minute = 0; minute < 9; minute++) await advance(60_000);
    expect(node.streams).toHaveLength(1);
    await advance(60_000);
    expect(node.streams.map(({ open }) => open)).toEqual([false, true]);
    expect(node.last.cursor).toBe("1");
    expect(feed.status().connected).toBe(true);
    expect(logged).toEqual(["settlements_connected"]);
  });
});

describe("the list", () => {
  test("is read at the start, a quarter of an hour back where a cursor replays the rest", async () => {
    cursor = "5";
    const begun = world.now();
    node.list = () => [settlement("b", 2), settlement("a", 1)];
    await started();
    expect(node.looks[0]).toBeWithin(begun - QUARTER, world.now() - QUARTER + 1);
    expect(taken).toEqual(["a", "b"]);
    expect(cursor).toBe("5");
  });

  test("is read a day back without a cursor, because then nothing is replayed", async () => {
    const begun = world.now();
    await started();
    expect(node.looks[0]).toBeWithin(begun - 24 * HOUR, world.now() - 24 * HOUR + 1);
  });

  test("is read every minute behind a stream that seems fine, and tells each settlement once", async () => {
    await started();
    node.last.push({ settlement: settlement("a"), cursor: "1" });
    await settle();
    node.list = () => [settlement("a"), settlement("missed")];
    await advance(60_000);
    await advance(60_000);
    expect(node.looks).toHaveLength(3);
    expect([taken, saved]).toEqual([["a", "missed"], ["1"]]);
  });

  test("is read again after each reconnect, from a quarter of an hour before the last complete look", async () => {
    await started();
    const looked = world.now();
    node.last.fail();
    await settle();
    node.list = () => Promise.reject(new NodeUnavailable("down"));
    for (let minute = 0; minute < 30; minute++) await advance(60_000);
    node.list = () => [settlement("meanwhile")];
    await advance(60_000);
    expect(taken).toEqual(["meanwhile"]);
    expect(node.looks.at(-1)).toBeWithin(looked - QUARTER - 1_000, looked - QUARTER + 1);
    await advance(60_000);
    expect(node.looks.at(-1)).toBeGreaterThan(looked - HOUR + 29 * 60_000);
  });

  test("that cannot be read three times means that the node is away: the stream is opened anew as well", async () => {
    await started();
    expect(feed.status().connected).toBe(true);
    node.list = () => Promise.reject(new NodeUnavailable("down"));
    await advance(60_000);
    // One failed look does not give up a stream that is well.
    expect(feed.status().connected).toBe(true);
    for (let minute = 0; minute < 2; minute++) await advance(60_000);
    expect(feed.status().connected).toBe(false);
    expect(node.streams.map(({ open }) => open)).toEqual([false]);
  });

  test("that shows one which the stream brings at the same time does not have it taken twice", async () => {
    await started();
    const gate = Promise.withResolvers<void>();
    let offers = 0;
    onTake = () => {
      offers++;
      return gate.promise;
    };
    node.list = () => [settlement("a")];
    node.last.push({ settlement: settlement("a"), cursor: "1" });
    await advance(60_000);
    gate.resolve();
    await settle();
    expect([offers, taken, saved]).toEqual([1, ["a"], ["1"]]);
  });

  test("a settlement refused while the list is read is not forgotten", async () => {
    let refusals = 1;
    onTake = () => {
      if (refusals-- > 0) throw new Error("busy");
    };
    node.list = () => [settlement("a")];
    await started();
    expect([taken, feed.status().connected]).toEqual([[], false]);
    await advance(1_000);
    expect([taken, feed.status().connected]).toEqual([["a"], true]);
  });
});

describe("start and stop", () => {
  test("nothing is left behind: no stream, no timer, no hold", async () => {
    await started();
    expect(world.busy()).toEqual([]);
    expect(world.nextDue()).not.toBeNull();
    await feed.stop();
    expect([world.nextDue(), world.busy(), node.last.open]).toEqual([null, [], false]);
    expect(feed.status().connected).toBe(false);
  });

  test("a settlement that is being taken is waited for; one that is refused for ever is not", async () => {
    await started();
    const gate = Promise.withResolvers<void>();
    onTake = () => gate.promise;
    node.last.push({ settlement: settlement("a"), cursor: "1" });
    await settle();
    const stopping = feed.stop();
    expect(await Promise.race([stopping, settle().then(() => "waiting" as const)])).toBe("waiting");
    gate.resolve();
    await stopping;
    expect([taken, saved]).toEqual([["a"], ["1"]]);

    onTake = () => Promise.reject(new Error("no"));
    await started();
    node.last.push({ settlement: settlement("b"), cursor: "2" });
    await settle();
    await feed.stop();
    expect([taken, saved, world.nextDue()]).toEqual([["a"], ["1"], null]);
  });

  test("a node that never answers does not keep the feed from stopping", async () => {
    node.list = () => new Promise(() => {});
    await started();
    await feed.stop();
    expect(feed.status()).toEqual({ connected: false, lastEventAt: null });
  });

  test("can be started again, and starting twice is starting once", async () => {
    await started();
    await started();
    expect(node.streams).toHaveLength(1);
    await feed.stop();
    await started();
    expect(node.streams).toHaveLength(2);
  });
});
