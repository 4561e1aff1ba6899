import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import { Bench, LineReader, MACAROON, pathHash, payment, read, START, serve } from "./bench.ts";

const seconds = Math.floor(START / 1000);
const sha256 = (hex: unknown) =>
  createHash("sha256")
    .update(Buffer.from(String(hex), "hex"))
    .digest("hex");

const servers: ReturnType<typeof serve>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A payer's invoice signed with the customer's key, but in ways the wallet never makes one. */
function odd(bench: Bench, over: Partial<Parameters<typeof mintInvoice>[0]>): string {
  const row = bench.books.query("SELECT secret_key FROM ln_keys WHERE name = 'customer'").get() as {
    secret_key: string;
  };
  const secretKey = Uint8Array.from(Buffer.from(row.secret_key, "hex"));
  return mintInvoice({ paymentHash: "cd".repeat(32), timestamp: seconds, secretKey, ...over });
}

describe("sending", () => {
  test("pays an amountless refund: a valid preimage, and the money moves with its fee", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    const reply = await bench.send(invoice, { amt: "1234" });
    expect(reply.status).toBe(200);
    expect(reply.json).toHaveLength(1);
    const paid = payment(reply);
    expect(sha256(paid.payment_preimage)).toBe(paymentHash);
    // 1 sat and 0.1 % of 1,234,000 msat.
    expect(paid).toMatchObject({ status: "SUCCEEDED", fee_msat: "2234", fee_sat: "2", value_sat: "1234" });
    expect(await bench.balance()).toEqual({ local: 49_998_763_766, remote: 50_001_236_234, outgoing: 0 });
    expect(bench.peer.wallet.view()).toEqual({
      balanceSats: 10_001_234,
      payments: [{ paymentHash, amountSats: 1234, direction: "in", settledAt: "2026-03-01T12:00:00.500Z" }],
    });
  });

  test("a payment message has every field of lnrpc.Payment", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    const paid = payment(await bench.send(invoice, { amt: "1000" }));
    const preimage = String(paid.payment_preimage);
    expect(paid).toEqual({
      payment_hash: paymentHash,
      value: "1000",
      creation_date: String(seconds),
      fee: "2",
      payment_preimage: preimage,
      value_sat: "1000",
      value_msat: "1000000",
      payment_request: invoice,
      status: "SUCCEEDED",
      fee_sat: "2",
      fee_msat: "2000",
      creation_time_ns: `${START}000000`,
      htlcs: [
        {
          attempt_id: "1",
          status: "SUCCEEDED",
          route: expect.objectContaining({ total_fees_msat: "2000", total_amt_msat: "1002000" }),
          attempt_time_ns: `${START}000000`,
          resolve_time_ns: `${START}000000`,
          failure: null,
          preimage: Buffer.from(preimage, "hex").toString("base64"),
        },
      ],
      payment_index: "1",
      failure_reason: "FAILURE_REASON_NONE",
      first_hop_custom_records: {},
    });
  });

  test("pays an invoice with an amount when none is given", async () => {
    const bench = new Bench();
    const { invoice } = bench.peer.wallet.invoice({ amountSats: 700 });
    expect(payment(await bench.send(invoice))).toMatchObject({ status: "SUCCEEDED", value_sat: "700" });
  });

  test("shows the payment under way unless told not to", async () => {
    const bench = new Bench();
    const { invoice } = bench.peer.wallet.invoice();
    const { json } = await bench.send(invoice, { amt: "1000", no_inflight_updates: false });
    const states = json.map((line) => line.result as { status: string; payment_preimage: string; htlcs: unknown[] });
    expect(states.map((state) => [state.status, state.htlcs.length])).toEqual([
      ["IN_FLIGHT", 0],
      ["SUCCEEDED", 1],
    ]);
    expect(states[0]?.payment_preimage).toBe("0".repeat(64));
  });

  test("refuses in lnd's words what it will not even start, and forgets it", async () => {
    const bench = new Bench();
    const { wallet } = bench.peer;
    const refusal = async (invoice: string, body: object) => {
      const { status, json } = await bench.send(invoice, { ...body });
      const error = json[0]?.error as { code: number; message: string };
      expect([status, error.code]).toEqual([500, 2]);
      return error.message;
    };
    expect(await refusal(wallet.invoice().invoice, {})).toBe(
      "amount must be specified when paying a zero amount invoice",
    );
    expect(await refusal(wallet.invoice({ amountSats: 5 }).invoice, { amt: "5" })).toBe(
      "amount must not be specified when paying a non-zero amount invoice",
    );
    expect(await refusal(wallet.invoice().invoice, { amt: "5", amt_msat: "5000" })).toBe(
      "sat and msat arguments are mutually exclusive",
    );
    expect(await refusal(wallet.invoice().invoice, { amt: "-5" })).toBe("amount cannot be negative");
    expect(await refusal((await bench.add()).bolt11, {})).toBe("self-payments not allowed");
    expect(await refusal(odd(bench, { paymentSecret: null }), { amt: "5" })).toBe(
      "payment request must contain either a payment address or blinded paths",
    );
    expect(await refusal("nonsense", { amt: "5" })).toBe('prefix should be "ln"');
    const dead = wallet.invoice({ expirySeconds: 60 }).invoice;
    bench.world.advance(61);
    expect(await refusal(dead, { amt: "5" })).toBe("invoice expired. Valid until 2026-03-01 12:01:00 +0000 UTC");
    expect(await bench.payments()).toEqual([]);
    expect((await bench.balance()).local).toBe(50_000_000_000);
  });

  test("never pays one hash twice", async () => {
    const bench = new Bench();
    const { invoice } = bench.peer.wallet.invoice();
    await bench.send(invoice, { amt: "1000" });
    const again = await bench.send(invoice, { amt: "1000" });
    expect([again.status, again.text]).toEqual([
      409,
      '{"error":{"code":6,"message":"invoice is already paid","details":[]}}\n',
    ]);
    const other = await bench.send(invoice, { amt: "999" });
    expect(other.status).toBe(409);
    expect(bench.peer.wallet.view().balanceSats).toBe(10_001_000);
  });

  test("a fee limit of 0, or none, allows zero-fee routes only, of which there are none", async () => {
    const bench = new Bench();
    const { invoice } = bench.peer.wallet.invoice();
    for (const limit of ["0", undefined, "2"]) {
      const failed = payment(await bench.send(invoice, { amt: "1234", fee_limit_sat: limit }));
      expect(failed).toMatchObject({ status: "FAILED", failure_reason: "FAILURE_REASON_NO_ROUTE", htlcs: [] });
    }
    expect(
      payment(await bench.send(invoice, { amt: "1234", fee_limit_sat: undefined, fee_limit_msat: "2234" })),
    ).toMatchObject({
      status: "SUCCEEDED",
      fee_msat: "2234",
    });
  });

  test("keeps to the limit of the route's whole time lock, and refuses one that no route could keep to", async () => {
    const bench = new Bench();
    const { invoice } = bench.peer.wallet.invoice();
    // 80 blocks for the wallet, 80 for the node in the middle.
    expect(payment(await bench.send(invoice, { amt: "1234", cltv_limit: 159 }))).toMatchObject({
      failure_reason: "FAILURE_REASON_NO_ROUTE",
    });
    for (const [limit, words] of [
      [83, "cltv limit 83 should be greater than 83"],
      [2_017, "total time lock of 2017 exceeds max allowed 2016"],
    ] as const) {
      const refused = await bench.send(invoice, { amt: "1234", cltv_limit: limit });
      expect([refused.status, refused.text]).toEqual([500, expect.stringContaining(words)]);
    }
    expect(payment(await bench.send(invoice, { amt: "1234", cltv_limit: 160 }))).toMatchObject({ status: "SUCCEEDED" });
  });

  test("finds no route to a node it does not know", async () => {
    const bench = new Bench();
    const stranger = mintInvoice({ paymentHash: "ab".repeat(32), timestamp: seconds });
    expect(payment(await bench.send(stranger, { amt: "10" }))).toMatchObject({
      status: "FAILED",
      failure_reason: "FAILURE_REASON_NO_ROUTE",
      payment_preimage: "0".repeat(64),
    });
  });

  test("fails for want of balance, and of balance for the fee", async () => {
    const bench = new Bench();
    const limit = { fee_limit_sat: "100000" };
    const { invoice } = bench.peer.wallet.invoice();
    const poor = payment(await bench.send(invoice, { amt: "50000001", ...limit }));
    expect(poor).toMatchObject({ status: "FAILED", failure_reason: "FAILURE_REASON_INSUFFICIENT_BALANCE" });
    const noFee = payment(await bench.send(invoice, { amt: "50000000", ...limit }));
    expect(noFee).toMatchObject({ status: "FAILED", failure_reason: "FAILURE_REASON_NO_ROUTE" });
    expect((await bench.balance()).local).toBe(50_000_000_000);
  });

  test("the wallet turns down an invoice it never made, and one with a wrong secret", async () => {
    const bench = new Bench();
    const { paymentHash } = bench.peer.wallet.invoice();
    for (const invoice of [odd(bench, {}), odd(bench, { paymentHash, paymentSecret: "99".repeat(32) })]) {
      expect(payment(await bench.send(invoice, { amt: "10" }))).toMatchObject({
        status: "FAILED",
        failure_reason: "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS",
      });
    }
  });

  test("the wallet turns down an invoice that only looks unexpired", async () => {
    const bench = new Bench();
    const { paymentHash } = bench.peer.wallet.invoice({ expirySeconds: 60 });
    const { secret } = bench.books.query("SELECT secret FROM ln_wallet_invoices").get() as { secret: string };
    bench.world.advance(61);
    const longer = odd(bench, { paymentHash, paymentSecret: secret, expirySeconds: 3_600 });
    expect(payment(await bench.send(longer, { amt: "10" })).failure_reason).toBe(
      "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS",
    );
  });

  test("a payment that failed may be sent again, under a new index", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    const first = payment(await bench.send(invoice, { amt: "1000", fee_limit_sat: "0" }));
    bench.world.advance(5);
    const second = payment(await bench.send(invoice, { amt: "1000" }));
    expect([first.status, first.payment_index]).toEqual(["FAILED", "1"]);
    expect([second.status, second.payment_index]).toEqual(["SUCCEEDED", "2"]);
    expect(second.creation_date).toBe(String(seconds + 5));
    expect((await bench.payments()).map((row) => row.payment_hash)).toEqual([paymentHash]);
  });

  test("an amount beyond all bitcoin breaks nothing", async () => {
    const bench = new Bench();
    const { status } = await bench.send(bench.peer.wallet.invoice().invoice, { amt: "9007199254740991" });
    expect(status).toBe(500);
    expect(await bench.payments()).toEqual([]);
  });
});

