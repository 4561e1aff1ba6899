import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sats } from "../../../actors/order/money.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { createLnd } from "../../../src/lightning/lnd.ts";
import { NodeUnavailable, type Payment } from "../../../src/lightning/port.ts";
import {
  breakingServer,
  FakeLnd,
  failure,
  MACAROON,
  messages,
  openEnded,
  payment,
  streamFailure,
} from "../fake-lnd.ts";

/** Chosen so that its base64 has both characters that differ in the URL-safe alphabet. */
const PREIMAGE = findPreimage();
const HASH = sha256(PREIMAGE);
const REFUND: Payment = {
  bolt11: "lnbcrt1refund",
  paymentHash: HASH,
  amountSats: sats(1234),
  maxFeeSats: sats(7),
  timeoutSeconds: 60,
};
const SUCCEEDED = payment(HASH, { status: "SUCCEEDED", payment_preimage: PREIMAGE, fee_sat: "1", fee_msat: "1500" });
const SUCCESS = { kind: "succeeded", preimage: PREIMAGE, feeMsats: 1500 } as const;
const NEVER = () => streamFailure(404, 5, "payment isn't initiated");
const SEND = "POST /v2/router/send";
const TRACK = "GET /v2/router/track/";

let lnd: FakeLnd;
beforeEach(() => {
  lnd = new FakeLnd();
});
afterEach(() => lnd.stop());

