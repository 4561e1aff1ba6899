/**
 * Whatever a Lightning node answers, the adapter says one of its port's outcomes, or that the node is unavailable. Above all it never says
 * that a payment succeeded without a preimage that proves it, or that it failed because nonsense came.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { sats } from "../../../actors/order/money.ts";
import { createCln } from "../../../src/lightning/cln.ts";
import { createLnd } from "../../../src/lightning/lnd.ts";
import { MemoryOutbox } from "../../../src/lightning/outbox.ts";
import { createPhoenixd } from "../../../src/lightning/phoenixd.ts";
import { type LightningNode, NodeUnavailable, type PaymentState } from "../../../src/lightning/port.ts";
import { createNode, loopbackNode } from "../../../src/node.ts";
import { NODE_KINDS, type NodeKind } from "../../../src/sandbox/lightning/peer.ts";
import { BASE, type Bend, bend, bentPeers, bentText, runs } from "./bent.ts";

const HASH = /^[0-9a-f]{64}$/;
const isAmount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 8.64e15;

const CREATE: Readonly<Record<NodeKind, (world: ReturnType<typeof bentPeers>["world"]) => LightningNode>> = {
  lnd: (world) => createLnd({ world, baseUrl: BASE, macaroonHex: "00" }),
  cln: (world) => createCln({ world, baseUrl: BASE, rune: "A".repeat(44) }),
  phoenixd: (world) => createPhoenixd({ world, baseUrl: BASE, password: "password" }),
  nwc: (world) => createNode(world, loopbackNode("nwc", BASE), new MemoryOutbox()),
};
/** Every message of a wallet costs signatures on both sides. */
const cases = (kind: NodeKind, wanted: number) => runs(kind === "nwc" ? Math.ceil(wanted / 6) : wanted);

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function node(kind: NodeKind, bends: readonly Bend[]) {
  const peers = bentPeers(bends, kind);
  stops.push(peers.stop);
  return { ...peers, node: CREATE[kind](peers.world) };
}

/** The value, or null when the adapter says that nothing is known. Any other error is a defect. */
async function known<T>(asking: Promise<T>): Promise<T | null> {
  try {
    return await asking;
  } catch (error) {
    if (!(error instanceof NodeUnavailable)) throw error;
    expect(error.message.length).toBeLessThan(200);
    return null;
  }
}

function judgePayment(state: PaymentState, hash: string): void {
  expect(["succeeded", "failed", "in_flight", "unknown", "never_sent"]).toContain(state.kind);
  if (state.kind === "succeeded") {
    expect(bytesToHex(sha256(hexToBytes(state.preimage)))).toBe(hash);
    expect(isAmount(state.feeMsats)).toBe(true);
  }
  if (state.kind === "failed" || state.kind === "unknown") expect(state.reason).toMatch(/^[\w-]{1,60}$/);
}

describe.each(NODE_KINDS)("%s", (kind) => {
  test("says who it is, what it can send and what it was paid, or that it cannot be asked", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bend, { minLength: 1, maxLength: 10 }), async (bends) => {
        const { node: at, lightning, world } = node(kind, bends);
        const info = await known(at.info());
        if (info) {
          expect(["bc", "tb", "tbs", "bcrt"]).toContain(info.network);
          expect(info.pubkey).toMatch(kind === "nwc" ? /^nwc:[0-9a-f]{64}:[0-9a-f]{64}$/ : /^0[23][0-9a-f]{64}$/);
          expect(typeof info.alias).toBe("string");
        }
        const balance = await known(at.balance());
        if (balance) expect(isAmount(balance.outboundSats)).toBe(true);
        if (balance) expect(kind === "nwc" ? balance.inboundSats === null : isAmount(balance.inboundSats)).toBe(true);
        const made = await known(
          at.createInvoice({ key: "order:1", amountSats: sats(812), description: "x", expirySeconds: 300 }),
        );
        if (made) {
          expect(made.paymentHash).toMatch(HASH);
          expect(made.bolt11).toMatch(/^ln[a-z0-9]{100,2046}$/);
          lightning.wallet.pay(made.bolt11).catch(() => {});
        }
        const hash = made?.paymentHash ?? "5a".repeat(32);
        for (const state of [await known(at.lookupInvoice(hash)), await known(at.cancelInvoice(hash))]) {
          if (!state) continue;
          expect(["open", "settled", "dead", "missing"]).toContain(state.kind);
          if (state.kind !== "settled") continue;
          expect(state.settlement.paymentHash).toMatch(HASH);
          expect([isTime(state.settlement.settledAt), isAmount(state.settlement.receivedMsats)]).toEqual([true, true]);
        }
        const list = await known(at.settledSince(world.now() - 60_000));
        for (const { paymentHash, settledAt, receivedMsats } of list ?? []) {
          expect(paymentHash).toMatch(HASH);
          expect([isTime(settledAt), isAmount(receivedMsats)]).toEqual([true, true]);
        }
      }),
      cases(kind, 150),
    );
  }, 60_000);

  test("says of a payment only what it proved", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bend, { minLength: 1, maxLength: 8 }), fc.boolean(), async (bends, again) => {
        const { node: at, lightning } = node(kind, bends);
        const { invoice: bolt11, paymentHash } = lightning.wallet.invoice({ expirySeconds: 7_200 });
        const payment = { bolt11, paymentHash, amountSats: sats(500), maxFeeSats: sats(6), timeoutSeconds: 60 };
        judgePayment(await at.pay(payment as Parameters<LightningNode["pay"]>[0]), paymentHash);
        if (again) judgePayment(await at.pay(payment as Parameters<LightningNode["pay"]>[0]), paymentHash);
        const state = await known(at.lookupPayment(paymentHash));
        if (state) judgePayment(state, paymentHash);
        // The wallet's own books: whatever was said, at most one payment arrived, and "failed" was never said of it.
        const arrived = lightning.wallet.view().payments.filter((row) => row.direction === "in");
        expect(arrived.length).toBeLessThanOrEqual(1);
        // A list from which somebody took the payment is a lie that nobody can see through.
        const isProof = state?.kind === "failed" || (state?.kind === "never_sent" && kind !== "cln");
        if (isProof) expect(arrived).toHaveLength(0);
      }),
      cases(kind, 150),
    );
  }, 60_000);

  test("takes a cursor that it gave, and no other text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 30 }), async (cursor) => {
        const { node: at } = node(kind, [{ kind: "lost" }, { kind: "lost" }]);
        const stop = new AbortController();
        try {
          for await (const _ of at.settlements(cursor, stop.signal)) stop.abort();
        } catch (error) {
          expect(error instanceof NodeUnavailable || error instanceof RangeError).toBe(true);
        }
      }),
      cases(kind, 60),
    );
  });
});

