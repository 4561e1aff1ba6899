import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sats } from "../../../actors/order/money.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { readInvoice } from "../../../src/lightning/bolt11.ts";
import { createLnd } from "../../../src/lightning/lnd.ts";
import { NodeUnavailable, type Settlement } from "../../../src/lightning/port.ts";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import {
  ampInvoice,
  base64,
  breakingServer,
  FakeLnd,
  failure,
  INFO,
  invoice,
  json,
  MACAROON,
  messages,
  openEnded,
  settled,
  streamFailure,
} from "../fake-lnd.ts";

const HASH = "fb".repeat(32);
const hash = (number: number) => number.toString(16).padStart(64, "0");

let lnd: FakeLnd;
beforeEach(() => {
  lnd = new FakeLnd();
});
afterEach(() => lnd.stop());

/** The error's text, which goes to logs. */
const failing = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "did not fail",
    (error: unknown) => (error instanceof NodeUnavailable ? error.message : `not NodeUnavailable: ${error}`),
  );

describe("create", () => {
  const WANTED = { key: "order", amountSats: sats(1234), description: "number", expirySeconds: 300 };
  const mint = (more: Partial<Parameters<typeof mintInvoice>[0]> = {}) =>
    mintInvoice({ paymentHash: HASH, timestamp: 1_700_000_000, amountMsat: 1_234_000, ...more });
  const payeeOf = (bolt11: string): string => {
    const read = readInvoice(bolt11, "bcrt");
    if (!read.ok) throw new Error(read.reason);
    return read.facts.payee;
  };
  const answer = (bolt11: unknown, rHash: unknown = base64(HASH)) => ({
    r_hash: rHash,
    payment_request: bolt11,
    add_index: "7",
    payment_addr: base64("5e".repeat(32)),
  });

  test("asks for value, memo and expiry as text, and gives back what the node signed", async () => {
    const bolt11 = mint();
    lnd.on("POST /v1/invoices", () => json(answer(bolt11)));
    expect(await lnd.node.createInvoice(WANTED)).toEqual({ bolt11, paymentHash: HASH, node: payeeOf(bolt11) });
    await lnd.node.createInvoice(WANTED);
    expect(lnd.paths()).toEqual(["GET /v1/getinfo", "POST /v1/invoices", "POST /v1/invoices"]);
    expect(lnd.asked[1]).toEqual({
      method: "POST",
      path: "/v1/invoices",
      macaroon: MACAROON,
      body: {
        value: "1234",
        memo: "number",
        expiry: "300",
        r_preimage: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
      },
    });
  });

  test("one whose answer was lost is asked for by the hash of the preimage that was sent, and only if it is open", async () => {
    for (const [state, expected] of [
      ["OPEN", "found"],
      ["CANCELED", "AddInvoice: network"],
    ]) {
      let bolt11 = "";
      lnd.on("POST /v1/invoices", ({ body }) => {
        const { r_preimage } = body as { r_preimage: string };
        const paymentHash = new Bun.CryptoHasher("sha256").update(Buffer.from(r_preimage, "base64")).digest("hex");
        bolt11 = mint({ paymentHash });
        lnd.on(`GET /v1/invoice/${paymentHash}`, () => json(invoice(paymentHash, { payment_request: bolt11, state })));
        return new Response('{"r_hash":"');
      });
      const made = lnd.node.createInvoice(WANTED);
      if (expected === "found") expect((await made).bolt11).toBe(bolt11);
      else expect(await failing(made)).toContain(String(expected));
    }
  });

  const wrong: [string, unknown, string][] = [
    ["of another hash", answer(mint(), base64("aa".repeat(32))), "another payment hash"],
    ["of another amount", answer(mint({ amountMsat: 1_235_000 })), "another amount"],
    ["of some millisats more", answer(mint({ amountMsat: 1_234_001 })), "another amount"],
    ["without amount", answer(mint({ amountMsat: null })), "another amount"],
    ["of another network", answer(mint({ network: "bc" })), "refused (wrong_network)"],
    ["that is damaged", answer(`${mint()}q`), "refused (bad_checksum)"],
    ["without an invoice", answer(undefined), "malformed answer"],
    ["with its hash in hex", answer(mint(), HASH), "malformed answer"],
  ];
  for (const [what, body, text] of wrong) {
    test(`an answer ${what} is not handed to a customer`, async () => {
      lnd.on("POST /v1/invoices", () => json(body));
      expect(await failing(lnd.node.createInvoice(WANTED))).toContain(text);
    });
  }
});