describe("pay", () => {
  test("sends amount, fee limit and timeout in lnd's types, and the macaroon", async () => {
    lnd.on(SEND, () => messages(SUCCEEDED));
    expect(await lnd.node.pay(REFUND)).toEqual(SUCCESS as never);
    expect(lnd.asked).toEqual([
      {
        method: "POST",
        path: "/v2/router/send",
        macaroon: MACAROON,
        body: {
          payment_request: "lnbcrt1refund",
          amt: "1234",
          fee_limit_sat: "7",
          timeout_seconds: 60,
          cltv_limit: 1008,
          no_inflight_updates: false,
        },
      },
    ]);
  });

  test("reads on until the payment is over", async () => {
    const stream = openEnded();
    lnd.on(SEND, () => stream.response);
    const paying = lnd.node.pay(REFUND);
    stream.send(`${JSON.stringify({ result: payment(HASH, { status: "INITIATED" }) })}\n\n`);
    const last = `${JSON.stringify({ result: payment(HASH) })}\n${JSON.stringify({ result: SUCCEEDED })}\n`;
    stream.send(last.slice(0, 700));
    await Bun.sleep(5);
    stream.send(last.slice(700));
    expect(await paying).toEqual(SUCCESS as never);
    await stream.closed;
  });

  const statuses: [string, Record<string, unknown>, object][] = [
    [
      "a preimage of another payment",
      { status: "SUCCEEDED", payment_preimage: "11".repeat(32) },
      { kind: "unknown", reason: "wrong_preimage" },
    ],
    [
      "success without a preimage",
      { status: "SUCCEEDED", payment_preimage: "" },
      { kind: "unknown", reason: "wrong_preimage" },
    ],
    ["success with zeros for a preimage", { status: "SUCCEEDED" }, { kind: "unknown", reason: "wrong_preimage" }],
    [
      "success with an unreadable fee",
      { status: "SUCCEEDED", payment_preimage: PREIMAGE, fee_msat: "-1" },
      { kind: "unknown", reason: "malformed_answer" },
    ],
    [
      "another payment",
      { payment_hash: "00".repeat(32), status: "FAILED" },
      { kind: "unknown", reason: "wrong_payment" },
    ],
    ["no payment hash", { payment_hash: undefined, status: "FAILED" }, { kind: "unknown", reason: "wrong_payment" }],
    ["a status of no meaning", { status: "UNKNOWN" }, { kind: "unknown", reason: "unexpected_status" }],
    ["no status", { status: undefined }, { kind: "unknown", reason: "unexpected_status" }],
    ["only that it is out", { status: "IN_FLIGHT" }, { kind: "in_flight" }],
    ["only that it was begun", { status: "INITIATED" }, { kind: "in_flight" }],
    ["timeout", { status: "FAILED", failure_reason: "FAILURE_REASON_TIMEOUT" }, { kind: "failed", reason: "timeout" }],
    [
      "no route",
      { status: "FAILED", failure_reason: "FAILURE_REASON_NO_ROUTE" },
      { kind: "failed", reason: "no_route" },
    ],
    ["an error", { status: "FAILED", failure_reason: "FAILURE_REASON_ERROR" }, { kind: "failed", reason: "error" }],
    [
      "wrong details",
      { status: "FAILED", failure_reason: "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS" },
      { kind: "failed", reason: "incorrect_payment_details" },
    ],
    [
      "too little balance",
      { status: "FAILED", failure_reason: "FAILURE_REASON_INSUFFICIENT_BALANCE" },
      { kind: "failed", reason: "insufficient_balance" },
    ],
    [
      "a cancel",
      { status: "FAILED", failure_reason: "FAILURE_REASON_CANCELED" },
      { kind: "failed", reason: "canceled" },
    ],
    ["a failure without reason", { status: "FAILED" }, { kind: "failed", reason: "unspecified" }],
  ];
  for (const [what, answer, expected] of statuses) {
    test(`an answer with ${what} means ${JSON.stringify(expected)}`, async () => {
      lnd.on(SEND, () => messages(payment(HASH, answer)));
      expect(await lnd.node.pay(REFUND)).toEqual(expected as never);
    });
    test(`a look-up with ${what} means the same`, async () => {
      lnd.on(TRACK, () => messages(payment(HASH, answer), SUCCEEDED));
      expect(await lnd.node.lookupPayment(HASH)).toEqual(expected as never);
    });
  }

  const duplicates: [string, () => Response, object][] = [
    ["invoice is already paid", () => messages(SUCCEEDED), SUCCESS],
    [
      "invoice is already paid",
      () => messages(payment(HASH, { status: "SUCCEEDED" })),
      { kind: "unknown", reason: "wrong_preimage" },
    ],
    [
      "invoice is already paid",
      () => failure(503, 14, "unavailable"),
      { kind: "unknown", reason: "refused_unconfirmed" },
    ],
    ["payment is in transition", () => messages(payment(HASH)), { kind: "in_flight" }],
    ["payment is in transition", () => failure(503, 14, "unavailable"), { kind: "in_flight" }],
    ["payment is in transition", () => messages(SUCCEEDED), SUCCESS],
    [
      "payment is in transition",
      () => messages(payment(HASH, { status: "FAILED", failure_reason: "FAILURE_REASON_NO_ROUTE" })),
      { kind: "failed", reason: "no_route" },
    ],
    ["payment already exists", () => messages(payment(HASH, { status: "INITIATED" })), { kind: "in_flight" }],
    ["payment already exists", () => failure(500, 2, "boom"), { kind: "in_flight" }],
    ["payment already exists", NEVER, { kind: "unknown", reason: "contradiction" }],
  ];
  duplicates.forEach(([message, track, expected], index) => {
    test(`409 "${message}" is settled by a look-up: ${JSON.stringify(expected)} (${index})`, async () => {
      lnd.on(SEND, () => streamFailure(409, 6, message));
      lnd.on(TRACK, track);
      expect(await lnd.node.pay(REFUND)).toEqual(expected as never);
      expect(lnd.asked.map(({ method }) => method)).toEqual(["POST", "GET"]);
    });
  });

  test("409 in other words, and a node that cannot be asked, is not a payment that the node has", async () => {
    // It would be taken for one that the node has forgotten later, and never be repeated.
    lnd.on(SEND, () => new Response("<html>Conflict</html>", { status: 409 }));
    lnd.on(TRACK, () => failure(503, 14, "unavailable"));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "unknown", reason: "refused_unconfirmed" });
    lnd.on(SEND, () => streamFailure(409, 6, "payment is in transition"));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "in_flight" });
  });

  test("a payment with hundreds of attempts behind it is still read", async () => {
    const attempt = {
      status: "FAILED",
      route: { hops: Array.from({ length: 8 }, () => ({ pub_key: "02".repeat(33) })) },
    };
    const htlcs = Array.from({ length: 9_000 }, () => attempt);
    lnd.on(TRACK, () => messages({ ...payment(HASH, { status: "FAILED" }), htlcs }));
    expect(await lnd.node.lookupPayment(HASH)).toMatchObject({ kind: "failed" });
  });

  const refusals: [string, string][] = [
    ["invoice expired. Valid until 2023-11-14 22:13:20 +0000 UTC", "invoice_expired"],
    ["self-payments not allowed", "self_payment"],
    ["amount must be specified when paying a zero amount invoice", "amount_missing"],
    ["amount must not be specified when paying a non-zero amount invoice", "amount_not_allowed"],
    ["payment request must contain either a payment address or blinded paths", "invalid_invoice"],
    ["invoice not for current active network 'mainnet'", "wrong_network"],
    ["the AMP flag (--amp or SendPaymentRequest.Amp) must be set to pay an AMP invoice", "unsupported_invoice"],
    ["cltv limit 2016 should be greater than 2019", "time_lock_too_long"],
    ["total time lock of 1008 exceeds max allowed 800", "time_lock_not_allowed"],
  ];
  for (const [message, reason] of refusals) {
    test(`500 "${message}" is a failure once the node says that nothing is out`, async () => {
      lnd.on(SEND, () => streamFailure(500, 2, message));
      lnd.on(TRACK, NEVER);
      expect(await lnd.node.pay(REFUND)).toEqual({ kind: "failed", reason });
      lnd.on(TRACK, () => messages(payment(HASH, { status: "FAILED" })));
      expect(await lnd.node.pay(REFUND)).toEqual({ kind: "failed", reason });
    });
  }

  test("a refusal says nothing about an earlier attempt that is still out, or was paid", async () => {
    // lnd checks the expiry before it looks for a payment of the same hash.
    lnd.on(SEND, () => streamFailure(500, 2, "invoice expired. Valid until 2023-11-14 22:13:20 +0000 UTC"));
    lnd.on(TRACK, () => messages(payment(HASH)));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "in_flight" });
    lnd.on(TRACK, () => messages(SUCCEEDED));
    expect(await lnd.node.pay(REFUND)).toEqual(SUCCESS as never);
    lnd.on(TRACK, () => failure(503, 14, "unavailable"));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "unknown", reason: "refused_unconfirmed" });
  });

  const statusCodes: [number, number, string][] = [
    [400, 3, "proto: syntax error"],
    [400, 9, "failed precondition"],
    [401, 16, "verification failed: signature mismatch"],
    [403, 7, "permission denied"],
    [404, 5, "Not Found"],
    [429, 8, "too many"],
    [500, 2, "unable to find a path"],
    [500, 13, "internal"],
    [501, 12, "Method Not Allowed"],
    [503, 14, "the RPC server is in the process of starting up"],
    [504, 4, "context deadline exceeded"],
  ];
  for (const [status, code, message] of statusCodes) {
    test(`HTTP ${status} "${message}" proves nothing, in either shape of an error`, async () => {
      for (const answer of [failure, streamFailure]) {
        lnd.on(SEND, () => answer(status, code, message));
        expect(await lnd.node.pay(REFUND)).toEqual({ kind: "unknown", reason: `refused_http_${status}` });
      }
      expect(lnd.paths().every((path) => path === SEND)).toBe(true);
    });
  }

  test("a proxy's page, an empty stream and a line that is no JSON prove nothing", async () => {
    lnd.on(SEND, () => new Response("<html>Bad gateway</html>", { status: 502 }));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "unknown", reason: "refused_http_502" });
    lnd.on(SEND, () => messages());
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "unknown", reason: "no_answer" });
    lnd.on(SEND, () => new Response("<html>Hello</html>\n"));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "unknown", reason: "answer_lost_network" });
    lnd.on(SEND, () => Response.redirect("http://127.0.0.1:1/", 302));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "unknown", reason: "refused_http_302" });
  });

  test("an error after the first message leaves the payment out", async () => {
    const lines = [
      { result: payment(HASH) },
      { error: { code: 2, message: "self-payments not allowed", details: [] } },
    ];
    lnd.on(SEND, () => new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));
    expect(await lnd.node.pay(REFUND)).toEqual({ kind: "in_flight" });
    expect(lnd.paths()).toEqual([SEND]);
  });

  test("a line without end is given up, not swallowed", async () => {
    const stream = openEnded();
    lnd.on(SEND, () => stream.response);
    const paying = lnd.node.pay(REFUND);
    for (let sent = 0; sent < 17; sent++) stream.send("x".repeat(1024 * 1024));
    expect(await paying).toEqual({ kind: "unknown", reason: "answer_lost_too_large" });
  });

  test("a silent node is waited for 15 s longer than the payment's own timeout, then nothing is known", async () => {
    const stream = openEnded();
    lnd.on(SEND, () => stream.response);
    const begun = lnd.world.now();
    const paying = lnd.node.pay(REFUND);
    while (lnd.asked.length === 0) await Bun.sleep(1);
    expect((lnd.world.nextDue() ?? 0) - begun).toBeGreaterThanOrEqual(75_000);
    lnd.world.jump(begun + 74_000);
    expect(await Promise.race([paying, Bun.sleep(20).then(() => "waiting" as const)])).toBe("waiting");
    lnd.world.jump(begun + 75_500);
    expect(await paying).toEqual({ kind: "unknown", reason: "answer_lost_timeout" });
    await stream.closed;
  });

  test("a payment that is held when the wait is over is in flight", async () => {
    const stream = openEnded();
    lnd.on(SEND, () => stream.response);
    const paying = lnd.node.pay(REFUND);
    stream.send(`${JSON.stringify({ result: payment(HASH) })}\n`);
    await Bun.sleep(20);
    lnd.world.jump(lnd.world.now() + 76_000);
    expect(await paying).toEqual({ kind: "in_flight" });
  });

  test("a held payment does not hold a steered clock", async () => {
    const stream = openEnded();
    lnd.on(SEND, () => stream.response);
    const paying = lnd.node.pay(REFUND);
    stream.send(`${JSON.stringify({ result: payment(HASH) })}\n`);
    expect(lnd.world.busy()).toEqual(["lightning payment"]);
    expect(await lnd.world.drained(2_000)).toEqual([]);
    stream.end();
    await paying;
    expect(lnd.world.nextDue()).toBeNull();
  });
});