describe("tracking", () => {
  test("a payment that was never sent is 404 with exactly lnd's message", async () => {
    const bench = new Bench();
    const { status, text } = await bench.track("ab".repeat(32));
    expect([status, text]).toEqual([404, '{"error":{"code":5,"message":"payment isn\'t initiated","details":[]}}\n']);
  });

  test("an ended payment is one line", async () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    const sent = await bench.send(invoice, { amt: "1000" });
    expect((await bench.track(paymentHash)).json).toEqual(sent.json);
    const other = bench.peer.wallet.invoice();
    await bench.send(other.invoice, { amt: "1000", fee_limit_sat: "0" });
    expect(payment(await bench.track(other.paymentHash)).status).toBe("FAILED");
  });

  test("what is no hash is refused", async () => {
    const bench = new Bench();
    const { status, json } = await bench.get("/v2/router/track/AAAA");
    expect([status, json[0]?.error]).toMatchObject([500, { code: 2, message: "invalid hash length of 3, want 32" }]);
  });

  test("over a socket, a payment in flight is its state now and its end later", async () => {
    const bench = new Bench();
    const server = serve(bench);
    servers.push(server);
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    bench.fault("send", "in_flight");
    const send = fetch(`${server.url}v2/router/send`, {
      method: "POST",
      headers: MACAROON,
      body: JSON.stringify({ payment_request: invoice, amt: "1000", fee_limit_sat: "5", no_inflight_updates: true }),
    });
    const url = `${server.url}v2/router/track/${pathHash(paymentHash)}`;
    let response = await fetch(url, { headers: MACAROON });
    while (response.status === 404) response = await fetch(url, { headers: MACAROON });
    const lines = new LineReader(response);
    expect(await lines.next()).toMatchObject({ result: { status: "IN_FLIGHT", htlcs: [{ status: "IN_FLIGHT" }] } });
    expect((await bench.balance()).outgoing).toBe(1_002_000);
    bench.world.advance(60);
    expect(await lines.next()).toMatchObject({ result: { status: "SUCCEEDED" } });
    expect(await lines.next()).toBeNull();
    const sent = payment(await read(await send));
    expect(sha256(sent.payment_preimage)).toBe(paymentHash);
  });

  test("over a socket, one line and away: the reader may leave while the payment goes on", async () => {
    const bench = new Bench();
    const server = serve(bench);
    servers.push(server);
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    bench.fault("send", "in_flight");
    const limit = new AbortController();
    const send = bench.send(invoice, { amt: "1000" });
    const response = await fetch(`${server.url}v2/router/track/${pathHash(paymentHash)}`, {
      headers: MACAROON,
      signal: limit.signal,
    });
    const lines = new LineReader(response);
    expect(await lines.next()).toMatchObject({ result: { status: "IN_FLIGHT" } });
    limit.abort();
    bench.world.advance(60);
    expect(payment(await send).status).toBe("SUCCEEDED");
  });
});

