import { afterEach, describe, expect, test } from "bun:test";
import { Bench, LineReader, MACAROON, serve, until } from "./bench.ts";

type Invoice = { memo: string; state: string; add_index: string; settle_index: string };
type Server = ReturnType<typeof serve>;

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A subscription over a real socket: its events so far, and how to end it. */
function subscribe(server: Server, query = "") {
  const limit = new AbortController();
  const events: string[] = [];
  let ended = false;
  let headers = false;
  const run = async () => {
    const response = await fetch(`${server.url}v1/invoices/subscribe${query}`, {
      headers: MACAROON,
      signal: limit.signal,
    });
    headers = true;
    const lines = new LineReader(response);
    for (let line = await lines.next(); line !== null; line = await lines.next()) {
      const { memo, state, add_index, settle_index } = line.result as Invoice;
      events.push(`${memo} ${state} ${add_index}/${settle_index}`);
    }
  };
  const done = run()
    .catch(() => {})
    .finally(() => {
      ended = true;
    });
  return { events, limit, done, ended: () => ended, headers: () => headers };
}

function start(): { bench: Bench; server: Server } {
  const bench = new Bench();
  const server = serve(bench);
  servers.push(server);
  return { bench, server };
}

/** Invoices `a`, `b`, `c` (add 1..3); `b`, then `a` paid (settle 1, 2); `d` (add 4) cancelled. */
async function history(bench: Bench): Promise<void> {
  const [a, b] = [await bench.add({ memo: "a", value: "1" }), await bench.add({ memo: "b", value: "1" })];
  await bench.add({ memo: "c", value: "1" });
  await bench.peer.wallet.pay(b.bolt11);
  await bench.peer.wallet.pay(a.bolt11);
  const d = await bench.add({ memo: "d", value: "1" });
  await bench.post("/v2/invoices/cancel", { payment_hash: Buffer.from(d.hash, "hex").toString("base64") });
}

/** Adds marker invoices until the subscription shows one, so that what came before it is all there is. */
async function settled(bench: Bench, events: string[]): Promise<string[]> {
  let added = 0;
  await until(() => {
    if (events.some((event) => event.startsWith("marker"))) return true;
    if (added++ % 10 === 0) void bench.add({ memo: "marker", value: "1" });
    return false;
  }, "the marker arrives");
  return events.filter((event) => !event.startsWith("marker"));
}