test("lnd's stream of settlements, line by line, ends in a settlement or in an error of its port", async () => {
  const settled = {
    state: "SETTLED",
    r_hash: Buffer.from("5a".repeat(32), "hex").toString("base64"),
    settle_date: "1780000000",
    amt_paid_msat: "812000",
    settle_index: "7",
  };
  const lines = [{ result: settled }, { result: { ...settled, state: "OPEN" } }, { error: { code: 13, message: "x" } }];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...lines), bend), { minLength: 1, maxLength: 6 }),
      fc.nat(400),
      async (parts, piece) => {
        const text = parts.map(([line, how]) => `${bentText(JSON.stringify(line), how)}\n`).join("");
        const bytes = new TextEncoder().encode(text);
        const { world, stop } = bentPeers([]);
        stops.push(stop);
        let at = 0;
        const stream = new ReadableStream<Uint8Array>({
          pull(controller) {
            if (at >= bytes.length) return controller.close();
            controller.enqueue(bytes.slice(at, at + piece + 1));
            at += piece + 1;
          },
        });
        const lnd = createLnd({
          world: { ...borrowed(world), fetch: async () => new Response(stream) },
          baseUrl: BASE,
          macaroonHex: "00",
        });
        const end = new AbortController();
        try {
          for await (const { settlement, cursor } of lnd.settlements("3", end.signal)) {
            expect(settlement.paymentHash).toMatch(HASH);
            expect([isTime(settlement.settledAt), isAmount(settlement.receivedMsats)]).toEqual([true, true]);
            expect(Number(cursor)).toBeGreaterThanOrEqual(3);
          }
        } catch (error) {
          if (!(error instanceof NodeUnavailable)) throw error;
        }
      },
    ),
    runs(300),
  );
}, 60_000);

describe("words of a node that are names of machinery, or no words", () => {
  const strange: unknown[] = [
    "__proto__",
    "constructor",
    "toString",
    "valueOf",
    { toString: null },
    [],
    ["regtest"],
    null,
    7,
    "",
  ];
  /** A node that gives this answer to everything. */
  const saying = (answer: (strange: unknown) => unknown, kind: NodeKind, value: unknown): LightningNode => {
    const { world, stop } = bentPeers([], kind);
    stops.push(stop);
    const body = JSON.stringify(answer(value));
    const fetch = async () => new Response(`${body}\n`, { status: kind === "cln" ? 201 : 200 });
    return CREATE[kind]({ ...borrowed(world), fetch } as unknown as typeof world);
  };

  test("are no network", async () => {
    const pubkey = `02${"5a".repeat(32)}`;
    for (const value of strange) {
      const lnd = saying(
        (network) => ({ identity_pubkey: pubkey, alias: "x", synced_to_chain: true, chains: [{ network }] }),
        "lnd",
        value,
      );
      const cln = saying((network) => ({ id: pubkey, alias: "x", network }), "cln", value);
      const phoenixd = saying((chain) => ({ nodeId: pubkey, channels: [], chain, blockHeight: 1 }), "phoenixd", value);
      for (const at of [lnd, cln, phoenixd]) expect([value, await known(at.info())]).toEqual([value, null]);
    }
  });

  test("are no reason of a failure, and no state", async () => {
    const hash = "5a".repeat(32);
    for (const value of strange) {
      const failed = saying(
        (reason) => ({ result: { payment_hash: hash, status: "FAILED", failure_reason: reason } }),
        "lnd",
        value,
      );
      expect(await failed.lookupPayment(hash)).toEqual({ kind: "failed", reason: "unspecified" });
      const odd = saying((status) => ({ result: { payment_hash: hash, status } }), "lnd", value);
      expect(await odd.lookupPayment(hash)).toMatchObject({ kind: "unknown" });
      const invoice = saying((state) => ({ r_hash: Buffer.from(hash, "hex").toString("base64"), state }), "lnd", value);
      expect(await known(invoice.lookupInvoice(hash))).toBeNull();
    }
  });
});

/** A world's methods, to be spread with another network. */
const borrowed = (world: ReturnType<typeof bentPeers>["world"]) => ({
  now: () => world.now(),
  random: (length: number) => world.random(length),
  at: (time: number, run: () => void) => world.at(time, run),
  soon: (run: () => void) => world.soon(run),
  hold: () => world.hold(),
  connect: world.connect,
});
