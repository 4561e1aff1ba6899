import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sats } from "../../../actors/order/money.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { createCln } from "../../../src/lightning/cln.ts";
import { type LightningNode, NodeUnavailable, type Payment } from "../../../src/lightning/port.ts";
import { ScriptedServer } from "../scripted.ts";

const PREIMAGE = "77".repeat(32);
const HASH = createHash("sha256").update(Buffer.from(PREIMAGE, "hex")).digest("hex");
const PAYMENT: Payment = {
  bolt11: "lnbcrt1refund",
  paymentHash: HASH,
  amountSats: sats(1_234),
  maxFeeSats: sats(7),
  timeoutSeconds: 60,
};

let server: ScriptedServer;
let node: LightningNode;
beforeEach(() => {
  server = new ScriptedServer();
  node = createCln({ world: new RealWorld(), baseUrl: `${server.url}/`, rune: "a-rune" });
});
afterEach(() => server.stop());

const created = (body: unknown): Response => Response.json(body, { status: 201 });
const failed = (code: number | null, status = 500): Response =>
  Response.json({ code, message: `${PREIMAGE} of somebody`, data: null }, { status });
const pay = (status: string, more: object = {}): object => ({
  payment_hash: HASH,
  status,
  created_at: 1_700_000_000,
  ...more,
});
const COMPLETE = pay("complete", { preimage: PREIMAGE, amount_msat: 1_234_000, amount_sent_msat: 1_236_000 });
const SUCCEEDED = { kind: "succeeded", preimage: PREIMAGE, feeMsats: 2_000 };

describe("xpay", () => {
  test("gets exact amount, fee limit and time limit, all in the node's units", async () => {
    server.on("POST /v1/xpay", () =>
      created({ payment_preimage: PREIMAGE, amount_msat: 1_234_000, amount_sent_msat: 1_236_000, failed_parts: 0 }),
    );
    expect(await node.pay(PAYMENT)).toEqual(SUCCEEDED as never);
    const [asked] = server.asked;
    expect(asked?.what).toBe("POST /v1/xpay");
    expect(asked?.headers.get("rune")).toBe("a-rune");
    expect(JSON.parse(asked?.text ?? "")).toEqual({
      invstring: "lnbcrt1refund",
      amount_msat: 1_234_000,
      maxfee: 7_000,
      retry_for: 60,
    });
  });

  const books: [what: string, pays: object[]][] = [
    ["nothing", []],
    ["a failure", [pay("failed")]],
    ["a part that is out", [pay("failed"), pay("pending")]],
    ["a success", [pay("failed"), COMPLETE]],
    ["a success without proof", [pay("complete", { preimage: "00".repeat(32), amount_sent_msat: 1 })]],
  ];
  const definite: [code: number, status: number, reason: string][] = [
    [203, 500, "incorrect_payment_details"],
    [205, 500, "no_route"],
    [207, 500, "invoice_expired"],
    [215, 500, "insufficient_balance"],
    [1501, 403, "not_permitted"],
    [1502, 401, "not_permitted"],
    [-32601, 404, "unsupported"],
    [-32602, 500, "invalid_request"],
  ];
  for (const [what, pays] of books) {
    test(`code by code, with ${what} in the books of the node`, async () => {
      server.on("POST /v1/listpays", () => created({ pays }));
      const inBooks = {
        nothing: null,
        "a failure": null,
        "a part that is out": { kind: "in_flight" },
        "a success": SUCCEEDED,
        "a success without proof": { kind: "unknown", reason: "wrong_preimage" },
      }[what];
      for (const [code, status, reason] of definite) {
        server.on("POST /v1/xpay", () => failed(code, status));
        expect([code, await node.pay(PAYMENT)]).toEqual([code, (inBooks ?? { kind: "failed", reason }) as never]);
      }
      // Whatever else it says, the payment may be out although the books do not show it yet.
      for (const code of [-1, -3, -4, 200, 204, 206, 209, 210, 219, 12_345, null]) {
        server.on("POST /v1/xpay", () => failed(code));
        const unknown = { kind: "unknown", reason: `code_${code ?? "none"}` };
        expect([code, await node.pay(PAYMENT)]).toEqual([code, (inBooks ?? unknown) as never]);
      }
    });
  }

  test("when the books cannot be read nothing is known", async () => {
    server.on("POST /v1/xpay", () => failed(205));
    for (const broken of [
      () => failed(null),
      () => created({ pays: {} }),
      () => created({ pays: [pay("odd")] }),
      () => created([]),
    ]) {
      server.on("POST /v1/listpays", broken);
      expect(await node.pay(PAYMENT)).toEqual({ kind: "unknown", reason: "refused_unconfirmed" });
    }
  });

  test("HTTP 200 is not success, and no half answer is", async () => {
    server.on("POST /v1/listpays", () => created({ pays: [] }));
    for (const answer of [
      () => Response.json({ payment_preimage: PREIMAGE, amount_msat: 1, amount_sent_msat: 1 }),
      () => new Response("<html>", { status: 201 }),
      () => new Response("", { status: 201 }),
      () => created({ payment_preimage: PREIMAGE }),
      () => created({ payment_preimage: "78".repeat(32), amount_msat: 1, amount_sent_msat: 1 }),
    ]) {
      server.on("POST /v1/xpay", answer);
      expect((await node.pay(PAYMENT)).kind).toBe("unknown");
    }
  });

  test("is sent once, whatever happens to the connection", async () => {
    server.on("POST /v1/xpay", () => {
      return new Response(new ReadableStream({ start: (controller) => controller.error() }));
    });
    expect((await node.pay(PAYMENT)).kind).toBe("unknown");
    expect(server.asked.filter(({ what }) => what === "POST /v1/xpay")).toHaveLength(1);
  });
});

