/** How numbers are bought: lost answers, a shared account, a dearer price, rentals, reactivations, and more orders than memory holds. */
import { Customer } from "./customer.ts";
import { MINUTE, type Scenario, SECOND } from "./scenario.ts";
import { receive, receiveSms } from "./scenarios-sms.ts";

const lostAndBought: Scenario = {
  name: "the answer to a buy is lost, a number was bought",
  short: true,
  ends: ["completed"],
  endsLate: ["completed", "refunded"],
  play: (stage) => {
    stage.faults.plan({ peer: "provider", action: "getNumberV2", fault: "reset_bought", detail: {} });
    return receive(stage, {});
  },
};

const lostAndNotBought: Scenario = {
  name: "the answer to a buy is lost, nothing was bought",
  ends: ["completed", "refunded"],
  endsLate: ["completed", "refunded"],
  play: (stage) => {
    stage.faults.plan({ peer: "provider", action: "getNumberV2", fault: "reset_not_bought", detail: {} });
    return receive(stage, {});
  },
};

const strangerBefore: Scenario = {
  name: "a stranger on the account buys just before a buy that is lost",
  ends: ["completed", "refunded"],
  endsLate: ["completed", "refunded"],
  play: async (stage) => {
    stage.faults.plan({ peer: "provider", action: "getNumberV2", fault: "reset_not_bought", detail: {} });
    const customer = new Customer(stage, "a");
    await customer.order({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    await stage.stranger("tg", 187);
    await customer.pay();
    await receiveSms(customer);
  },
};

const strangerMeanwhile: Scenario = {
  name: "a stranger on the account buys in the instant of a buy that is lost",
  ends: ["refunded", "completed"],
  endsLate: ["refunded", "completed"],
  play: async (stage) => {
    stage.faults.plan({ peer: "provider", action: "getNumberV2", fault: "reset_bought", detail: {} });
    const customer = new Customer(stage, "a");
    await customer.order({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    // After our look at the account, and at the time of our buy: nothing tells the two numbers apart.
    stage.after("getNumberV2", () => stage.stranger("tg", 187));
    await customer.pay();
    await customer.toTheEnd();
    // The search for the number that may be ours goes on for as long as it could live.
    await stage.town.sleep(32 * MINUTE);
  },
};

const dearer: Scenario = {
  name: "dearer between quote and buy",
  ends: ["refunded"],
  endsLate: ["refunded"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await customer.order({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    stage.faults.plan({ peer: "provider", action: "getNumberV2", fault: "price_jump", detail: {} }, 10);
    await customer.pay();
    await customer.toTheEnd();
  },
};

const rental: Scenario = {
  name: "rental",
  short: true,
  ends: ["completed"],
  endsLate: ["completed"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await customer.buy({ type: "rent-number", service: "tg", country: "US", durationMinutes: 60 });
    const { phoneNumber } = await customer.until((view) => view.phoneNumber !== null, 5 * SECOND);
    if (phoneNumber === null) return;
    await stage.town.sleep(10 * MINUTE);
    await customer.sms(phoneNumber, 5 * MINUTE);
    await customer.toTheEnd(20 * MINUTE);
  },
};

const reactivation: Scenario = {
  name: "reactivation",
  short: true,
  ends: ["completed completed"],
  endsLate: ["completed completed", "completed expired", "completed failed", "refunded"],
  play: async (stage) => {
    const parent = await receive(stage, {});
    if (stage.orders.get(parent.bought.orderId)?.messageIds.length === 0) return;
    const customer = new Customer(stage, "b");
    await customer.buy(
      { type: "receive-sms-reactivate", orderId: parent.bought.orderId },
      { headers: { authorization: parent.credential } },
    );
    await receiveSms(customer);
  },
};

const evicted: Scenario = {
  name: "three orders in a memory for one",
  env: { MAX_RESIDENTS: "1" },
  ends: ["completed completed completed"],
  endsLate: [],
  play: (stage) =>
    Promise.all(
      ["a", "b", "c"].map(async (name, index) => {
        await stage.town.sleep(index * 700);
        return receive(stage, { service: name === "c" ? "wa" : "tg" }, name);
      }),
    ),
};

export const BUYING_SCENARIOS: readonly Scenario[] = [
  lostAndBought,
  lostAndNotBought,
  strangerBefore,
  strangerMeanwhile,
  dearer,
  rental,
  reactivation,
  evicted,
];
