import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { ConnectionReset } from "../../../src/sandbox/faults.ts";
import { LND_ACTIONS, type LndAction, lndFaults } from "../../../src/sandbox/lightning/lnd/faults.ts";
import { Bench, LineReader, MACAROON, pathHash, payment, type Reply, read, serve, until } from "./bench.ts";

const sha256 = (hex: unknown) =>
  createHash("sha256")
    .update(Buffer.from(String(hex), "hex"))
    .digest("hex");

const servers: ReturnType<typeof serve>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** One good call of each action, against a bench that has an invoice and a payment. */
async function prepared(): Promise<{ bench: Bench; call: Record<LndAction, (init?: RequestInit) => Promise<Reply>> }> {
  const bench = new Bench();
  const { hash, bolt11 } = await bench.add();
  const refund = bench.peer.wallet.invoice();
  const paid = bench.peer.wallet.invoice();
  await bench.send(paid.invoice, { amt: "10" });
  const cancel = { payment_hash: Buffer.from(hash, "hex").toString("base64") };
  const send = { payment_request: refund.invoice, amt: "10", fee_limit_sat: "5", no_inflight_updates: true };
  return {
    bench,
    call: {
      getinfo: (init) => bench.get("/v1/getinfo", init),
      balance: (init) => bench.get("/v1/balance/channels", init),
      addinvoice: (init) => bench.post("/v1/invoices", { value: "1" }, init),
      lookupinvoice: (init) => bench.get(`/v2/invoices/lookup?payment_hash=${pathHash(hash)}`, init),
      listinvoices: (init) => bench.get("/v1/invoices", init),
      subscribe: (init) => bench.get("/v1/invoices/subscribe", init),
      cancelinvoice: (init) => bench.post("/v2/invoices/cancel", cancel, init),
      send: (init) => bench.post("/v2/router/send", send, init),
      track: (init) => bench.get(`/v2/router/track/${pathHash(paid.paymentHash)}`, init),
      listpayments: (init) => bench.get("/v1/payments", init),
      decodepayreq: (init) => bench.get(`/v1/payreq/${bolt11}`, init),
    },
  };
}

/** What a call has changed: invoices added, the first one's state, payments made. */
async function effects(bench: Bench): Promise<unknown> {
  const [answer] = (await bench.get("/v1/invoices")).json;
  const invoices = answer?.invoices as { state: string }[];
  return [
    invoices.map((invoice) => invoice.state),
    (await bench.payments()).length,
    bench.peer.wallet.view().balanceSats,
  ];
}

const STREAMS: readonly string[] = ["subscribe", "send", "track"];

