import { expect, test } from "bun:test";
import fc from "fast-check";
import { Holders, NOTHING, type Resource, Sums } from "../../src/orders/holders.ts";

const RESOURCES = ["count", "microUsd", "sats"] as const satisfies readonly Resource[];
const name = (n: number) => `n${n}`;

const order = fc.record({
  id: fc.nat(40),
  network: fc.nat(6),
  client: fc.nat(3),
  microUsd: fc.nat(50),
  sats: fc.nat(50),
  since: fc.nat(200_000),
});
const step = fc.oneof(
  fc.record({ do: fc.constant("add" as const), order }),
  fc.record({ do: fc.constant("remove" as const), id: fc.nat(40) }),
  fc.record({
    do: fc.constant("giveWay" as const),
    resource: fc.constantFrom(...RESOURCES),
    missing: fc.integer({ min: 1, max: 60 }),
    network: fc.nat(6),
    amount: fc.nat(60),
    stays: fc.boolean(),
  }),
);

test("whatever comes, goes and gives way, the sums are the sums of what is there, and nobody gives way to one who holds more", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const holders = new Holders();
      const held = new Map<
        string,
        { network: string; client: string; count: number; microUsd: number; sats: number; since: number }
      >();
      const leaving = new Set<string>();
      const total = (of: (id: string) => boolean, resource: Resource) =>
        [...held].filter(([id]) => of(id)).reduce((sum, [, row]) => sum + row[resource], 0);
      let clock = 200_000;
      for (const action of steps) {
        if (action.do === "add") {
          const { id, network, client, microUsd, sats } = action.order;
          const owner = { network: name(network), client: `${name(network)}.${client}` };
          clock += 1_000;
          held.delete(name(id));
          leaving.delete(name(id));
          held.set(name(id), { ...owner, count: 1, microUsd, sats, since: clock });
          holders.add(name(id), owner, { count: 1, microUsd, sats }, clock);
        } else if (action.do === "remove") {
          held.delete(name(action.id));
          leaving.delete(name(action.id));
          holders.remove(name(action.id));
        } else {
          const { resource, missing, amount } = action;
          const network = name(action.network);
          const fair = total((id) => held.get(id)?.network === network, resource) + amount;
          const now = clock + 30_000;
          const ids = holders.giveWay({ resource, missing, owner: { network, client: network }, amount }, now);
          if (ids) {
            expect(new Set(ids).size).toBe(ids.length);
            expect(ids.length).toBeLessThanOrEqual(10);
            expect(total((id) => ids.includes(id), resource)).toBeGreaterThanOrEqual(missing);
            for (const id of ids) {
              const row = held.get(id);
              if (!row || leaving.has(id)) throw new Error("Gives way twice, or is not there");
              expect(row.network).not.toBe(network);
              const share = total((other) => held.get(other)?.network === row.network, resource);
              expect(share > fair || (share >= fair && now - row.since >= 60_000)).toBe(true);
              if (action.stays) holders.stays(id);
              else leaving.add(id);
            }
          }
        }
        for (const resource of RESOURCES) {
          expect(holders.total[resource]).toBe(total(() => true, resource));
          expect(holders.leaving[resource]).toBe(total((id) => leaving.has(id), resource));
          for (let n = 0; n <= 6; n++) {
            expect(holders.ofNetwork(name(n))[resource]).toBe(
              total((id) => held.get(id)?.network === name(n), resource),
            );
          }
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("what is held counts for its client, its network and in all until it is let go, and only once", () => {
  const sums = new Sums();
  const mine = { client: "a", network: "n" };
  const amounts = { count: 1, microUsd: 5, sats: 7 };
  const first = sums.hold(mine, amounts);
  const second = sums.hold({ client: "b", network: "n" }, amounts);
  expect(sums.ofClient("a")).toEqual(amounts);
  expect(sums.ofNetwork("n")).toEqual({ count: 2, microUsd: 10, sats: 14 });
  expect(sums.total).toEqual({ count: 2, microUsd: 10, sats: 14 });
  first();
  first();
  expect(sums.ofClient("a")).toEqual(NOTHING);
  expect(sums.ofNetwork("n")).toEqual(amounts);
  second();
  expect([sums.ofNetwork("n"), sums.total]).toEqual([NOTHING, NOTHING]);
});
