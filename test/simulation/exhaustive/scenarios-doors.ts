/** What is nobody's business: orders of others, orders that are none, and more than a narrowed credential allows. */
import { decodeBase64, encodeBase64 } from "../../../src/l402/base64.ts";
import { attenuate, decodeMacaroon, encodeMacaroon } from "../../../src/l402/macaroon.ts";
import { Violation } from "../checker.ts";
import { Customer } from "./customer.ts";
import { MINUTE, type Scenario, SECOND } from "./scenario.ts";
import { receive, receiveSms } from "./scenarios-sms.ts";
import type { Stage } from "./stage.ts";

const NOBODYS = "0123456789abcdef0123456789abcdef";

/** Every door of an order, with somebody else's credential, and the same doors of an order that there is not. */
async function tryDoors(stage: Stage, stranger: Customer, orderId: string): Promise<void> {
  const headers = { authorization: stranger.credential };
  const refundInvoice = stranger.refundInvoice();
  const doors = [
    ["GET", "", undefined],
    ["POST", "/cancel", undefined],
    ["POST", "/refund-invoice", { refundInvoice }],
  ] as const;
  for (const [method, door, body] of doors) {
    const [foreign, none] = [
      await stranger.ask(method, `/v2/l402/order/${orderId}${door}`, { headers, body }),
      await stranger.ask(method, `/v2/l402/order/${NOBODYS}${door}`, { headers, body }),
    ];
    stage.checker.probed({ status: foreign.status, ...bodyOf(foreign) }, { status: none.status, ...bodyOf(none) });
  }
}

/** Without what differs from request to request. */
function bodyOf({ body }: { readonly body: unknown }): Record<string, unknown> {
  return JSON.parse(JSON.stringify(body, (key, value: unknown) => (key === "requestId" ? undefined : value)));
}

/** A friend may only read: cancelling with that is refused. */
async function delegate(stage: Stage, owner: Customer): Promise<void> {
  const { macaroon, preimage, orderId } = owner.bought;
  const own = decodeMacaroon(decodeBase64(macaroon) ?? new Uint8Array());
  if (!own) throw new Error("A macaroon of ours cannot be read");
  const narrow = encodeBase64(encodeMacaroon(attenuate(own, "sms_capabilities=read")));
  const headers = { authorization: `L402 ${narrow}:${preimage ?? ""}` };
  const read = await owner.ask("GET", `/v2/l402/order/${orderId}`, { headers });
  if (read.status !== 200) throw new Error(`A credential that may read was answered with ${read.status}`);
  const cancel = await owner.ask("POST", `/v2/l402/order/${orderId}/cancel`, { headers });
  if (cancel.status === 200) stage.fail(new Violation(14, "a credential that may only read cancelled an order"));
}

const strangers: Scenario = {
  name: "strangers and delegates at the doors",
  ends: ["completed completed"],
  endsLate: [],
  play: async (stage) => {
    const owner = new Customer(stage, "a");
    await owner.buy({ service: "tg", country: "US", refundInvoice: owner.refundInvoice() });
    const stranger = await receive(stage, { service: "wa" }, "b");
    await tryDoors(stage, stranger, owner.bought.orderId);
    // From here on a cancel would be taken, from whoever may.
    await stage.town.sleep(2 * MINUTE + 10 * SECOND);
    await delegate(stage, owner);
    await receiveSms(owner);
    await tryDoors(stage, stranger, owner.bought.orderId);
  },
};

export const DOOR_SCENARIOS: readonly Scenario[] = [strangers];
