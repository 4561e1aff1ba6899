/**
 * Every short life, tried out: breadth first over all that can be said, with states that differ only in clock times and counts taken as
 * one. The invariants are checked in each step by `Life`; here it is also counted which cells of the lifecycle table were entered.
 */
import { expect, test } from "bun:test";
import { COMMAND_TYPES, type CommandType } from "../../../actors/order/commands.ts";
import { LIFECYCLE } from "../../../actors/order/decide.ts";
import { deadline, type Kind } from "../../../actors/order/state.ts";
import { ORDER_TYPES, type OrderType } from "../../../actors/order/terms.ts";
import { choices } from "./choices.ts";
import { Life } from "./life.ts";
import { destination, MINUTE, OPENED_AT } from "./orders.ts";

const KINDS = Object.keys(LIFECYCLE) as Kind[];

/** What makes two lives behave alike from here on: the state without clock times, and which limits have passed. */
function likeness({ order, now, pending }: Life): string {
  const { state, payment, destination: to, loose } = order;
  const few = (count: number) => Math.min(count, 3);
  const flat = Object.fromEntries(
    Object.entries({ ...order, ...state }).filter(
      ([, value]) => typeof value !== "object" && typeof value !== "number",
    ),
  );
  const counts = "attempt" in state ? few(state.attempt) : "saidEnded" in state ? state.saidEnded : 0;
  const since = "since" in state ? now - state.since > 2 * MINUTE : 0;
  const age = payment ? [3, 4, 20].filter((minutes) => now - payment.settledAt >= minutes * MINUTE).length : 0;
  const due = deadline(order);
  return JSON.stringify([
    flat,
    counts,
    since,
    age,
    payment !== null && [payment.late, payment.receivedMsats],
    to && [to.claimed, to.expiresAt - now > 2 * MINUTE],
    loose && loose.found !== null,
    [order.codeReceivedAt, order.codeReadAt, order.cancelAskedAt, order.provenAt, order.refund].map(
      (fact) => fact !== null,
    ),
    few(order.messageIds.length),
    order.attention?.reason,
    due !== null && due <= now,
    "number" in state && state.number !== null && now > state.number.endsAt,
    [...pending.values()].map((effect) => effect.kind).sort(),
  ]);
}

interface Found {
  /** Lives that differ. */
  readonly lives: number;
  /** "kind command" of the cells that did something: events, effects or a refusal. */
  readonly acted: ReadonlySet<string>;
}

/** Where the search sets out from: every kind of start, and the places that take long to reach. */
function starts(type: OrderType): Life[] {
  const open = [null, destination(), destination(1, OPENED_AT + 9 * MINUTE)].map((to) =>
    Life.open({ type, destination: to, notifyNpub: "ab".repeat(32) }),
  );
  const paid = Life.open({ type });
  paid.settle();
  const lost = paid.fork();
  lost.buyLost();
  const bought = paid.fork();
  bought.wait(5_000).bought();
  const closing = bought.fork();
  if (type !== "rent-number") closing.due();
  return [...open, lost, bought, closing];
}

function search(type: OrderType): Found {
  const seen = new Set<string>();
  const acted = new Set<string>();
  let edge = starts(type);
  for (let round = 0; round < DEPTH; round++) {
    const next: Life[] = [];
    for (const life of edge) {
      for (const { command, answers, at } of choices(life, round + 1)) {
        const child = life.fork().until(at);
        const { events, effects, reply } = child.tell(command, answers ?? undefined);
        if (events.length + effects.length > 0 || !reply.ok) acted.add(`${life.kind} ${command.type}`);
        const key = likeness(child);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(child);
      }
    }
    edge = next;
  }
  return { lives: seen.size, acted };
}

const DEPTH = 6;

/** Alarms for what must not happen: they act only if an answer came twice, or to the wrong order; `alarms.test.ts` rings them. */
const ALARMS: Readonly<Partial<Record<CommandType, readonly Kind[]>>> = {
  Looked: ["unpaid", "lapsed", "buying", "buyUnknown"],
  BuyAnswered: KINDS.filter((kind) => kind !== "buying"),
};

const idle = (does: string): boolean => /^(stays|never happens)\b/.test(does);

test("no short life breaks an invariant, and the lifecycle table says of every cell whether it acts", () => {
  const acted = new Set<string>();
  for (const type of ORDER_TYPES) {
    const found = search(type);
    expect(found.lives).toBeGreaterThan(3_000);
    for (const cell of found.acted) acted.add(cell);
  }
  const cells = KINDS.flatMap((kind) => COMMAND_TYPES.map((command) => ({ kind, command })));
  const wrong = cells.filter(({ kind, command }) => {
    const alarm = ALARMS[command]?.includes(kind) ?? false;
    return acted.has(`${kind} ${command}`) !== (!idle(LIFECYCLE[kind][command].does) && !alarm);
  });
  expect(wrong).toEqual([]);
}, 60_000);