describe.each(LND_ACTIONS.map((action) => [action] as const))("faults of %s", (action) => {
  const shaped = (reply: Reply) => (STREAMS.includes(action) ? reply.json[0]?.error : reply.json[0]);

  test.each([
    ["http500", 500, 13],
    ["http503", 503, 14],
    ["unauthorized", 401, 16],
  ])("%s answers in the node's shape and changes nothing", async (fault, status, code) => {
    const { bench, call } = await prepared();
    const before = await effects(bench);
    bench.fault(action, fault);
    const reply = await call[action]();
    expect([reply.status, shaped(reply)]).toMatchObject([status, { code, details: [] }]);
    expect(await effects(bench)).toEqual(before);
  });

  test.each([
    ["html502", 502],
    ["not_found_html", 404],
  ])("%s is a proxy's page and changes nothing", async (fault, status) => {
    const { bench, call } = await prepared();
    const before = await effects(bench);
    bench.fault(action, fault);
    const reply = await call[action]();
    expect([reply.status, reply.type, reply.json]).toEqual([status, "text/html", []]);
    expect(reply.text).toStartWith("<html>");
    expect(await effects(bench)).toEqual(before);
  });

  test("reset and hang keep the call from the node", async () => {
    const { bench, call } = await prepared();
    const before = await effects(bench);
    bench.fault(action, "reset");
    await expect(call[action]()).rejects.toBeInstanceOf(ConnectionReset);
    bench.fault(action, "hang");
    const limit = new AbortController();
    const hanging = call[action]({ signal: limit.signal });
    limit.abort(new Error("gave up"));
    await expect(hanging).rejects.toThrow("gave up");
    expect(await effects(bench)).toEqual(before);
  });

  test("reset_after, hang_after, garbled and empty let the node act and spoil its answer", async () => {
    const untouched = await effects((await prepared()).bench);
    const acted: unknown[] = [];
    for (const fault of ["reset_after", "hang_after", "garbled", "empty"]) {
      const { bench, call } = await prepared();
      bench.fault(action, fault);
      if (fault === "reset_after") await expect(call[action]()).rejects.toBeInstanceOf(ConnectionReset);
      if (fault === "hang_after") {
        const limit = new AbortController();
        const hanging = call[action]({ signal: limit.signal });
        await Bun.sleep(0);
        limit.abort(new Error("gave up"));
        await expect(hanging).rejects.toThrow("gave up");
      }
      if (fault === "garbled" || fault === "empty") {
        const reply = await call[action]();
        expect([reply.status, reply.json]).toEqual([200, []]);
        expect(reply.text === "").toBe(fault === "empty");
      }
      await Bun.sleep(0);
      acted.push(await effects(bench));
    }
    const changes = ["addinvoice", "cancelinvoice", "send"].includes(action);
    for (const state of acted) {
      if (changes) expect(state).not.toEqual(untouched);
      else expect(state).toEqual(untouched);
    }
  });

  // A subscription that is well says nothing until there is an event.
  if (action === "subscribe") return;
  test("a fault hits as often as planned, then the call is well again", async () => {
    const { bench, call } = await prepared();
    bench.fault(action, "http500", {}, 2);
    expect([(await call[action]()).status, (await call[action]()).status]).toEqual([500, 500]);
    expect((await call[action]()).status).toBe(200);
  });

  test("a fault of another call is refused loudly instead of being ignored", async () => {
    const { bench, call } = await prepared();
    bench.fault(action, "no_such_fault");
    const reply = await call[action]();
    expect(shaped(reply)).toMatchObject({
      code: 13,
      message: `fault "no_such_fault" does not apply to "${action}"`,
    });
  });
});

describe("faults in general", () => {
  test("* hits any call", async () => {
    const { bench, call } = await prepared();
    bench.fault("*", "http503", {}, 2);
    expect((await call.getinfo()).status).toBe(503);
    expect((await call.addinvoice()).status).toBe(503);
    expect((await call.getinfo()).status).toBe(200);
  });

  test("the planner can ask what each call knows", () => {
    expect(lndFaults("getinfo")).not.toContain("no_route");
    expect(lndFaults("send")).toContain("no_route");
    expect(lndFaults("subscribe")).toContain("stream_cut");
  });

  test("over a socket, a hanging call ends when the client gives up", async () => {
    const bench = new Bench();
    const server = serve(bench);
    servers.push(server);
    bench.fault("getinfo", "hang");
    const hanging = fetch(`${server.url}v1/getinfo`, { headers: MACAROON, signal: AbortSignal.timeout(20) });
    expect(await hanging.catch((error: Error) => error.name)).toBe("TimeoutError");
    await until(() => server.pendingRequests === 0, "the server has let go");
  });
});

