import { describe, expect, test } from "bun:test";
import { microUsd, sats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import { Admission } from "../../src/orders/admission.ts";
import { CLIENTS_OF_A_NETWORK, type Owner } from "../../src/orders/holders.ts";
import { Reservations } from "../../src/orders/reservations.ts";
import { ManualWorld } from "../support/manual-world.ts";

const rental = (usd: number): Good => ({
  type: "rent-number",
  service: "full",
  country: 187,
  maxCost: microUsd(usd * 1e6),
  durationMinutes: 60,
  hours: 2,
});
const sms: Good = { type: "receive-sms", service: "tg", country: 187, maxCost: microUsd(1e6) };
const SECOND = 1_000;

/** `a` is the only one in its network, `a.1` and `a.2` share one. */
const owner = (name: string): Owner => ({ client: name, network: name.split(".")[0] ?? "" });

function door({ balanceUsd = 300, outboundSats = 1e6, maxUnpaid = 100, maxUnpaidPerClient = 100 }) {
  const reservations = new Reservations([]);
  const world = new ManualWorld();
  const orders = new Map<string, Order>();
  /** What the node answers to a cancel. */
  const node = { closes: true, asked: [] as string[] };
  let gaveWay = 0;
  const admission = new Admission({
    world,
    provider: { ok: true, balance: microUsd(balanceUsd * 1e6) },
    node: { ok: true, outboundSats: sats(outboundSats), failed: () => {} },
    reservations,
    limits: { maxUnpaidPerClient, maxUnpaid },
    closed: () => null,
    close: async (id) => {
      node.asked.push(id);
      const order = orders.get(id);
      if (node.closes && order) reservations.follow({ ...order, state: { kind: "lapsed" } }, order);
      return node.closes;
    },
    gaveWay: (count) => {
      gaveWay += count;
    },
  });
  let n = 0;
  const open = async (name: string, good: Good, priceSats = 100) => {
    const leave = admission.enter(owner(name));
    if (typeof leave !== "function") return leave.problem;
    const release = await admission.reserve(owner(name), good, sats(priceSats));
    if (typeof release !== "function") {
      leave();
      return release.problem;
    }
    const order = {
      id: `o${n++}`,
      state: { kind: "unpaid" },
      terms: { good, priceSats, createdAt: world.now() },
      owedMsats: 0,
    } as unknown as Order;
    orders.set(order.id, order);
    reservations.follow(order, null);
    admission.opened(order, owner(name));
    release();
    leave();
    return order;
  };
  return { open, reservations, admission, world, node, orders, gaveWay: () => gaveWay };
}

describe("unpaid orders, which cost nothing,", () => {
  test("of one client set aside a tenth of the provider's balance at most, but always one order", async () => {
    const { open } = door({});
    expect(await open("a", rental(60))).toBeObject();
    expect(await open("a", rental(1))).toBe("RATE_LIMITED");
    // More than there is at all: that is not the client's doing, and no payment of theirs would change it.
    expect(await open("a", rental(301))).toBe("TEMPORARILY_UNAVAILABLE");
    expect(await open("b", rental(20))).toBeObject();
    expect(await open("b", rental(9))).toBeObject();
    expect(await open("b", rental(2))).toBe("RATE_LIMITED");
  });

  test("and a tenth of what we could refund, but always one order", async () => {
    const { open } = door({ outboundSats: 1_000 });
    expect(await open("a", sms, 300)).toBeObject();
    expect(await open("a", sms, 1)).toBe("RATE_LIMITED");
    expect(await open("a", rental(1))).toBeObject();
    expect(await open("b", sms, 60)).toBeObject();
    expect(await open("b", sms, 40)).toBeObject();
    expect(await open("b", sms, 10)).toBe("RATE_LIMITED");
  });

  test("that lapse or are paid count no longer for their client", async () => {
    const { open, reservations } = door({});
    const order = (await open("a", rental(60))) as Order;
    reservations.follow({ ...order, state: { kind: "lapsed" } }, order);
    expect(reservations.holders.ofClient("a")).toEqual({ count: 0, microUsd: 0, sats: 0 });
    expect(await open("a", rental(60))).toBeObject();
  });

  test("never promise more than the provider's balance in all", async () => {
    const { open, node } = door({});
    node.closes = false;
    for (const client of ["a", "b", "c", "d", "e"]) expect(await open(client, rental(60))).toBeObject();
    expect(await open("f", rental(1))).toBe("TEMPORARILY_UNAVAILABLE");
  });

  test("of one client that are opened at the same time count together", async () => {
    const { admission } = door({});
    const reserve = (name: string, usd: number) => admission.reserve(owner(name), rental(usd), sats(100));
    const first = await reserve("a", 60);
    const second = await reserve("a", 1);
    expect(typeof second !== "function" && second.problem).toBe("RATE_LIMITED");
    expect(await reserve("b", 60)).toBeFunction();
    if (typeof first === "function") first();
    expect(await reserve("a", 60)).toBeFunction();
  });

  test("need liquidity for a refund only where one is promised", async () => {
    const { open } = door({ outboundSats: 50 });
    expect(await open("a", sms)).toBe("TEMPORARILY_UNAVAILABLE");
    expect(await open("a", rental(1))).toBeObject();
  });

  test("are counted while they are being opened", () => {
    const { admission } = door({ maxUnpaidPerClient: 2 });
    const leave = admission.enter(owner("a"));
    expect(admission.enter(owner("a"))).toBeFunction();
    expect(admission.enter(owner("a"))).toMatchObject({ problem: "RATE_LIMITED" });
    if (typeof leave === "function") leave();
    expect(admission.enter(owner("a"))).toBeFunction();
  });

  test("of a whole network are no more than those of eight clients", async () => {
    const { open } = door({ maxUnpaidPerClient: 2 });
    for (let n = 0; n < 2 * CLIENTS_OF_A_NETWORK; n++) expect(await open(`a.${n >> 1}`, rental(1))).toBeObject();
    expect(await open("a.99", rental(1))).toBe("RATE_LIMITED");
    expect(await open("b.1", rental(1))).toBeObject();
  });
});

describe("when everything is taken, unpaid orders give way", () => {
  const idOf = (order: Order | string): string => (typeof order === "string" ? order : order.id);

  test("the oldest of the network that holds most, to one that holds less", async () => {
    const { open, node, gaveWay } = door({ maxUnpaid: 12 });
    for (let n = 0; n < 5; n++) await open("few", rental(1));
    const hoard: string[] = [];
    for (let n = 0; n < 7; n++) hoard.push(idOf(await open(`many.${n}`, rental(1))));
    expect(await open("honest", rental(1))).toBeObject();
    expect(await open("honest", rental(1))).toBeObject();
    expect(node.asked).toEqual(hoard.slice(0, 2));
    expect(gaveWay()).toBe(2);
  });

  test("never to the network that holds most itself, however it spreads over addresses", async () => {
    const { open, node } = door({ maxUnpaid: 12 });
    for (let n = 0; n < 10; n++) await open(`many.${n}`, rental(1));
    for (const name of ["a", "b"]) await open(name, rental(1));
    expect(await open("many.new", rental(1))).toBe("TEMPORARILY_UNAVAILABLE");
    expect(node.asked).toEqual([]);
  });

  test("by what is scarce: the balance that a few dear orders hold goes to cheap ones", async () => {
    const { open, node } = door({ balanceUsd: 300 });
    const dear: string[] = [];
    for (const name of ["a", "b", "c", "d", "e"]) dear.push(idOf(await open(name, rental(60))));
    for (let n = 0; n < 60; n++) expect(await open(`cheap${n}`, rental(1))).toBeObject();
    // 60 dollars became free at once.
    expect(node.asked).toEqual(dear.slice(0, 1));
    expect(await open("dear", rental(60))).toBe("TEMPORARILY_UNAVAILABLE");
  });

  test("among equals after a minute, which is time enough to pay", async () => {
    const { open, node, world } = door({ maxUnpaid: 3 });
    const first = idOf(await open("a", rental(1)));
    for (const name of ["b", "c"]) await open(name, rental(1));
    expect(await open("d", rental(1))).toBe("TEMPORARILY_UNAVAILABLE");
    await world.advance(59 * SECOND);
    expect(await open("d", rental(1))).toBe("TEMPORARILY_UNAVAILABLE");
    await world.advance(SECOND);
    expect(await open("d", rental(1))).toBeObject();
    expect(node.asked).toEqual([first]);
  });

  test("to as many at once as come: none of them pays for the others", async () => {
    const { open, node } = door({ balanceUsd: 1_000, maxUnpaid: 40 });
    for (let n = 0; n < 40; n++) await open("many", rental(1));
    const crowd = await Promise.all(Array.from({ length: 20 }, (_, n) => open(`new${n}`, rental(1))));
    expect(crowd.every((order) => typeof order !== "string")).toBe(true);
    expect(node.asked).toHaveLength(20);
    expect(new Set(node.asked).size).toBe(20);
  });

  test("not at all when too few could, and nobody is closed for nothing", async () => {
    const { open, node } = door({ balanceUsd: 100 });
    for (let n = 0; n < 100; n++) await open(`small${n}`, rental(1));
    expect(await open("big", rental(20))).toBe("TEMPORARILY_UNAVAILABLE");
    expect(node.asked).toEqual([]);
  });

  test("not when the node does not close them, and they can be asked again later", async () => {
    const { open, node, gaveWay } = door({ maxUnpaid: 10 });
    for (let n = 0; n < 10; n++) await open("many", rental(1));
    node.closes = false;
    expect(await open("honest", rental(1))).toBe("TEMPORARILY_UNAVAILABLE");
    expect(gaveWay()).toBe(0);
    node.closes = true;
    expect(await open("honest", rental(1))).toBeObject();
  });
});