describe("listing payments", () => {
  async function three(): Promise<Bench> {
    const bench = new Bench();
    for (const limit of ["20", "0", "20"]) {
      await bench.send(bench.peer.wallet.invoice().invoice, { amt: "10", fee_limit_sat: limit });
      bench.world.advance(10);
    }
    return bench;
  }
  async function indices(bench: Bench, query: string): Promise<unknown[]> {
    const answer = (await bench.get(`/v1/payments?${query}`)).json[0] ?? {};
    return (answer.payments as { payment_index: string }[]).map((row) => row.payment_index);
  }

  test("shows what succeeded, and the rest when asked", async () => {
    const bench = await three();
    expect(await indices(bench, "")).toEqual(["1", "3"]);
    expect(await indices(bench, "include_incomplete=true")).toEqual(["1", "2", "3"]);
  });

  test("pages, filters by date and counts", async () => {
    const bench = await three();
    expect(await indices(bench, "include_incomplete=true&max_payments=1&index_offset=1")).toEqual(["2"]);
    expect(await indices(bench, "include_incomplete=true&max_payments=2&reversed=true")).toEqual(["2", "3"]);
    expect(await indices(bench, `include_incomplete=true&creation_date_start=${seconds + 10}`)).toEqual(["2", "3"]);
    const [answer] = (await bench.get("/v1/payments?count_total_payments=true&max_payments=1")).json;
    expect(answer).toMatchObject({ total_num_payments: "3", first_index_offset: "1", last_index_offset: "1" });
    expect((await bench.get("/v1/payments?creation_date_start=2&creation_date_end=1")).status).toBe(500);
  });
});