describe("errors of unary calls", () => {
  const errors: [number, number, string][] = [
    [400, 3, "invalid"],
    [401, 16, "verification failed"],
    [403, 7, "permission denied"],
    [404, 5, "Not Found"],
    [409, 6, "already exists"],
    [429, 8, "too many"],
    [500, 2, "boom"],
    [500, 13, "internal"],
    [503, 14, "wallet locked, unlock it to enable full RPC access"],
    [504, 4, "deadline exceeded"],
  ];
  for (const [status, code, message] of errors) {
    test(`HTTP ${status} makes the node unavailable and names the call, not the words of the node`, async () => {
      lnd.on("", () => failure(status, code, message));
      const text = (what: string) => `Lightning node unavailable: ${what}: HTTP ${status}, code ${code}`;
      expect(await failing(lnd.node.info())).toBe(text("GetInfo"));
      expect(await failing(lnd.node.balance())).toBe(text("ChannelBalance"));
      expect(await failing(lnd.node.lookupInvoice(HASH))).toBe(text("LookupInvoice"));
      expect(await failing(lnd.node.cancelInvoice(HASH))).toBe(text("LookupInvoice"));
      expect(await failing(lnd.node.settledSince(0))).toBe(text("ListInvoices"));
      expect(
        await failing(lnd.node.createInvoice({ key: "order", amountSats: sats(1), description: "", expirySeconds: 1 })),
      ).toBe(text("GetInfo"));
    });
  }

  test("no JSON, no object and no connection alike", async () => {
    for (const text of ["", "null", "[]", "<html>"]) {
      lnd.on("GET /v1/getinfo", () => new Response(text));
      expect(await failing(lnd.node.info())).toBe("Lightning node unavailable: GetInfo: network");
    }
    const server = await breakingServer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    const node = createLnd({ world: new RealWorld(), baseUrl: server.url, macaroonHex: MACAROON });
    expect(await failing(node.info())).toBe("Lightning node unavailable: GetInfo: network");
    await server.stop();
  });
});

describe("info and balance", () => {
  test("says who the node is", async () => {
    expect(await lnd.node.info()).toEqual({
      pubkey: INFO.identity_pubkey,
      network: "bcrt",
      alias: "shop",
      synced: true,
    });
  });

  const networks = { mainnet: "bc", testnet: "tb", testnet4: "tb", signet: "tbs", regtest: "bcrt" } as const;
  for (const [name, prefix] of Object.entries(networks)) {
    test(`${name} has invoices with ln${prefix}`, async () => {
      lnd.on("GET /v1/getinfo", () => json({ ...INFO, chains: [{ chain: "bitcoin", network: name }] }));
      expect((await lnd.node.info()).network).toBe(prefix);
    });
  }

  test("an unknown network, no chain and no key are no identity", async () => {
    const odd = [
      { chains: [{ chain: "bitcoin", network: "simnet" }] },
      { chains: [] },
      { identity_pubkey: "" },
      { chains: null },
    ];
    for (const more of odd) {
      lnd.on("GET /v1/getinfo", () => json({ ...INFO, ...more }));
      expect(await failing(lnd.node.info())).toStartWith("Lightning node unavailable: GetInfo: ");
    }
  });

  test("reads the balances of both sides", async () => {
    const amount = (sat: string) => ({ sat, msat: `${sat}000` });
    lnd.on("GET /v1/balance/channels", () =>
      json({ balance: "1", pending_open_balance: "2", local_balance: amount("5000000"), remote_balance: amount("0") }),
    );
    expect(await lnd.node.balance()).toEqual({ outboundSats: sats(5_000_000), inboundSats: sats(0) });
    lnd.on("GET /v1/balance/channels", () => json({ local_balance: { sat: 5 }, remote_balance: amount("0") }));
    expect(await failing(lnd.node.balance())).toContain("malformed");
    lnd.on("GET /v1/balance/channels", () =>
      json({ local_balance: amount("9000000000000000"), remote_balance: amount("0") }),
    );
    expect(await failing(lnd.node.balance())).toContain("malformed");
  });

  test("a macaroon that is not hex is a mistake of the operator", () => {
    expect(() => createLnd({ world: new RealWorld(), baseUrl: "http://x", macaroonHex: "AgED" })).toThrow(RangeError);
  });

  test("the node's own certificate is trusted on calls and on streams, and only streams may be silent", async () => {
    const seen: unknown[] = [];
    const world = new RealWorld(0, (_url, options) => {
      seen.push({ tls: options?.tls, timeout: options?.timeout, redirect: options?.redirect });
      return Promise.resolve(streamFailure(404, 5, "payment isn't initiated"));
    });
    const node = createLnd({ world, baseUrl: "https://x", macaroonHex: MACAROON, tlsCa: "PEM" });
    await failing(node.info());
    await node.lookupPayment(HASH);
    expect(seen).toEqual([
      { tls: { ca: "PEM" }, timeout: undefined, redirect: "manual" },
      { tls: { ca: "PEM" }, timeout: false, redirect: "manual" },
    ]);
  });
});