describe("listpays", () => {
  test("a payment whose arrived amount is not known has no fee, but has arrived", async () => {
    const { amount_msat: _, ...without } = COMPLETE as { amount_msat: number };
    server.on("POST /v1/listpays", () => created({ pays: [without] }));
    expect(await node.lookupPayment(HASH)).toEqual({ ...SUCCEEDED, feeMsats: 0 } as never);
  });

  test("a failure is the end only when the node cannot try again: it may be between two tries of an xpay that nobody listens to", async () => {
    const ago = (minutes: number) => pay("failed", { created_at: Math.floor(Date.now() / 1_000) - minutes * 60 });
    const mayGoOn = { kind: "unknown", reason: "may_go_on" };
    const books = (...pays: object[]) => server.on("POST /v1/listpays", () => created({ pays }));
    books(ago(0));
    expect(await node.lookupPayment(HASH)).toEqual(mayGoOn as never);
    const [listed] = (await node.history?.paid(0)) ?? [];
    expect(listed?.state).toEqual(mayGoOn as never);
    books(ago(30), ago(1));
    expect(await node.lookupPayment(HASH)).toEqual(mayGoOn as never);
    books(ago(30), ago(3));
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });

    // It said itself that it is over.
    books(ago(0));
    server.on("POST /v1/xpay", () => failed(205));
    expect(await node.pay(PAYMENT)).toEqual({ kind: "failed", reason: "no_route" });
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });
    // The next one did not.
    server.on("POST /v1/xpay", () => new Response("", { status: 201 }));
    expect((await node.pay(PAYMENT)).kind).toBe("unknown");
    expect(await node.lookupPayment(HASH)).toEqual(mayGoOn as never);
  });

  test("a refund that failed every hour for a year is known to have failed", async () => {
    const pays = Array.from({ length: 8_900 }, () => pay("failed", { bolt11: `lnbcrt1${"q".repeat(1_000)}` }));
    server.on("POST /v1/listpays", () => created({ pays }));
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });
    server.on("POST /v1/listpays", () => created({ pays: [...pays, pay("pending")] }));
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
  });

  test("amounts are read with their unit as well", async () => {
    const old = { ...COMPLETE, amount_msat: "1234000msat", amount_sent_msat: "1236000msat" };
    server.on("POST /v1/listpays", () => created({ pays: [old] }));
    expect(await node.lookupPayment(HASH)).toEqual(SUCCEEDED as never);
  });

  test("somebody else's payment in the answer is no answer", async () => {
    server.on("POST /v1/listpays", () => created({ pays: [{ ...COMPLETE, payment_hash: "ab".repeat(32) }] }));
    await expect(node.lookupPayment(HASH)).rejects.toThrow(NodeUnavailable);
  });

  test("what the node says never gets into an error", async () => {
    server.on("POST /v1/listpays", () => failed(-1));
    await expect(node.lookupPayment(HASH)).rejects.toThrow("listpays: HTTP 500, code -1");
    const error = await node.lookupPayment(HASH).catch((reason: Error) => reason);
    expect(JSON.stringify([String(error), (error as Error).stack])).not.toContain(PREIMAGE);
  });
});

describe("whether the rune may pay", () => {
  test.each([
    ["a rune without xpay", () => failed(1502, 401), "xpay"],
    ["no rune", () => failed(1501, 403), "xpay"],
    ["a node before 24.11", () => failed(-32601, 404), "24.11"],
  ] as const)("%s: no", async (_, answer, word) => {
    server.on("POST /v1/xpay", answer);
    const may = await node.mayPay();
    expect(may.ok ? "" : may.reason).toContain(word);
    // Nothing to pay was in the question.
    expect(server.asked.at(-1)?.text).toBe("{}");
  });

  test("a complaint about the missing invoice: yes; anything else is not known", async () => {
    server.on("POST /v1/xpay", () => failed(-32602));
    expect(await node.mayPay()).toEqual({ ok: true });
    server.on("POST /v1/xpay", () => failed(-4));
    await expect(node.mayPay()).rejects.toThrow(NodeUnavailable);
  });
});