describe("pay over a connection that breaks", () => {
  const cases: [string, string, object][] = [
    ["before an answer", "", { kind: "unknown", reason: "answer_lost_network" }],
    [
      "in the first line",
      `${head()}20\r\n{"result":{"payment_hash":"00000\r\n`,
      { kind: "unknown", reason: "answer_lost_network" },
    ],
    [
      "after the payment went out",
      `${head()}${chunk(`${JSON.stringify({ result: payment(HASH) })}\n`)}`,
      { kind: "in_flight" },
    ],
  ];
  for (const [when, bytes, expected] of cases) {
    test(`${when}: ${JSON.stringify(expected)}, and it is not sent again`, async () => {
      const server = await breakingServer(bytes);
      const node = createLnd({ world: new RealWorld(), baseUrl: server.url, macaroonHex: MACAROON });
      expect(await node.pay(REFUND)).toEqual(expected as never);
      expect(server.requests()).toBe(1);
      await server.stop();
    });
  }

  test("that cannot be opened: unknown", async () => {
    const server = await breakingServer("");
    await server.stop();
    const node = createLnd({ world: new RealWorld(), baseUrl: server.url, macaroonHex: MACAROON });
    expect(await node.pay(REFUND)).toEqual({ kind: "unknown", reason: "answer_lost_network" });
    await expect(node.lookupPayment(HASH)).rejects.toThrow(NodeUnavailable);
  });
});

