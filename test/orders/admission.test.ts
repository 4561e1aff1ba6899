import { describe, expect, test } from "bun:test";
import { microUsd, sats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import { Admission, type Gates } from "../../src/orders/admission.ts";
import { isProblem } from "../../src/orders/problem.ts";
import { Reservations } from "../../src/orders/reservations.ts";

const rental = (usd: number): Good => ({
  type: "rent-number",
  service: "full",
  country: 187,
  maxCost: microUsd(usd * 1e6),
  durationMinutes: 60,
  hours: 2,
});
const sms: Good = { type: "receive-sms", service: "tg", country: 187, maxCost: microUsd(1e6) };

function door(balanceUsd: number, outboundSats: number) {
  const reservations = new Reservations();
  const gates = {
    store: { countUnpaid: () => 0 },
    provider: { ok: true, balance: microUsd(balanceUsd * 1e6) },
    node: { ok: true, outboundSats: sats(outboundSats), failed: () => {} },
    reservations,
    limits: { maxUnpaidPerClient: 100, maxUnpaid: 100 },
    closed: () => null,
  };
  // Only what the door looks at.
  const admission = new Admission(gates as unknown as Gates);
  let n = 0;
  const open = (client: string, good: Good) => {
    const release = admission.reserve(client, good, sats(100));
    if (typeof release !== "function") return release.problem;
    const order = {
      id: `o${n++}`,
      state: { kind: "unpaid" },
      terms: { good, priceSats: 100 },
      owedMsats: 0,
    } as unknown as Order;
    reservations.follow(order);
    admission.opened(order, client);
    release();
    return order;
  };
  return { open, reservations, admission };
}

describe("unpaid orders, which cost nothing,", () => {
  test("of one client set aside a tenth of the provider's balance at most, but always one order", () => {
    const { open } = door(300, 1e6);
    expect(open("a", rental(60))).toBeObject();
    expect(open("a", rental(1))).toBe("RATE_LIMITED");
    expect(open("b", rental(20))).toBeObject();
    expect(open("b", rental(9))).toBeObject();
    expect(open("b", rental(2))).toBe("RATE_LIMITED");
  });

  test("that lapse or are paid count no longer for their client", () => {
    const { open, reservations } = door(300, 1e6);
    const order = open("a", rental(60)) as Order;
    reservations.follow({ ...order, state: { kind: "lapsed" } });
    expect(reservations.unpaidMicroUsd("a")).toBe(0);
    expect(open("a", rental(60))).toBeObject();
  });

  test("never promise more than the provider's balance in all", () => {
    const { open } = door(300, 1e6);
    for (const client of ["a", "b", "c", "d", "e"]) expect(open(client, rental(60))).toBeObject();
    expect(open("f", rental(1))).toBe("TEMPORARILY_UNAVAILABLE");
  });

  test("of one client that are opened at the same time count together", () => {
    const { admission } = door(300, 1e6);
    const first = admission.reserve("a", rental(60), sats(100));
    const second = admission.reserve("a", rental(1), sats(100));
    expect(typeof second !== "function" && second.problem).toBe("RATE_LIMITED");
    expect(admission.reserve("b", rental(60), sats(100))).toBeFunction();
    if (typeof first === "function") first();
    expect(admission.reserve("a", rental(60), sats(100))).toBeFunction();
  });

  test("need liquidity for a refund only where one is promised", () => {
    const { open } = door(300, 50);
    expect(open("a", sms)).toBe("TEMPORARILY_UNAVAILABLE");
    expect(open("a", rental(1))).toBeObject();
  });

  test("are counted while they are being opened", () => {
    const admission = new Admission({
      store: { countUnpaid: () => 1 },
      reservations: new Reservations(),
      limits: { maxUnpaidPerClient: 3, maxUnpaid: 100 },
      closed: () => null,
    } as unknown as Gates);
    expect(admission.enter("a")).toBeNull();
    expect(admission.enter("a")).toBeNull();
    const refused = admission.enter("a");
    expect(refused && isProblem(refused) && refused.problem).toBe("RATE_LIMITED");
    admission.leave("a");
    expect(admission.enter("a")).toBeNull();
  });
});
