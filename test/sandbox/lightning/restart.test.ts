import { describe, expect, test } from "bun:test";
import { Bench, LineReader, MACAROON, payment } from "./bench.ts";

async function pubkey(bench: Bench): Promise<unknown> {
  return (await bench.get("/v1/getinfo")).json[0]?.identity_pubkey;
}

/** Begins a payment that is held up, and drops the connection. */
async function hold(bench: Bench, detail: Record<string, unknown> = {}): Promise<string> {
  const { invoice, paymentHash } = bench.peer.wallet.invoice();
  bench.fault("send", "in_flight", detail);
  const request = new Request("http://node/v2/router/send", {
    method: "POST",
    headers: MACAROON,
    body: JSON.stringify({ payment_request: invoice, amt: "1000", fee_limit_sat: "5" }),
  });
  const lines = new LineReader(await bench.peer.fetch(request));
  await lines.next();
  await lines.cancel();
  return paymentHash;
}

describe("a restart", () => {
  test("keeps keys, balances, invoices and payments", async () => {
    const bench = new Bench();
    const { bolt11, hash } = await bench.add({ value: "1000" });
    await bench.peer.wallet.pay(bolt11);
    await bench.send(bench.peer.wallet.invoice().invoice, { amt: "400" });
    const open = bench.peer.wallet.invoice();
    const state = async () => [
      await pubkey(bench),
      bench.peer.wallet.pubkey,
      await bench.balance(),
      await bench.lookup(hash),
      await bench.payments(),
      bench.peer.wallet.view(),
    ];
    const before = await state();
    bench.restart();
    expect(await state()).toEqual(before);
    expect(payment(await bench.send(open.invoice, { amt: "5" })).status).toBe("SUCCEEDED");
  });

  test("counts on: add, settle and payment indices go up, and no preimage comes twice", async () => {
    const bench = new Bench();
    const hashes = new Set<string>();
    for (let n = 1; n <= 3; n++) {
      const { bolt11, hash } = await bench.add({ value: "1" });
      await bench.peer.wallet.pay(bolt11);
      expect(await bench.lookup(hash)).toMatchObject({ add_index: String(n), settle_index: String(n) });
      const paid = payment(await bench.send(bench.peer.wallet.invoice().invoice, { amt: "1" }));
      expect(paid.payment_index).toBe(String(n));
      hashes.add(hash).add(String(paid.payment_hash));
      bench.restart();
    }
    expect(hashes.size).toBe(6);
  });

  test("replays settlements after the cursor to a client that comes back", async () => {
    const bench = new Bench();
    for (let n = 0; n < 3; n++) await bench.peer.wallet.pay((await bench.add({ value: "1", memo: `m${n}` })).bolt11);
    bench.restart();
    const request = new Request("http://node/v1/invoices/subscribe?settle_index=1", { headers: MACAROON });
    const lines = new LineReader(await bench.peer.fetch(request));
    expect(await lines.next()).toMatchObject({ result: { memo: "m1", settle_index: "2" } });
    expect(await lines.next()).toMatchObject({ result: { memo: "m2", settle_index: "3" } });
    await lines.cancel();
  });

  test("an invoice that expired meanwhile is cancelled", async () => {
    const bench = new Bench();
    const { hash } = await bench.add({ value: "1", expiry: "60" });
    bench.restart();
    bench.world.advance(60);
    expect((await bench.lookup(hash)).state).toBe("CANCELED");
  });

  test("a payment in flight goes on, exactly once, though nobody waits for it", async () => {
    const bench = new Bench();
    const hash = await hold(bench);
    bench.world.advance(20);
    bench.restart();
    expect(bench.world.armed).toBe(1);
    bench.world.advance(39);
    expect((await bench.payments())[0]?.status).toBe("IN_FLIGHT");
    bench.world.advance(1);
    expect(payment(await bench.track(hash)).status).toBe("SUCCEEDED");
    bench.world.advance(600);
    expect(bench.peer.wallet.view()).toMatchObject({ balanceSats: 10_001_000, payments: [{ amountSats: 1000 }] });
  });

  test("a payment whose time came while the node was down ends as soon as it is up", async () => {
    const bench = new Bench();
    const hash = await hold(bench, { resolveAfterSeconds: 30, resolve: "failed" });
    bench.peer.close();
    bench.world.advance(3_600);
    bench.restart();
    bench.world.advance(0);
    expect(payment(await bench.track(hash))).toMatchObject({
      status: "FAILED",
      failure_reason: "FAILURE_REASON_TIMEOUT",
    });
    expect((await bench.balance()).local).toBe(50_000_000_000);
  });

  test("a payment that never ends is still in flight", async () => {
    const bench = new Bench();
    await hold(bench, { resolveAfterSeconds: "never" });
    bench.restart();
    bench.world.advance(86_400);
    expect((await bench.payments())[0]?.status).toBe("IN_FLIGHT");
  });

  test("all tables are its own", () => {
    const bench = new Bench();
    const tables = bench.books.query("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").all();
    expect(tables.length).toBeGreaterThan(4);
    for (const { name } of tables as { name: string }[]) expect(name).toStartWith("ln_");
  });
});