describe("look-up of a payment", () => {
  test("asks for the hash in URL-safe base64 with padding, and reads one line of a stream that stays open", async () => {
    const stream = openEnded();
    lnd.on(TRACK, () => stream.response);
    const asking = lnd.node.lookupPayment(HASH);
    stream.send(`${JSON.stringify({ result: payment(HASH) })}\n`);
    expect(await asking).toEqual({ kind: "in_flight" });
    await stream.closed;
    const path = lnd.asked[0]?.path ?? "";
    const text = decodeURIComponent(path.slice("/v2/router/track/".length, path.indexOf("?")));
    expect(text).toMatch(/^[A-Za-z0-9_-]{43}=$/);
    expect(text).toMatch(/-.*_|_.*-/);
    expect(Buffer.from(text, "base64url").toString("hex")).toBe(HASH);
    expect(path).toEndWith("?no_inflight_updates=false");
  });

  test("finds the proof of a success", async () => {
    lnd.on(TRACK, () => messages(SUCCEEDED));
    expect(await lnd.node.lookupPayment(HASH)).toEqual(SUCCESS as never);
  });

  test("only lnd's own words prove that a payment was never sent", async () => {
    lnd.on(TRACK, NEVER);
    expect(await lnd.node.lookupPayment(HASH)).toEqual({ kind: "never_sent" });
    const others = [
      streamFailure(404, 5, "Not Found"),
      streamFailure(404, 2, "payment isn't initiated"),
      streamFailure(500, 5, "payment isn't initiated"),
      failure(404, 5, "payment isn't initiated (proxy)"),
      new Response("Not Found", { status: 404 }),
      new Response("payment isn't initiated", { status: 404 }),
      streamFailure(403, 7, "permission denied"),
      messages(),
      new Response(`${JSON.stringify({ error: { code: 5, message: "payment isn't initiated" } })}\n`),
    ];
    for (const answer of others) {
      lnd.on(TRACK, () => answer);
      await expect(lnd.node.lookupPayment(HASH)).rejects.toThrow(NodeUnavailable);
    }
  });

  test("an answer that does not come is not waited for longer than 15 s", async () => {
    const stream = openEnded();
    lnd.on(TRACK, () => stream.response);
    const asking = lnd.node.lookupPayment(HASH);
    asking.catch(() => {});
    while (lnd.asked.length === 0) await Bun.sleep(1);
    lnd.world.jump(lnd.world.now() + 15_000);
    await expect(asking).rejects.toThrow("Lightning node unavailable: TrackPaymentV2: timeout");
  });

  test("what the node says never gets into an error", async () => {
    lnd.on(TRACK, () => streamFailure(500, 2, `secret lnbcrt1 ${PREIMAGE}`));
    const error = await lnd.node.lookupPayment(HASH).catch((thrown: unknown) => thrown);
    expect(String(error)).toBe("NodeUnavailable: Lightning node unavailable: TrackPaymentV2: HTTP 500, code 2");
  });
});

test.each([
  "wallet locked, unlock it to enable full RPC access",
  "the RPC server is in the process of starting up, but not yet ready to accept calls",
  "waiting to start, RPC services not available",
])("a node that looks at no macaroon yet (%s) says nothing of its rights", async (message) => {
  lnd.on(SEND, () => streamFailure(500, 2, message));
  await expect(lnd.node.mayPay()).rejects.toThrow(NodeUnavailable);
  lnd.on(SEND, () => streamFailure(500, 2, "invalid vertex length of 0, want 33"));
  expect(await lnd.node.mayPay()).toEqual({ ok: true });
});

function sha256(hex: string): string {
  return createHash("sha256").update(Buffer.from(hex, "hex")).digest("hex");
}

function findPreimage(): string {
  for (let number = 0; ; number++) {
    const preimage = number.toString(16).padStart(64, "0");
    const text = Buffer.from(sha256(preimage), "hex").toString("base64");
    if (text.includes("+") && text.includes("/")) return preimage;
  }
}

function head(): string {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}