describe("faults of sending", () => {
  test.each([
    ["no_route", "FAILURE_REASON_NO_ROUTE"],
    ["insufficient_balance", "FAILURE_REASON_INSUFFICIENT_BALANCE"],
    ["timeout", "FAILURE_REASON_TIMEOUT"],
    ["incorrect_details", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"],
  ])("%s fails for good, moves nothing, and leaves the invoice payable", async (fault, reason) => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    bench.fault("send", fault);
    const failed = payment(await bench.send(invoice, { amt: "1000" }));
    expect(failed).toMatchObject({ status: "FAILED", failure_reason: reason, fee_msat: "0" });
    expect(payment(await bench.track(paymentHash))).toEqual(failed);
    expect(await bench.balance()).toEqual({ local: 50_000_000_000, remote: 50_000_000_000, outgoing: 0 });
    expect(payment(await bench.send(invoice, { amt: "1000" })).status).toBe("SUCCEEDED");
  });

  test("in_flight holds the payment for a minute, refuses a second one, and then pays", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice({ expirySeconds: 30 });
    bench.fault("send", "in_flight");
    const sending = bench.send(invoice, { amt: "1000" });
    await Bun.sleep(0);
    const again = await bench.send(invoice, { amt: "1000" });
    expect([again.status, again.json[0]?.error]).toMatchObject([409, { code: 6, message: "payment is in transition" }]);
    expect(await bench.balance()).toEqual({ local: 49_998_998_000, remote: 50_000_000_000, outgoing: 1_002_000 });
    bench.world.advance(59);
    expect((await bench.payments())[0]?.status).toBe("IN_FLIGHT");
    // The HTLC was accepted in time, so the invoice's end does not matter any more.
    bench.world.advance(1);
    const paid = payment(await sending);
    expect([paid.status, sha256(paid.payment_preimage)]).toEqual(["SUCCEEDED", paymentHash]);
    expect(await bench.balance()).toEqual({ local: 49_998_998_000, remote: 50_001_002_000, outgoing: 0 });
    expect(bench.peer.wallet.view().balanceSats).toBe(10_001_000);
  });

  test("in_flight ends when and how the detail says", async () => {
    const bench = new Bench();
    const { invoice } = bench.peer.wallet.invoice();
    bench.fault("send", "in_flight", { resolveAfterSeconds: 10, resolve: "failed" });
    const sending = bench.send(invoice, { amt: "1000" });
    await Bun.sleep(0);
    bench.world.advance(10);
    expect(payment(await sending)).toMatchObject({ status: "FAILED", failure_reason: "FAILURE_REASON_TIMEOUT" });
    expect((await bench.balance()).local).toBe(50_000_000_000);
    expect(bench.peer.wallet.view().payments).toEqual([]);
    expect(payment(await bench.send(invoice, { amt: "1000" })).status).toBe("SUCCEEDED");
  });

  test("in_flight with 'never' stays so for a year", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    bench.fault("send", "in_flight", { resolveAfterSeconds: "never" });
    const limit = new AbortController();
    const sending = bench.post(
      "/v2/router/send",
      { payment_request: invoice, amt: "1000", fee_limit_sat: "5", no_inflight_updates: true },
      { signal: limit.signal },
    );
    await Bun.sleep(0);
    expect(bench.world.armed).toBe(0);
    bench.world.advance(31_536_000);
    const request = new Request(`http://node/v2/router/track/${pathHash(paymentHash)}`, { headers: MACAROON });
    const lines = new LineReader(await bench.peer.fetch(request));
    expect(await lines.next()).toMatchObject({ result: { status: "IN_FLIGHT" } });
    await lines.cancel();
    limit.abort(new Error("gave up"));
    await expect(sending).rejects.toThrow("gave up");
  });

  test("in_flight shows itself at once when updates are wanted", async () => {
    const bench = new Bench();
    bench.fault("send", "in_flight");
    const body = { payment_request: bench.peer.wallet.invoice().invoice, amt: "1000", fee_limit_sat: "5" };
    const request = new Request("http://node/v2/router/send", {
      method: "POST",
      headers: MACAROON,
      body: JSON.stringify(body),
    });
    const lines = new LineReader(await bench.peer.fetch(request));
    expect(await lines.next()).toMatchObject({ result: { status: "IN_FLIGHT", htlcs: [] } });
    expect(await lines.next()).toMatchObject({ result: { status: "IN_FLIGHT", htlcs: [{ status: "IN_FLIGHT" }] } });
    bench.world.advance(60);
    expect(await lines.next()).toMatchObject({ result: { status: "SUCCEEDED" } });
    expect(await lines.next()).toBeNull();
  });

  test("wrong_preimage claims success with a preimage that proves nothing; the books stay right", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    bench.fault("send", "wrong_preimage");
    const claimed = payment(await bench.send(invoice, { amt: "1000" }));
    expect(claimed.status).toBe("SUCCEEDED");
    expect(claimed.payment_preimage).toMatch(/^[0-9a-f]{64}$/);
    expect(sha256(claimed.payment_preimage)).not.toBe(paymentHash);
    expect(sha256(payment(await bench.track(paymentHash)).payment_preimage)).toBe(paymentHash);
    expect(bench.peer.wallet.view().balanceSats).toBe(10_001_000);
  });

  test("a lost answer has paid: the status tells, and a second send is refused", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    bench.fault("send", "reset_after");
    await expect(bench.send(invoice, { amt: "1000" })).rejects.toBeInstanceOf(ConnectionReset);
    await Bun.sleep(0);
    expect(sha256(payment(await bench.track(paymentHash)).payment_preimage)).toBe(paymentHash);
    expect((await bench.send(invoice, { amt: "1000" })).status).toBe(409);
  });

  test("a proxy's 404 at tracking is no proof: the payment was made", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    await bench.send(invoice, { amt: "1000" });
    bench.fault("track", "not_found_html");
    const page = await bench.track(paymentHash);
    expect(page.status).toBe(404);
    expect(page.text).not.toContain("payment isn't initiated");
    expect(payment(await bench.track(paymentHash)).status).toBe("SUCCEEDED");
  });
});

