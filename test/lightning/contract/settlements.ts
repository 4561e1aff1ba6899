import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Bench, type Dialect, until } from "./bench.ts";

/** Hearing of settlements, whatever breaks. */
export function settlementContract(dialect: Dialect): void {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench(dialect);
  });
  afterEach(() => bench.stop());

  const connected = () => until(() => bench.feed.status().connected);
  const pay = async (amountSats = 1234) => {
    const { bolt11, paymentHash } = await bench.invoice(amountSats);
    await bench.wallet.pay(bolt11);
    return paymentHash;
  };

  describe("settlements", () => {
    test("come at once, in order, with the cursor to go on from", async () => {
      bench.feed.start();
      await connected();
      await Bun.sleep(30);
      const first = await bench.invoice(100);
      const second = await bench.invoice(200);
      await bench.wallet.pay(second.bolt11);
      await bench.wallet.pay(first.bolt11);
      await until(() => bench.taken.length === 2 && bench.cursor !== null);
      expect(bench.taken.map(({ hash, receivedMsats }) => [hash, receivedMsats])).toEqual([
        [second.paymentHash, 200_000],
        [first.paymentHash, 100_000],
      ]);
    });

    test("that happened while the service was down are replayed from the cursor", async () => {
      const { feed } = bench;
      feed.start();
      await connected();
      await Bun.sleep(30);
      await pay();
      await until(() => bench.cursor !== null);
      await feed.stop();
      // Longer than the list looks back.
      bench.forward(1_200);
      const first = await pay();
      // Nobody promises an order of what settles within one millisecond.
      bench.forward(1);
      const missed = [first, await pay()];
      bench.forward(3_600);
      const stop = new AbortController();
      const replayed: string[] = [];
      for await (const { settlement } of bench.node.settlements(bench.cursor, stop.signal)) {
        replayed.push(settlement.paymentHash);
        if (missed.every((hash) => replayed.includes(hash))) break;
      }
      stop.abort();
      expect([...new Set(replayed)].filter((hash) => missed.includes(hash))).toEqual(missed);
    });

    test("the very first, before there is any cursor, is found in the list", async () => {
      const paymentHash = await pay();
      bench.feed.start();
      await until(bench.has(paymentHash));
      expect(bench.taken[0]).toMatchObject({ hash: paymentHash, receivedMsats: 1_234_000 });
    });

    test("of a stream that is silently dead are noticed by the list within a minute, and the stream is opened anew", async () => {
      const { feed } = bench;
      bench.fault("follow", "silent_stream");
      feed.start();
      await connected();
      await bench.struck();
      const paymentHash = await pay();
      await Bun.sleep(30);
      expect(bench.taken).toEqual([]);
      bench.forward(60);
      await until(bench.has(paymentHash));
      for (let minute = 0; minute < 11; minute++) {
        bench.forward(60);
        // What is being asked has its answer before time goes on.
        await bench.quiet();
      }
      await bench.quiet();
      const next = await pay();
      await until(bench.has(next));
    });

    test("of a node that was away are caught up when it is back", async () => {
      const { feed } = bench;
      for (const name of dialect.before.filter((fault) => fault !== "hang").slice(0, 3)) {
        bench.fault("follow", name);
        bench.fault("list", name);
      }
      feed.start();
      await Bun.sleep(50);
      expect(feed.status().connected).toBe(false);
      const paymentHash = await pay();
      for (const seconds of [1, 2, 4, 8, 16, 32, 60]) {
        bench.forward(seconds);
        await Bun.sleep(30);
        await bench.quiet();
      }
      await until(() => bench.has(paymentHash)() && feed.status().connected);
    });

    test("keep no steered clock busy while they are waited for", async () => {
      bench.feed.start();
      await connected();
      await Bun.sleep(300);
      expect(await bench.world.drained(1_000)).toEqual([]);
    });

    test("end when nobody wants them any more", async () => {
      const stop = new AbortController();
      const events = bench.node.settlements(null, stop.signal)[Symbol.asyncIterator]();
      const next = events.next();
      await Bun.sleep(50);
      stop.abort();
      expect(await next).toMatchObject({ done: true });
    });

    test("after a cursor of another kind of node are refused instead of skipped", async () => {
      const events = bench.node.settlements("not a cursor", new AbortController().signal)[Symbol.asyncIterator]();
      await expect(events.next()).rejects.toThrow(RangeError);
    });
  });
}
