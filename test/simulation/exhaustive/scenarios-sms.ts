/** One number, one SMS or none: delivered, cancelled, timed out, and what crosses on the way. */
import type { OrderRequest } from "../../../src/orders/desk.ts";
import { Customer } from "./customer.ts";
import { MINUTE, type Scenario, SECOND } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** Any npub will do: no relay is asked here. */
const NPUB = "npub1sn0wdenkukak0d9dfczzeacvhkrgz92ak56egt7vdgzn8pv2wfqqhrjdv9";

/** Buys, waits for the number, gets an SMS a minute later, reads the code, and reads on to the end. */
export async function receive(stage: Stage, request: OrderRequest, name = "a"): Promise<Customer> {
  const customer = new Customer(stage, name);
  await customer.buy({ service: "tg", country: "US", refundInvoice: customer.refundInvoice(), ...request });
  await receiveSms(customer);
  return customer;
}

export async function receiveSms(customer: Customer): Promise<void> {
  const { phoneNumber } = await customer.until((view) => view.phoneNumber !== null, 5 * SECOND);
  if (phoneNumber === null) return;
  await customer.stage.town.sleep(MINUTE);
  await customer.sms(phoneNumber);
  await customer.toTheEnd();
}

const delivered: Scenario = {
  name: "receive-sms, delivered",
  short: true,
  ends: ["completed"],
  endsLate: ["completed", "refunded"],
  play: (stage) => receive(stage, {}),
};

const noticed: Scenario = {
  name: "receive-sms with a notice",
  short: true,
  ends: ["completed"],
  endsLate: ["completed", "refunded"],
  play: (stage) => receive(stage, { notify: { nostr: NPUB } }),
};

const cancelled: Scenario = {
  name: "cancelled and refunded",
  short: true,
  ends: ["refunded"],
  endsLate: ["refunded"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await cancelWith(customer);
    await customer.toTheEnd();
  },
};

async function cancelWith(customer: Customer): Promise<void> {
  const { stage } = customer;
  await customer.buy({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
  await stage.town.sleep(3 * MINUTE + 5 * SECOND);
  await customer.cancel();
}

const timedOut: Scenario = {
  name: "timed out and refunded",
  short: true,
  ends: ["refunded"],
  endsLate: ["refunded"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await customer.buy({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    await customer.toTheEnd(2 * MINUTE);
  },
};

const crossed: Scenario = {
  name: "an SMS in the instant of the cancel",
  ends: ["completed"],
  endsLate: ["completed", "refunded"],
  play: async (stage) => {
    stage.faults.plan({ peer: "provider", action: "setStatus", fault: "sms_at_cancel", detail: {} });
    const customer = new Customer(stage, "a");
    await cancelWith(customer);
    await customer.toTheEnd();
  },
};

const webhooks: Scenario = {
  name: "a webhook before the number is ours, and each one twice",
  ends: ["completed"],
  endsLate: ["completed", "refunded"],
  play: (stage) => {
    stage.faults.plan({ peer: "provider", action: "webhook", fault: "early_webhook", detail: {} });
    stage.faults.plan({ peer: "provider", action: "webhook", fault: "duplicate_webhook", detail: {} }, 5);
    return receive(stage, {});
  },
};

const ended: Scenario = {
  name: "the provider ends the number by itself",
  ends: ["refunded"],
  endsLate: ["refunded"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await customer.buy({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    await customer.until((view) => view.phoneNumber !== null, 5 * SECOND);
    stage.faults.plan({ peer: "provider", action: "getActiveActivations", fault: "provider_cancels", detail: {} });
    await customer.toTheEnd();
  },
};

const readLate: Scenario = {
  name: "the process is away while a number with its SMS ends",
  ends: ["completed"],
  endsLate: ["completed", "refunded"],
  play: async (stage) => {
    const customer = new Customer(stage, "a");
    await customer.buy({ service: "tg", country: "US", refundInvoice: customer.refundInvoice() });
    const { phoneNumber } = await customer.until((view) => view.phoneNumber !== null, 5 * SECOND);
    if (phoneNumber === null) return;
    await customer.sms(phoneNumber);
    stage.away(25 * MINUTE);
    await customer.toTheEnd();
  },
};

const neverPaid: Scenario = {
  name: "never paid",
  ends: [""],
  endsLate: [""],
  play: async (stage) => {
    await new Customer(stage, "a").order({ service: "tg", country: "US" });
    await stage.town.sleep(7 * MINUTE);
  },
};

export const SMS_SCENARIOS: readonly Scenario[] = [
  delivered,
  noticed,
  cancelled,
  timedOut,
  crossed,
  webhooks,
  ended,
  readLate,
  neverPaid,
];