describe("faults of subscribing", () => {
  const memos = (reply: Reply) => reply.json.map((line) => (line.result as { memo: string }).memo);

  test("stream_cut ends the stream after the next event", async () => {
    const bench = new Bench();
    const server = serve(bench);
    servers.push(server);
    bench.fault("subscribe", "stream_cut");
    const waiting = fetch(`${server.url}v1/invoices/subscribe`, { headers: MACAROON });
    await until(() => server.pendingRequests === 1, "the client has come");
    await bench.add({ memo: "one", value: "1" });
    await bench.add({ memo: "two", value: "1" });
    expect(memos(await read(await waiting))).toEqual(["one"]);
  });

  test("stream_cut counts the backlog, too", async () => {
    const bench = new Bench();
    for (const memo of ["one", "two", "three"]) await bench.add({ memo, value: "1" });
    bench.fault("subscribe", "stream_cut");
    expect(memos(await bench.get("/v1/invoices/subscribe?add_index=1"))).toEqual(["two"]);
  });

  test("silent_stream never says anything, whatever happens", async () => {
    const bench = new Bench();
    await bench.add();
    bench.fault("subscribe", "silent_stream");
    const limit = new AbortController();
    let answered = false;
    const silent = bench.get("/v1/invoices/subscribe?add_index=1", { signal: limit.signal }).finally(() => {
      answered = true;
    });
    const { bolt11 } = await bench.add();
    await bench.peer.wallet.pay(bolt11);
    await Bun.sleep(5);
    expect(answered).toBe(false);
    limit.abort(new Error("gave up"));
    await expect(silent).rejects.toThrow("gave up");
  });

  test("duplicate_events tells everything twice", async () => {
    const bench = new Bench();
    bench.fault("subscribe", "duplicate_events");
    const waiting = bench.peer.fetch(new Request("http://node/v1/invoices/subscribe", { headers: MACAROON }));
    const { bolt11 } = await bench.add({ memo: "one", value: "1" });
    await bench.peer.wallet.pay(bolt11);
    const lines = new LineReader(await waiting);
    const states: unknown[] = [];
    for (let n = 0; n < 4; n++) states.push((await lines.next())?.result);
    expect(states).toMatchObject([{ state: "OPEN" }, { state: "OPEN" }, { state: "SETTLED" }, { state: "SETTLED" }]);
    await lines.cancel();
  });
});
