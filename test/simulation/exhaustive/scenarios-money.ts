/** Where the money goes: refunds whose answer is lost, that fail, are held, share or lack an invoice, and money that comes late. */
import { Customer } from "./customer.ts";
import { MINUTE, type Scenario, SECOND } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** Buys and cancels as soon as that is allowed; `before` is done in between. */
async function cancelled(stage: Stage, refundInvoice: string | null, before = () => {}): Promise<Customer> {
  const customer = new Customer(stage, "a");
  await customer.buy({ service: "tg", country: "US", ...(refundInvoice !== null && { refundInvoice }) });
  await stage.town.sleep(3 * MINUTE + 5 * SECOND);
  before();
  await customer.cancel();
  return customer;
}

/** Until the service asks for a refund invoice: then it gets one. */
async function giveWhenAsked(customer: Customer): Promise<void> {
  const { next } = await customer.until((view) => view.status === "refund_failed");
  if (next.action === "give_refund_invoice") await customer.giveRefundInvoice();
  await customer.toTheEnd();
}

const ownInvoice = (stage: Stage): string => new Customer(stage, "").refundInvoice();

const lateInvoice: Scenario = {
  name: "refund invoice given late",
  short: true,
  ends: ["refunded"],
  endsLate: ["refunded"],
  play: async (stage) => giveWhenAsked(await cancelled(stage, null)),
};

/** A refund that meets a fault of the node. */
const refundUnder = (name: string, fault: string, detail: Record<string, unknown> = {}): Scenario => ({
  name,
  ...(fault === "reset_after" && { short: true }),
  ends: ["refunded"],
  endsLate: ["refunded"],
  play: async (stage) => {
    // Not earlier: a node is asked at the start, with an empty payment, whether it would pay.
    const plan = () => stage.faults.plan({ peer: "node", action: "send", fault, detail });
    const customer = await cancelled(stage, ownInvoice(stage), plan);
    await customer.toTheEnd();
  },
});

const shared: Scenario = {
  name: "two orders with one refund invoice",
  ends: ["refunded refunded"],
  endsLate: ["refunded refunded"],
  play: async (stage) => {
    const refundInvoice = ownInvoice(stage);
    const [first, second] = [new Customer(stage, "a"), new Customer(stage, "b")];
    // Both before either is paid: a claimed hash is refused at creation.
    for (const customer of [first, second]) await customer.order({ service: "tg", country: "US", refundInvoice });
    for (const customer of [first, second]) await customer.pay();
    await stage.town.sleep(3 * MINUTE + 5 * SECOND);
    for (const customer of [first, second]) await customer.cancel();
    for (const customer of [first, second]) await giveWhenAsked(customer);
  },
};

const crowded: Scenario = {
  name: "two orders with one place in memory",
  ends: ["refunded refunded"],
  endsLate: ["refunded refunded"],
  env: { MAX_RESIDENTS: "1" },
  play: async (stage) => {
    const [first, second] = [new Customer(stage, "a"), new Customer(stage, "b")];
    for (const customer of [first, second]) {
      await customer.buy({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    }
    await stage.town.sleep(3 * MINUTE + 5 * SECOND);
    // At the same instant: while the step of one is written, the other comes in, and then the first again.
    await Promise.all([first.cancel(), second.cancel(), first.cancel()]);
    for (const customer of [first, second]) await customer.toTheEnd();
  },
};

const latePayment: Scenario = {
  name: "paid while the process was away",
  short: true,
  ends: ["refunded"],
  endsLate: ["refunded"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await customer.order({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    stage.away(11 * MINUTE);
    await customer.pay();
    await customer.toTheEnd();
  },
};

const lateRental: Scenario = {
  name: "a rental paid while the process was away",
  ends: ["completed"],
  endsLate: ["completed"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await customer.order({ type: "rent-number", service: "tg", country: "US", durationMinutes: 60 });
    stage.away(11 * MINUTE);
    await customer.pay();
    await customer.toTheEnd(10 * MINUTE);
  },
};

export const MONEY_SCENARIOS: readonly Scenario[] = [
  lateInvoice,
  refundUnder("refund whose answer is lost", "reset_after"),
  refundUnder("refund that never reached the node", "reset"),
  refundUnder("refund that finds no route at first", "no_route"),
  refundUnder("refund that is held for 20 minutes", "in_flight", { resolveAfterSeconds: 1_200 }),
  refundUnder("refund that is held and then fails", "in_flight", { resolveAfterSeconds: 300, resolve: "failed" }),
  refundUnder("refund proven by a wrong preimage", "wrong_preimage"),
  shared,
  crowded,
  latePayment,
  lateRental,
];