describe("look-up and cancel", () => {
  const LOOKUP = `GET /v1/invoice/${HASH}`;
  const CANCEL = "POST /v2/invoices/cancel";
  const SETTLED = {
    kind: "settled",
    settlement: { paymentHash: HASH, settledAt: 1_700_000_100_000, receivedMsats: 1_234_567 },
  } as const;

  const states: [string, () => Response, object | string][] = [
    ["open", () => json(invoice(HASH)), { kind: "open" }],
    ["held while its parts arrive", () => json(invoice(HASH, { state: "ACCEPTED" })), { kind: "open" }],
    ["cancelled or expired", () => json(invoice(HASH, { state: "CANCELED" })), { kind: "dead" }],
    ["settled", () => json(settled(HASH, 4)), SETTLED],
    ["unknown", () => failure(404, 5, "unable to locate invoice"), { kind: "missing" }],
    ["unknown to a new node", () => failure(404, 5, "there are no existing invoices"), { kind: "missing" }],
    ["behind a proxy that does not know the path", () => failure(404, 5, "Not Found"), "HTTP 404"],
    ["of another hash", () => json(invoice("aa".repeat(32))), "malformed"],
    ["of a new state", () => json(invoice(HASH, { state: "FROZEN" })), "malformed"],
    ["settled at no time", () => json({ ...settled(HASH, 4), settle_date: "0" }), "malformed"],
    ["settled with an unreadable amount", () => json({ ...settled(HASH, 4), amt_paid_msat: 5 }), "malformed"],
    ["settled with more than numbers hold", () => json(settled(HASH, 4, 1, "9223372036854775807")), "malformed"],
  ];
  for (const [what, answer, expected] of states) {
    test(`an invoice that is ${what}: ${JSON.stringify(expected)}`, async () => {
      lnd.on(LOOKUP, answer);
      if (typeof expected === "string") expect(await failing(lnd.node.lookupInvoice(HASH))).toContain(expected);
      else expect(await lnd.node.lookupInvoice(HASH)).toEqual(expected as never);
    });
  }

  test("a cancel names the hash in standard base64 and is answered with the state afterwards", async () => {
    lnd.on(CANCEL, () => json({}));
    lnd.on(LOOKUP, () => json(invoice(HASH, { state: "CANCELED" })));
    expect(await lnd.node.cancelInvoice(HASH)).toEqual({ kind: "dead" });
    expect(lnd.asked[0]?.body).toEqual({ payment_hash: base64(HASH) });
    expect(lnd.paths()).toEqual([CANCEL, LOOKUP]);
  });

  const cancels: [string, () => Response, () => Response, object | string][] = [
    ["a payment came first", () => failure(500, 2, "invoice already settled"), () => json(settled(HASH, 4)), SETTLED],
    [
      "it was cancelled before",
      () => failure(500, 2, "invoice already canceled"),
      () => json(invoice(HASH, { state: "CANCELED" })),
      { kind: "dead" },
    ],
    [
      "the node forgets cancelled invoices",
      () => json({}),
      () => failure(404, 5, "unable to locate invoice"),
      { kind: "dead" },
    ],
    [
      "the node never had it",
      () => failure(500, 2, "unable to locate invoice"),
      () => failure(404, 5, "unable to locate invoice"),
      { kind: "missing" },
    ],
    [
      "the node refused",
      () => failure(403, 7, "permission denied"),
      () => json(invoice(HASH)),
      "CancelInvoice: HTTP 403",
    ],
    ["a payment is just arriving", () => json({}), () => json(invoice(HASH, { state: "ACCEPTED" })), { kind: "open" }],
    ["the look-up fails", () => json({}), () => failure(503, 14, "gone"), "LookupInvoice: HTTP 503"],
  ];
  for (const [when, cancel, lookup, expected] of cancels) {
    test(`a cancel when ${when}: ${JSON.stringify(expected)}`, async () => {
      lnd.on(CANCEL, cancel);
      lnd.on(LOOKUP, lookup);
      if (typeof expected === "string") expect(await failing(lnd.node.cancelInvoice(HASH))).toContain(expected);
      else expect(await lnd.node.cancelInvoice(HASH)).toEqual(expected as never);
    });
  }
});

