import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sats } from "../../../actors/order/money.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { createPhoenixd } from "../../../src/lightning/phoenixd.ts";
import { type LightningNode, NodeUnavailable, type Payment } from "../../../src/lightning/port.ts";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import { ScriptedServer } from "../scripted.ts";

const PREIMAGE = "77".repeat(32);
const HASH = createHash("sha256").update(Buffer.from(PREIMAGE, "hex")).digest("hex");
const NODE_ID = `02${"5".repeat(64)}`;
const BOOKS = `GET /payments/outgoingbyhash/${HASH}`;
const PAYMENT: Payment = {
  bolt11: "lnbcrt1refund",
  paymentHash: HASH,
  amountSats: sats(5_000),
  maxFeeSats: sats(24),
  timeoutSeconds: 60,
};

let server: ScriptedServer;
let world: RealWorld;
let node: LightningNode;
beforeEach(() => {
  server = new ScriptedServer();
  world = new RealWorld();
  node = createPhoenixd({ world, baseUrl: `${server.url}/`, password: "pass:word" });
  server.on("GET /getinfo", () => Response.json({ nodeId: NODE_ID, channels: [], chain: "regtest", blockHeight: 1 }));
});
afterEach(() => server.stop());

const text = (status: number, body: string) => () => new Response(body, { status });
const json = (body: unknown) => () => Response.json(body);
const notFound = text(404, "Not found");
const SENT = {
  recipientAmountSat: 5_000,
  routingFeeSat: 24,
  paymentId: "1",
  paymentHash: HASH,
  paymentPreimage: PREIMAGE,
};
const PAID = {
  paymentHash: HASH,
  preimage: PREIMAGE,
  isPaid: true,
  sent: 5_024,
  fees: 24_000,
  completedAt: 2,
  createdAt: 1,
};
const { completedAt: _, preimage: __, ...OPEN } = { ...PAID, isPaid: false };
const FAILED = { ...OPEN, completedAt: 2 };
const SUCCEEDED = { kind: "succeeded", preimage: PREIMAGE, feeMsats: 24_000 };