describe("subscribing to invoices over a socket", () => {
  test("index 0 has no backlog, only what is added and settled from now on", async () => {
    const { bench, server } = start();
    await history(bench);
    const { events } = subscribe(server);
    expect(await settled(bench, events)).toEqual([]);
    const { bolt11 } = await bench.add({ memo: "e", value: "1" });
    await bench.peer.wallet.pay(bolt11);
    await until(() => events.filter((event) => event.startsWith("e ")).length === 2, "both events arrive");
    const [added, paid] = events.filter((event) => event.startsWith("e "));
    expect(added).toMatch(/^e OPEN \d+\/0$/);
    expect(paid).toMatch(/^e SETTLED \d+\/3$/);
  });

  test("a settle index replays settlements strictly after it, in their order", async () => {
    const { bench, server } = start();
    await history(bench);
    const { events } = subscribe(server, "?settle_index=1");
    expect(await settled(bench, events)).toEqual(["a SETTLED 1/2"]);
  });

  test("an add index replays what was added after it as it is now, without the cancelled", async () => {
    const { bench, server } = start();
    await history(bench);
    const { events } = subscribe(server, "?add_index=1");
    expect(await settled(bench, events)).toEqual(["b SETTLED 2/1", "c OPEN 3/0"]);
  });

  test("with both indices, adds come first, then settlements", async () => {
    const { bench, server } = start();
    await history(bench);
    const { events } = subscribe(server, "?add_index=2&settle_index=1");
    expect(await settled(bench, events)).toEqual(["c OPEN 3/0", "a SETTLED 1/2"]);
  });

  test("a client that claims an index ahead of the node hears nothing below it", async () => {
    const { bench, server } = start();
    await history(bench);
    const { events } = subscribe(server, "?settle_index=3");
    await settled(bench, events);
    for (const memo of ["third", "fourth"]) {
      const { bolt11 } = await bench.add({ memo, value: "1" });
      await bench.peer.wallet.pay(bolt11);
    }
    await until(() => events.some((event) => event.startsWith("fourth SETTLED")), "settlement 4 arrives");
    expect(events.filter((event) => event.includes("SETTLED"))).toHaveLength(1);
  });

  test("cancelling and expiring make no event", async () => {
    const { bench, server } = start();
    const { events } = subscribe(server);
    await settled(bench, events);
    const { hash } = await bench.add({ memo: "gone", value: "1" });
    await bench.post("/v2/invoices/cancel", { payment_hash: Buffer.from(hash, "hex").toString("base64") });
    await bench.add({ memo: "old", value: "1", expiry: "10" });
    bench.world.advance(20);
    await bench.add({ memo: "last", value: "1" });
    await until(() => events.some((event) => event.startsWith("last")), "the last event arrives");
    const heard = events.filter((event) => /gone|old/.test(event)).map((event) => event.replace(/ [0-9/]+$/, ""));
    expect(heard).toEqual(["gone OPEN", "old OPEN"]);
  });

  test("two subscribers both hear everything", async () => {
    const { bench, server } = start();
    const [one, two] = [subscribe(server), subscribe(server)];
    await settled(bench, one.events);
    await settled(bench, two.events);
    const { bolt11 } = await bench.add({ memo: "e", value: "1" });
    await bench.peer.wallet.pay(bolt11);
    for (const { events } of [one, two]) {
      await until(() => events.filter((event) => event.startsWith("e ")).length === 2, "both events arrive");
    }
  });

  test("no header leaves before the first event, and nothing at all is sent while it is quiet", async () => {
    const { bench, server } = start();
    const { headers, events } = subscribe(server);
    await fetch(`${server.url}v1/getinfo`, { headers: MACAROON });
    await Bun.sleep(20);
    bench.world.advance(86_400);
    expect(headers()).toBe(false);
    await settled(bench, events);
    expect(headers()).toBe(true);
  });

  test("a client that leaves frees its place, before the first event and after", async () => {
    const { bench, server } = start();
    // 100 is the limit: whoever does not fit is told so at once, anyone else waits for an event.
    const probe = async (): Promise<unknown> => {
      const waits = { status: "waits" };
      return (await bench.get("/v1/invoices/subscribe", { signal: AbortSignal.timeout(5) }).catch(() => waits)).status;
    };
    for (const begun of [false, true]) {
      const crowd = Array.from({ length: 100 }, () => subscribe(server));
      await until(() => server.pendingRequests === 100, "all have come");
      if (begun) {
        await bench.add({ memo: "marker", value: "1" });
        await until(() => crowd.every(({ events }) => events.length === 1), "all have heard");
      }
      expect(await probe()).toBe(429);
      for (const { limit } of crowd) limit.abort();
      await until(() => server.pendingRequests === 0, "all have left");
      await Promise.all(crowd.map(({ done }) => done));
      expect(await probe()).toBe("waits");
    }
  });
});

describe("subscribing in-process", () => {
  test("the caller's signal ends the wait before the first event, and the stream after it", async () => {
    const bench = new Bench();
    const limit = new AbortController();
    const waiting = bench.peer.fetch(
      new Request("http://node/v1/invoices/subscribe", { headers: MACAROON, signal: limit.signal }),
    );
    limit.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");

    const second = new AbortController();
    const request = new Request("http://node/v1/invoices/subscribe", { headers: MACAROON, signal: second.signal });
    const answer = bench.peer.fetch(request);
    await bench.add({ memo: "first", value: "1" });
    const lines = new LineReader(await answer);
    expect(await lines.next()).toMatchObject({ result: { memo: "first" } });
    const next = lines.next();
    second.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
  });

  test("cancelling the body unsubscribes", async () => {
    const bench = new Bench();
    // More than the 100 that may subscribe at a time.
    for (let n = 0; n < 101; n++) {
      const waiting = bench.peer.fetch(new Request("http://node/v1/invoices/subscribe", { headers: MACAROON }));
      await bench.add({ value: "1" });
      const answer = await waiting;
      expect(answer.status).toBe(200);
      await answer.body?.cancel();
    }
  });

  test("an event of the wallet's payment is in the stream before the payment has returned", async () => {
    const bench = new Bench();
    const answer = bench.peer.fetch(new Request("http://node/v1/invoices/subscribe", { headers: MACAROON }));
    const { bolt11, hash } = await bench.add({ value: "5" });
    await bench.peer.wallet.pay(bolt11);
    const lines = new LineReader(await answer);
    expect(await lines.next()).toMatchObject({ result: { state: "OPEN" } });
    expect(await lines.next()).toMatchObject({
      result: { state: "SETTLED", settle_index: "1", r_hash: Buffer.from(hash, "hex").toString("base64") },
    });
    await lines.cancel();
  });
});
