/** Customers who want something else than a code: what each of them can cost is bounded, and honest customers are served meanwhile. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { DEFAULT_FEE_CAP, feeCapOf } from "../../actors/order/policy.ts";
import type { Order } from "../../actors/order/state.ts";
import { mintInvoice } from "../../src/sandbox/lightning/mint.ts";
import { Customer } from "./exhaustive/customer.ts";
import { play } from "./exhaustive/play.ts";
import { MINUTE, SECOND } from "./exhaustive/scenario.ts";
import { receiveSms } from "./exhaustive/scenarios-sms.ts";
import type { Stage } from "./exhaustive/stage.ts";

setDefaultTimeout(60_000);

const WANTED = { service: "tg", country: "US" };
/** An honest customer, after all of it. */
const OTHER = { service: "wa", country: "GB" };
const LIMIT = 6;
const env = { MAX_CANCELLED_PER_CLIENT: String(LIMIT) };
/** The invariants hold throughout; `how` sees to what each attack may cost. */
const attack = (name: string, how: (stage: Stage) => Promise<void>, settings: Record<string, string> = {}) =>
  play({ name, ends: [], endsLate: [], env: { ...settings }, play: how }, { plan: [], downMs: 0 });

async function cancels(stage: Stage, name: string): Promise<Customer> {
  const customer = new Customer(stage, name);
  await customer.buy({ ...WANTED, refundInvoice: customer.refundInvoice() });
  await stage.town.sleep(3 * MINUTE + 5 * SECOND);
  await customer.cancel();
  return customer;
}

const sum = (stage: Stage, sql: string): number => stage.books.query<{ n: number | null }, []>(sql).get()?.n ?? 0;
const feesPaid = (stage: Stage): number =>
  sum(stage, "SELECT sum(fee_msat) AS n FROM ln_payments WHERE status = 'SUCCEEDED'");
const capMsats = (orders: Iterable<Order>): number =>
  [...orders].reduce((most, { terms }) => most + feeCapOf(DEFAULT_FEE_CAP, terms.priceSats) * 1_000, 0);
const priceMsats = (orders: Iterable<Order>): number =>
  [...orders].reduce((all, { terms }) => all + terms.priceSats * 1_000, 0);

test("who buys and cancels for ever gets back what was paid and no more, costs a capped fee each time, and is told to wait", () => {
  const { orders } = attack(
    "refund farming",
    async (stage) => {
      for (let n = 0; n < LIMIT; n++) await (await cancels(stage, `farmer-${n}`)).toTheEnd();
      const asked = stage.town.now();
      await new Customer(stage, "once-more").ask("POST", "/v2/l402/order", { body: WANTED });
      expect(stage.town.now() - asked).toBeGreaterThan(20 * MINUTE);
      const farmed = [...stage.orders.all()].filter(({ payment }) => payment !== null);
      expect(farmed.map(({ state }) => state.kind === "done" && state.as)).toEqual(Array(LIMIT).fill("refunded"));
      expect(sum(stage, "SELECT sum(value_msat) AS n FROM ln_payments WHERE status = 'SUCCEEDED'")).toBe(
        priceMsats(farmed),
      );
      expect(feesPaid(stage)).toBeLessThanOrEqual(capMsats(farmed));
      expect(sum(stage, "SELECT sum(cost) AS n FROM provider_activations WHERE status NOT IN (8, 10)")).toBe(0);
    },
    env,
  );
  expect(orders).toBe(LIMIT + 1);
});

test("a route that takes more than the cap gets nothing: the refund waits for another destination, and then arrives", () => {
  attack("fee siphoning", async (stage) => {
    stage.routeFee = () => 40_000;
    const siphon = await cancels(stage, "siphon");
    const stuck = await siphon.until((view) => view.status === "refund_failed");
    expect(stuck.refund.status).toBe("needs_destination");
    expect(feesPaid(stage)).toBe(0);
    // Just below the cap is what it can take, once.
    const cap = capMsats(stage.orders.all());
    stage.routeFee = () => cap;
    await siphon.giveRefundInvoice();
    await siphon.toTheEnd();
    expect(feesPaid(stage)).toBe(cap);
  });
});

test("refunds that are held for hours hold what was paid for them and nothing else; others are refunded and served", () => {
  attack("pinning", async (stage) => {
    const long = mintInvoice({
      paymentHash: "ab".repeat(32),
      timestamp: Math.floor(stage.town.now() / 1_000),
      expirySeconds: 7_200,
      finalCltv: 1_500,
    });
    const refused = await new Customer(stage, "long").ask("POST", "/v2/l402/order", {
      body: { ...WANTED, refundInvoice: long },
    });
    expect(refused).toMatchObject({ status: 400, body: { error: { code: "INVALID_REFUND_INVOICE" } } });
    const held = { fault: "in_flight", detail: { resolveAfterSeconds: 2 * 3_600 } };
    const pinned: Customer[] = [];
    for (let n = 0; n < 3; n++) {
      stage.faults.plan({ peer: "node", action: "send", ...held });
      pinned.push(await cancels(stage, `pin-${n}`));
      await pinned.at(-1)?.until((view) => view.status === "refund_pending");
    }
    await stage.town.sleep(2 * MINUTE);
    const inFlight = sum(stage, "SELECT sum(value_msat + fee_msat) AS n FROM ln_payments WHERE status = 'IN_FLIGHT'");
    const orders = [...stage.orders.all()];
    expect(inFlight).toBeGreaterThanOrEqual(priceMsats(orders));
    expect(inFlight).toBeLessThanOrEqual(priceMsats(orders) + capMsats(orders));
    await (await cancels(stage, "honest")).toTheEnd();
    const buyer = new Customer(stage, "buyer");
    await buyer.buy({ ...OTHER, refundInvoice: buyer.refundInvoice() });
    await receiveSms(buyer);
    await buyer.toTheEnd();
    for (const customer of pinned)
      expect((await customer.until((view) => view.status === "refunded", 10 * MINUTE)).status).toBe("refunded");
  });
});