describe("payinvoice", () => {
  test("is a form with the amount, under a password without a name", async () => {
    server.on("POST /payinvoice", json(SENT));
    server.on(BOOKS, json(PAID));
    expect(await node.pay(PAYMENT)).toEqual(SUCCEEDED as never);
    const asked = server.asked[0];
    expect(asked?.text).toBe("invoice=lnbcrt1refund&amountSat=5000");
    expect(asked?.headers.get("content-type")).toBe("application/x-www-form-urlencoded");
    expect(asked?.headers.get("authorization")).toBe(`Basic ${Buffer.from(":pass:word").toString("base64")}`);
  });

  test("the fee comes from the books, in msats, and from the answer where they cannot be read", async () => {
    server.on("POST /payinvoice", json({ ...SENT, routingFeeSat: 21 }));
    server.on(BOOKS, json({ ...PAID, fees: 21_284 }));
    expect(await node.pay(PAYMENT)).toMatchObject({ feeMsats: 21_284 });
    server.on(BOOKS, text(500, ""));
    expect(await node.pay(PAYMENT)).toMatchObject({ feeMsats: 21_000 });
  });

  test("is not even sent when the fee, which is known, is above the limit", async () => {
    server.on(BOOKS, notFound);
    expect(await node.pay({ ...PAYMENT, maxFeeSats: sats(23) })).toEqual({ kind: "failed", reason: "fee_above_limit" });
    expect(server.asked.map(({ what }) => what)).toEqual([BOOKS]);
    // What was sent before goes on.
    server.on(BOOKS, json(OPEN));
    expect(await node.pay({ ...PAYMENT, maxFeeSats: sats(23) })).toEqual({ kind: "in_flight" });
  });

  const books: [what: string, answer: () => Response, state: object | null][] = [
    ["nothing", notFound, null],
    ["a failure", json(FAILED), null],
    ["one that is out", json(OPEN), { kind: "in_flight" }],
    ["a success", json(PAID), SUCCEEDED],
    [
      "a success without proof",
      json({ ...PAID, preimage: "00".repeat(32) }),
      { kind: "unknown", reason: "wrong_preimage" },
    ],
  ];
  const answers: [what: string, answer: () => Response, otherwise: object][] = [
    [
      "200, no funds",
      json({ paymentHash: HASH, reason: "not enough funds in wallet to afford payment" }),
      { kind: "failed", reason: "insufficient_balance" },
    ],
    [
      "200, rejected",
      json({ paymentHash: HASH, reason: "recipient node rejected the payment" }),
      { kind: "failed", reason: "incorrect_payment_details" },
    ],
    [
      "200, words of a stranger",
      json({ paymentHash: HASH, reason: `secret ${PREIMAGE}` }),
      { kind: "failed", reason: "failed" },
    ],
    [
      "200, already paid",
      json({ paymentHash: HASH, reason: "this invoice has already been paid" }),
      { kind: "unknown", reason: "contradiction" },
    ],
    [
      "200, in progress",
      json({ paymentHash: HASH, reason: "another payment is in progress for that invoice" }),
      { kind: "unknown", reason: "contradiction" },
    ],
    ["400", text(400, "Request parameter invoice couldn't be parsed"), { kind: "failed", reason: "invalid_request" }],
    ["401", text(401, "Invalid authentication"), { kind: "failed", reason: "not_permitted" }],
  ];
  for (const [what, books_, state] of books) {
    test(`answer by answer, with ${what} in the books`, async () => {
      server.on(BOOKS, books_);
      for (const [answered, answer, otherwise] of answers) {
        server.on("POST /payinvoice", answer);
        expect([answered, await node.pay(PAYMENT)]).toEqual([answered, (state ?? otherwise) as never]);
      }
    });
  }

  test("anything else is unknown: an error after the send, a proxy, half an answer, another payment", async () => {
    server.on(BOOKS, notFound);
    for (const answer of [
      text(500, ""),
      text(404, "Unknown endpoint (check api doc)"),
      text(502, "<html>"),
      text(200, ""),
      text(200, '{"paymentHash":"'),
      json({}),
      json([]),
      json({ paymentHash: HASH }),
      json({ paymentHash: "ab".repeat(32), reason: "not enough funds" }),
      json({ ...SENT, paymentHash: "ab".repeat(32) }),
      json({ ...SENT, paymentPreimage: "00".repeat(32) }),
    ]) {
      server.on("POST /payinvoice", answer);
      expect((await node.pay(PAYMENT)).kind).toBe("unknown");
    }
  });

  test("is sent once, whatever happens to the connection", async () => {
    server.on(BOOKS, notFound);
    server.on("POST /payinvoice", () => new Response(new ReadableStream({ start: (stream) => stream.error() })));
    expect((await node.pay(PAYMENT)).kind).toBe("unknown");
    expect(server.asked.filter(({ what }) => what === "POST /payinvoice")).toHaveLength(1);
  });
});

describe("the books of what was sent", () => {
  test("only phoenixd's own word proves that nothing was: 404 with two words, or 204 in newer versions", async () => {
    for (const nothing of [notFound, () => new Response(null, { status: 204 })]) {
      server.on(BOOKS, nothing);
      expect(await node.lookupPayment(HASH)).toEqual({ kind: "never_sent" });
    }
    for (const answer of [
      text(404, "Unknown endpoint (check api doc)"),
      text(404, "<html><title>404 Not Found</title></html>"),
      text(404, ""),
      text(401, "Not found"),
      text(200, "Not found"),
      json(null),
      json({ ...OPEN, paymentHash: "ab".repeat(32) }),
      json({ paymentHash: HASH }),
    ]) {
      server.on(BOOKS, answer);
      expect(await node.lookupPayment(HASH).catch((error: Error) => error.name)).toBe("NodeUnavailable" as never);
    }
  });

  test("a payment that has no end yet is out, although the field is missing and not null", async () => {
    server.on(BOOKS, json(OPEN));
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
    server.on(BOOKS, json(FAILED));
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });
  });
});