describe("stream of settlements", () => {
  const SUBSCRIBE = "GET /v1/invoices/subscribe";
  const line = (message: unknown) => `${JSON.stringify({ result: message })}\n`;
  const collect = async (cursor: string | null, signal = new AbortController().signal) => {
    const got: { settlement: Settlement; cursor: string }[] = [];
    const error = await failing(
      (async () => {
        for await (const item of lnd.node.settlements(cursor, signal)) got.push(item);
      })(),
    );
    return { got, error };
  };

  test("hands over settled invoices only, each with the index to go on from", async () => {
    lnd.on(SUBSCRIBE, () =>
      messages(
        invoice(hash(1)),
        settled(hash(2), 3),
        invoice(hash(3), { state: "CANCELED" }),
        invoice(hash(4), { state: "ACCEPTED" }),
        settled(hash(5), 4, 1_700_000_200, "999"),
      ),
    );
    expect(await collect("2")).toEqual({
      got: [
        { settlement: { paymentHash: hash(2), settledAt: 1_700_000_100_000, receivedMsats: 1_234_567 }, cursor: "3" },
        { settlement: { paymentHash: hash(5), settledAt: 1_700_000_200_000, receivedMsats: 999 }, cursor: "4" },
      ] as never,
      error: "Lightning node unavailable: SubscribeInvoices: the stream ended",
    });
    expect(lnd.paths()).toEqual([`${SUBSCRIBE}?settle_index=2`]);
  });

  test("an AMP invoice, which is never ours, holds nobody up", async () => {
    // Paid again and again, and made up by a payer; both as lnd writes them (CreateRPCInvoice).
    lnd.on(SUBSCRIBE, () => messages(ampInvoice(hash(8)), ampInvoice(null), settled(hash(2), 5)));
    expect((await collect("3")).got.map(({ cursor }) => cursor)).toEqual(["5"]);
  });

  test("a cursor never goes back", async () => {
    lnd.on(SUBSCRIBE, () => messages(settled(hash(1), 9), settled(hash(2), 8)));
    expect((await collect("7")).got.map(({ cursor }) => cursor)).toEqual(["9", "9"]);
  });

  test("without a cursor, or with 0, there is no backlog to ask for", async () => {
    lnd.on(SUBSCRIBE, () => messages());
    await collect(null);
    await collect("0");
    expect(lnd.paths()).toEqual([SUBSCRIBE, SUBSCRIBE]);
  });

  test("a cursor of another kind of node is a bug, not an outage", async () => {
    expect((await collect("abc")).error).toContain("not NodeUnavailable: RangeError");
  });

  test("lives until it is aborted, then ends quietly and closes the connection", async () => {
    const stream = openEnded();
    lnd.on(SUBSCRIBE, () => stream.response);
    const stop = new AbortController();
    const collecting = collect(null, stop.signal);
    stream.send(line(settled(hash(1), 1)));
    await Bun.sleep(10);
    // Silence keeps no clock waiting.
    expect([lnd.world.busy(), lnd.world.nextDue()]).toEqual([[], null]);
    stop.abort();
    expect(await collecting).toMatchObject({ got: [{ cursor: "1" }], error: "did not fail" });
    await stream.closed;
  });

  test("can be aborted while lnd has not even sent headers", async () => {
    lnd.on(
      SUBSCRIBE,
      (_asked, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(messages()))),
    );
    const stop = new AbortController();
    const collecting = collect("5", stop.signal);
    while (lnd.asked.length === 0) await Bun.sleep(1);
    stop.abort();
    expect(await collecting).toEqual({ got: [], error: "did not fail" });
    const aborted = new AbortController();
    aborted.abort();
    expect(await collect("5", aborted.signal)).toEqual({ got: [], error: "did not fail" });
  });

  const broken: [string, () => Response, string][] = [
    ["an error in place of the first message", () => streamFailure(403, 7, "permission denied"), "HTTP 403, code 7"],
    [
      "an error line",
      () => new Response(line(invoice(hash(1))) + JSON.stringify({ error: { code: 14, message: "shutting down" } })),
      "HTTP 200, code 14",
    ],
    ["a line that is no JSON", () => new Response("hello\n"), "network"],
    ["half a line", () => new Response(line(settled(hash(1), 1)).slice(0, 50)), "network"],
    ["a line without end", () => new Response("x".repeat(16 * 1024 * 1024 + 1)), "too_large"],
    ["a settlement without index", () => messages({ ...settled(hash(1), 1), settle_index: null }), "malformed"],
    ["a settlement without hash", () => messages({ ...settled(hash(1), 1), r_hash: "" }), "malformed"],
  ];
  for (const [what, answer, text] of broken) {
    test(`${what} ends it`, async () => {
      lnd.on(SUBSCRIBE, answer);
      const { got, error } = await collect("1");
      expect(got).toEqual([]);
      expect(error).toContain(`SubscribeInvoices: ${text}`.replace("SubscribeInvoices: malformed", "malformed"));
    });
  }

  test("a connection that breaks ends it after what came before", async () => {
    const text = line(settled(hash(1), 5));
    const server = await breakingServer(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n`,
    );
    const node = createLnd({ world: new RealWorld(), baseUrl: server.url, macaroonHex: MACAROON });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { cursor } of node.settlements("4", new AbortController().signal)) seen.push(cursor);
    })();
    expect(await failing(reading)).toBe("Lightning node unavailable: SubscribeInvoices: network");
    expect(seen).toEqual(["5"]);
    await server.stop();
  });

  test("a payer who pays in hundreds of parts, with as much in each as fits, holds nobody up", async () => {
    const part = { state: "SETTLED", amt_msat: "1000", custom_records: { "65537": "A".repeat(1_600) } };
    const long = { ...settled(hash(1), 4), htlcs: Array.from({ length: 966 }, () => part) };
    lnd.on(SUBSCRIBE, () => messages(long, settled(hash(2), 5)));
    expect((await collect("3")).got.map(({ cursor }) => cursor)).toEqual(["4", "5"]);
    lnd.on("GET /v1/invoice/", () => Response.json({ ...long, htlcs: [...long.htlcs, ...long.htlcs, ...long.htlcs] }));
    expect(await lnd.node.lookupInvoice(hash(1))).toMatchObject({ kind: "settled" });
  });

  test("many lines in odd pieces are read whole and in order", async () => {
    const stream = openEnded();
    lnd.on(SUBSCRIBE, () => stream.response);
    const collecting = collect("0");
    const text = Array.from({ length: 50 }, (_, index) =>
      line({ ...settled(hash(index), index + 1), memo: "Größe 🙂" }),
    ).join("");
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 997) {
      stream.send(bytes.subarray(at, at + 997));
    }
    stream.end();
    expect((await collecting).got.map(({ cursor }) => cursor)).toEqual(
      Array.from({ length: 50 }, (_, index) => String(index + 1)),
    );
  });
});

describe("settlements of the past", () => {
  const LIST = "GET /v1/invoices?";
  const NOW = 1_700_000_000;
  const page = (invoices: unknown[], first = 0, last = 0) =>
    json({ invoices, last_index_offset: String(last), first_index_offset: String(first) });

  test("asks for a quarter of an hour before, and keeps what settled since, to the second", async () => {
    lnd.on(LIST, () =>
      page(
        [settled(hash(1), 1, NOW - 1), settled(hash(2), 2, NOW), invoice(hash(3)), settled(hash(4), 3, NOW + 5)],
        1,
        4,
      ),
    );
    const found = await lnd.node.settledSince(NOW * 1000 + 900);
    expect(found.map(({ paymentHash }) => paymentHash)).toEqual([hash(2), hash(4)]);
    expect(lnd.paths()).toEqual([
      `${LIST}reversed=true&num_max_invoices=200&creation_date_start=${NOW - 900}&index_offset=0`,
    ]);
  });

  test("leaves AMP invoices out, which are never ours", async () => {
    lnd.on(LIST, () => json({ invoices: [ampInvoice(hash(8)), ampInvoice(null), settled(hash(2), 5)] }));
    expect(await lnd.node.settledSince(1_700_000_000_000)).toMatchObject([{ paymentHash: hash(2) }]);
  });

  test("turns pages backwards until one is not full", async () => {
    const all = Array.from({ length: 450 }, (_, index) => settled(hash(index + 1), index + 1, NOW));
    lnd.on(LIST, ({ path }) => {
      const offset = Number(new URLSearchParams(path.slice(path.indexOf("?"))).get("index_offset"));
      const end = offset === 0 ? all.length : offset - 1;
      const start = Math.max(0, end - 200);
      return page(all.slice(start, end), start + 1, end);
    });
    const found = await lnd.node.settledSince(NOW * 1000);
    expect(new Set(found.map(({ paymentHash }) => paymentHash)).size).toBe(450);
    expect(lnd.asked.map(({ path }) => path.slice(path.indexOf("index_offset")))).toEqual([
      "index_offset=0",
      "index_offset=251",
      "index_offset=51",
    ]);
  });

  test("asks for fewer at a time where payers of hundreds of parts make a page too long", async () => {
    const part = { state: "SETTLED", amt_msat: "1000", custom_records: { "65537": "A".repeat(1_600) } };
    const htlcs = Array.from({ length: 966 }, () => part);
    const all = Array.from({ length: 15 }, (_, index) => ({ ...settled(hash(index + 1), index + 1, NOW), htlcs }));
    lnd.on(LIST, ({ path }) => {
      const query = new URLSearchParams(path.slice(path.indexOf("?")));
      const offset = Number(query.get("index_offset"));
      const end = offset === 0 ? all.length : offset - 1;
      const start = Math.max(0, end - Number(query.get("num_max_invoices")));
      return page(all.slice(start, end), start + 1, end);
    });
    const found = await lnd.node.settledSince(NOW * 1000);
    expect(found.map(({ paymentHash }) => paymentHash).sort()).toEqual(all.map((_, index) => hash(index + 1)));
  });

  test("a full page that starts with the first invoice is the last one", async () => {
    lnd.on(LIST, () =>
      page(
        Array.from({ length: 200 }, (_, index) => settled(hash(index), index + 1, NOW)),
        1,
        200,
      ),
    );
    expect(await lnd.node.settledSince(NOW * 1000)).toHaveLength(200);
    expect(lnd.asked).toHaveLength(1);
  });

  test("pages that run in circles, or no list at all, are an error and not an endless loop", async () => {
    const full = Array.from({ length: 200 }, (_, index) => invoice(hash(index)));
    lnd.on(LIST, () => page(full, 500, 700));
    expect(await failing(lnd.node.settledSince(NOW * 1000))).toContain("malformed");
    lnd.on(LIST, () => page(full, 0, 0));
    expect(await failing(lnd.node.settledSince(NOW * 1000))).toContain("malformed");
    for (const invoices of [null, "x", [null], [settled(hash(1), 1, 0)]]) {
      lnd.on(LIST, () => json({ invoices, first_index_offset: "1" }));
      expect(await failing(lnd.node.settledSince(0))).toContain("malformed");
    }
  });

  test("more invoices than any look back should meet are refused, not cut off", async () => {
    let first = 1_000_000;
    const full = JSON.stringify(Array.from({ length: 200 }, () => ({ state: "OPEN" })));
    lnd.on(LIST, () => {
      first -= 200;
      return new Response(`{"invoices":${full},"first_index_offset":"${first}"}`);
    });
    expect(await failing(lnd.node.settledSince(NOW * 1000))).toContain("more than 100000 invoices");
  });

  test("the beginning of time is a look back at everything", async () => {
    lnd.on(LIST, () => page([]));
    expect(await lnd.node.settledSince(0)).toEqual([]);
    expect(lnd.paths()[0]).toContain("creation_date_start=1&");
  });
});
