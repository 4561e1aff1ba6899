/** Whole lives over HTTP against one kind of node: sold, served, refunded, lost and found, killed and started again. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { NodeKind } from "../../../src/node.ts";
import { expectRefunded, refundable, refundsTo, withNumber } from "../../support/life.ts";
import { type Peers, startPeers } from "../../support/peers.ts";
import { type Bought, type RunningServer, runToEnd } from "../../support/server.ts";

export interface NodeLife {
  readonly kind: NodeKind;
  /** Its call that pays. */
  readonly pay: string;
  /** Faults of that call that lose the answer of a payment which was made. */
  readonly lost: readonly string[];
  /** How long after its expiry an unpaid order of this node still shows as pending, in seconds. */
  readonly lapsesAfter: number;
}

export function nodeLife({ kind, pay, lost, lapsesAfter }: NodeLife): void {
  setDefaultTimeout(60_000);
  let peers: Peers;
  let server: RunningServer;

  beforeAll(async () => {
    peers = await startPeers(kind);
    server = await peers.start();
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
    // Our books, the node's and the provider's say the same of all that happened here.
    const env = { SANDBOX_URL: peers.url, SANDBOX_NODE: kind, DATA_DIR: peers.dataDir };
    const { code, output } = await runToEnd(env, ["doctor", "--peers"]);
    expect([code, output]).toEqual([0, expect.stringContaining("They agree with our books")]);
    await peers.stop();
  });

  /** Paid, with its number, and old enough to be cancelled. */
  async function cancellable(): Promise<{ bought: Bought; hash: string }> {
    const { request, hash } = await refundable(server);
    const { bought } = await withNumber(server, request);
    await peers.advance(181);
    return { bought, hash };
  }

  test("an order is paid, gets its number and its code", async () => {
    const { request } = await refundable(server);
    const { bought, order } = await withNumber(server, request);
    await peers.sms(order.phoneNumber, "Your code is 123456");
    await peers.advance(1);
    expect((await server.until(bought, ({ code }) => code !== null)).code).toBe("123456");
  });

  test("a cancelled order's money comes back once, to the sat", async () => {
    const before = (await server.wallet()).balanceSats;
    const { bought, hash } = await cancellable();
    await server.cancel(bought);
    await expectRefunded(server, bought, hash);
    expect((await server.wallet()).balanceSats).toBe(before);
  });

  test("a refund whose answer is lost is found, not repeated", async () => {
    for (const fault of lost) {
      const { bought, hash } = await cancellable();
      await peers.fault("node", pay, fault);
      await server.cancel(bought);
      await peers.advance(600);
      await expectRefunded(server, bought, hash);
      expect(await refundsTo(server, hash)).toHaveLength(1);
    }
  });

  test("a refund that the process died under is asked about, not repeated", async () => {
    const { bought, hash } = await cancellable();
    await peers.fault("node", pay, "in_flight", 1, { resolveAfterSeconds: 120 });
    await server.cancel(bought);
    await server.until(bought, ({ status }) => status === "refund_pending");
    await server.kill();
    await peers.advance(60);
    server = await peers.start();
    expect((await server.read(bought)).status).toBe("refund_pending");
    await peers.advance(900);
    await expectRefunded(server, bought, hash);
    expect(await refundsTo(server, hash)).toHaveLength(1);
  });

  test("what is paid while the process is down is served when it is back", async () => {
    // To its number: a buy that the process dies under would rightly keep the next one of its kind waiting for minutes.
    await withNumber(server, (await refundable(server)).request);
    const { request } = await refundable(server);
    const asked = await server.challenge(request);
    await server.kill();
    const { preimage } = await peers.pay(asked.invoice);
    await peers.advance(30);
    server = await peers.start();
    const bought = { ...asked, preimage, authorization: `L402 ${asked.macaroon}:${preimage}` };
    await server.until(bought, ({ status }) => status === "waiting_for_sms");
  });

  test("an order that nobody pays lapses when its invoice cannot be paid any more", async () => {
    const { request } = await refundable(server);
    const asked = await server.challenge(request);
    await peers.advance(300 + lapsesAfter + 90);
    await expect(peers.pay(asked.invoice)).rejects.toThrow();
    const orders = new Database(join(peers.dataDir, "orders.sqlite"), { readonly: true });
    const row = orders.query<{ kind: string }, [string]>("SELECT kind FROM orders WHERE id = ?").get(asked.orderId);
    orders.close();
    expect(row?.kind).toBe("lapsed");
  });
}