describe("invoices", () => {
  const INVOICE = `GET /payments/incoming/${HASH}`;
  const WANTED = { key: "order-1", amountSats: sats(1_234), description: "number", expirySeconds: 300 };
  const bolt11 = mintInvoice({ paymentHash: HASH, timestamp: 1_700_000_000, amountMsat: 1_234_000 });
  const incoming = (more: object = {}) => ({
    paymentHash: HASH,
    preimage: PREIMAGE,
    externalId: "l402-numbers:order-1",
    invoice: bolt11,
    isPaid: false,
    isExpired: false,
    requestedSat: 1_234,
    receivedSat: 0,
    fees: 0,
    expiresAt: world.now() + 300_000,
    createdAt: world.now(),
    ...more,
  });

  test("carry our own name", async () => {
    server.on("POST /createinvoice", json({ amountSat: 1_234, paymentHash: HASH, serialized: bolt11 }));
    expect((await node.createInvoice(WANTED)).bolt11).toBe(bolt11);
    const form = new URLSearchParams(server.asked.at(-1)?.text);
    expect(Object.fromEntries(form)).toEqual({
      amountSat: "1234",
      description: "number",
      expirySeconds: "300",
      externalId: "l402-numbers:order-1",
    });
  });

  test("of another name are not taken for ours, where the node does not know the filter", async () => {
    server.on("POST /createinvoice", text(200, '{"paymentHash":"'));
    for (const found of [[incoming({ externalId: "theirs" })], [incoming({ isPaid: true })], []]) {
      server.on("GET /payments/incoming?", json(found));
      await expect(node.createInvoice(WANTED)).rejects.toThrow(NodeUnavailable);
    }
    server.on("GET /payments/incoming?", json([incoming({ externalId: "theirs" }), incoming()]));
    expect((await node.createInvoice(WANTED)).bolt11).toBe(bolt11);
  });

  test("a refused request is not looked for", async () => {
    server.on("POST /createinvoice", text(400, "too long"));
    await expect(node.createInvoice(WANTED)).rejects.toThrow("createinvoice: HTTP 400");
    expect(server.asked.some(({ what }) => what.startsWith("GET /payments"))).toBe(false);
  });

  test("that are paid were paid in full, whatever the node kept back for a channel", async () => {
    const settledAt = world.now();
    server.on(INVOICE, json(incoming({ isPaid: true, receivedSat: 900, fees: 334_000, completedAt: settledAt })));
    expect(await node.lookupInvoice(HASH)).toEqual({
      kind: "settled",
      settlement: { paymentHash: HASH, settledAt, receivedMsats: 1_234_000 as never },
    });
    server.on(INVOICE, json(incoming({ isPaid: true, receivedSat: 2_000, completedAt: settledAt })));
    expect(await node.lookupInvoice(HASH)).toMatchObject({ settlement: { receivedMsats: 2_000_000 } });
  });

  test("that expired are surely unpaid only when what was held would have settled", async () => {
    server.on(INVOICE, json(incoming({ isExpired: true, expiresAt: world.now() - 599_000 })));
    expect(await node.cancelInvoice(HASH)).toEqual({ kind: "open" });
    server.on(INVOICE, json(incoming({ isExpired: true, expiresAt: world.now() - 601_000 })));
    expect(await node.cancelInvoice(HASH)).toEqual({ kind: "dead" });
    // Purged.
    server.on(INVOICE, notFound);
    expect(await node.cancelInvoice(HASH)).toEqual({ kind: "missing" });
  });

  test("answers that make no sense are no answers", async () => {
    for (const odd of [{ isPaid: "yes" }, { isExpired: null }, { paymentHash: "ab".repeat(32) }, { isPaid: true }]) {
      server.on(INVOICE, json(incoming(odd)));
      await expect(node.lookupInvoice(HASH)).rejects.toThrow("malformed answer");
    }
  });
});

describe("the node", () => {
  test("balance and liquidity", async () => {
    server.on("GET /getbalance", json({ balanceSat: 700, feeCreditSat: 30 }));
    const channels = [
      { state: "Normal", inboundLiquiditySat: 5 },
      { state: "WaitForOpenChannel" },
      { inboundLiquiditySat: 6 },
    ];
    server.on("GET /getinfo", json({ nodeId: NODE_ID, channels, chain: "mainnet", blockHeight: 1 }));
    expect(await node.balance()).toEqual({ outboundSats: sats(700), inboundSats: sats(11) });
    expect(await node.info()).toMatchObject({ pubkey: NODE_ID, network: "bc", synced: true });
    server.on("GET /getinfo", json({ nodeId: NODE_ID, channels, chain: "mainnet" }));
    expect((await node.info()).synced).toBe(false);
  });

  test("a password of limited access may not pay", async () => {
    server.on("POST /payinvoice", text(401, "Invalid authentication"));
    const may = await node.mayPay();
    expect(may.ok ? "" : may.reason).toContain("http-password");
    server.on("POST /payinvoice", text(400, "Request parameter invoice is missing"));
    expect(await node.mayPay()).toEqual({ ok: true });
    expect(server.asked.at(-1)?.text).toBe("");
    server.on("POST /payinvoice", text(502, "<html>"));
    await expect(node.mayPay()).rejects.toThrow(NodeUnavailable);
  });

  test("the fee cap of refunds is what its peer takes", () => {
    expect(node.traits.feeCap).toEqual({ leastSats: 0, baseSats: 4, ppm: 4_000 });
    expect(node.traits).toMatchObject({ feeLimit: "adapter", timeLimit: false });
  });
});

describe("the past", () => {
  const nth = (n: number) => n.toString(16).padStart(64, "0");
  /** Pages of a list, by its offset. */
  const pages = (path: string, rows: readonly (readonly object[])[]) =>
    server.on(`GET ${path}`, ({ what }) => {
      const offset = Number(new URL(what.slice(4), server.url).searchParams.get("offset"));
      return Response.json(rows[offset / 100] ?? []);
    });

  test("of settlements is read on after a page from which on-chain deposits were taken out", async () => {
    const settled = (n: number) => ({ paymentHash: nth(n), isPaid: true, receivedSat: n, completedAt: 1_000 + n });
    const full = Array.from({ length: 99 }, (_, n) => settled(n + 1));
    pages("/payments/incoming", [full, [settled(500)]]);
    const told = await node.settledSince(0);
    expect(told).toHaveLength(100);
    expect(told.at(-1)).toEqual({ paymentHash: nth(500), settledAt: 1_500, receivedMsats: 500_000 as never });
  });

  test("of payments leaves out what is none, and says what arrived", async () => {
    const splice = { subType: "splice_out", isPaid: true, sent: 9_000, fees: 5_000, createdAt: 3, txId: nth(7) };
    pages("/payments/outgoing", [[PAID, splice], [{ ...OPEN, paymentHash: nth(2), fees: 0 }]]);
    expect(await node.history?.paid(0)).toEqual([
      { paymentHash: HASH, bolt11: null, startedAt: 1, amountMsats: 5_000_000, state: SUCCEEDED },
      { paymentHash: nth(2), bolt11: null, startedAt: 1, amountMsats: 5_024_000, state: { kind: "in_flight" } },
    ] as never);
    server.on("GET /payments/outgoing?", json([{ ...PAID, sent: "many" }]));
    expect(await node.history?.paid(0).catch((error: Error) => error.name)).toBe("NodeUnavailable" as never);
  });
});
