/** A rental: a sale of access until its end. */
import { expect, test } from "bun:test";
import { microUsd } from "../../../actors/order/money.ts";
import { Life } from "./life.ts";
import { DAY, destination, HOUR, MINUTE, notSeen, QUOTED_COST, RECEIVED, SECOND, seen, sms } from "./orders.ts";

function renting(options: Parameters<typeof Life.open>[0] = {}): Life {
  const life = Life.open({ type: "rent-number", ...options });
  life.settle();
  life.wait(5_000).bought();
  return life;
}

test("a rental is earned with its number and runs until shortly before the provider's end", () => {
  const life = renting();
  expect(life.status).toBe("rent_active");
  expect(life.watcher.sums.msat).toMatchObject({ kept: RECEIVED, owed: 0 });
  expect(life.in("renting").due).toBe(life.in("renting").number.endsAt - 90 * SECOND);
});

test("SMS keep arriving and the rental goes on", () => {
  const life = renting({ notifyNpub: "ab".repeat(32) });
  for (const id of ["m1", "m2"]) {
    life.wait(HOUR).tell({ type: "Hinted" });
    life.looked("open", sms(id));
  }
  expect(life.order.messageIds).toEqual(["m1", "m2"]);
  expect(life.status).toBe("rent_active");
  expect(life.tell({ type: "CodeRead" }).order.codeReadAt).toBe(life.now);
});

test("shortly before the end it looks again and again, and at the end it is complete", () => {
  const life = renting();
  const { endsAt } = life.in("renting").number;
  const looks: number[] = [];
  for (life.due(); life.kind === "renting"; life.due()) {
    looks.push((endsAt - life.now) / SECOND);
    life.looked("open");
  }
  expect(looks[0]).toBe(90);
  expect(looks.at(-1)).toBeLessThanOrEqual(10);
  expect(looks.length).toBeLessThan(10);
  expect(life.status).toBe("completed");
  expect(life.now).toBe(endsAt);
});

test("a last look that answers after the end still brings its messages", () => {
  const life = renting();
  while (life.kind === "renting") life.due();
  expect(life.status).toBe("completed");
  life.looked("finished", sms("m1"));
  expect(life.order.messageIds).toEqual(["m1"]);
  expect(life.order.attention).toBeNull();
});

test("an SMS of the last seconds is still looked for", () => {
  const life = renting();
  life.due();
  life.looked("open");
  life.wait(60 * SECOND).tell({ type: "Hinted" });
  life.looked("open", sms("m1"));
  expect(life.order.messageIds).toEqual(["m1"]);
});

test("an end that passed while the process was down brings the codes that the history still knows", () => {
  const life = renting({ notifyNpub: "ab".repeat(32) });
  life.until(life.in("renting").number.endsAt + HOUR).tell({ type: "Due" });
  expect(life.status).toBe("completed");
  life.looked("finished", sms("~1", { text: null, from: null, receivedAt: null }));
  expect(life.order.messageIds).toEqual(["~1"]);
  expect(life.has("notify")).toBe(true);
  expect(life.watcher.sums.msat).toMatchObject({ kept: RECEIVED, owed: 0 });
});

test("a look that is out when the rental ends is not asked a second time", () => {
  const life = renting();
  life.until(life.in("renting").number.endsAt - SECOND).tell({ type: "Hinted" });
  life.due();
  life.until(life.now + 2 * SECOND).tell({ type: "Due" });
  expect(life.status).toBe("completed");
  const looks = [...life.pending.values()].filter(({ kind }) => kind === "look");
  // The one of the hint and the last one before the end; none for the end itself.
  expect(looks).toHaveLength(2);
});

test("a long rental that failed months after its payment still waits its whole claim window for a destination", () => {
  const life = Life.open({ type: "rent-number", hours: 4_320 });
  life.settle();
  life.wait(5_000).bought({ endsAt: life.now + 4_320 * HOUR });
  life.wait(100 * DAY).tell({ type: "Hinted" });
  life.looked("refunded");
  expect(life.status).toBe("failed");
  expect(life.give(destination(2, life.now + 35 * MINUTE))).toBeNull();
  while (life.kind === "refunding") {
    life.refundFailed();
    if (life.kind === "refunding") life.due();
  }
  // The first destination came to nothing: there is time for another.
  expect(life.in("refundStuck").due).toBeGreaterThan(life.now + 30 * DAY);
  expect(life.give(destination(3, life.now + HOUR))).toBeNull();
  life.refunded();
  expect(life.status).toBe("refunded");
});

test("a rental taken away early and empty failed: its sats are owed, and paid to a destination", () => {
  const life = renting({ destination: null });
  life.wait(HOUR).tell({ type: "Hinted" });
  life.looked("refunded");
  expect(life.status).toBe("failed");
  expect(life.watcher.sums.msat).toMatchObject({ owed: RECEIVED, kept: 0 });
  expect(life.watcher.sums.µUSD).toMatchObject({ provider: 0, numbers: 0, loss: 0 });
  const { claims } = life.tell({ type: "DestinationGiven", destination: destination(2) });
  expect(claims).toHaveLength(1);
  expect(life.order.endedAt).toBeNull();
  life.refunded();
  expect(life.status).toBe("refunded");
});

test("a dearer rental taken away early leaves nothing in the books", () => {
  const life = Life.open({ type: "rent-number" });
  life.settle();
  life.bought({ cost: microUsd(QUOTED_COST + 99) });
  life.tell({ type: "Hinted" });
  life.looked("refunded");
  expect(life.watcher.sums.µUSD).toMatchObject({ provider: 0, numbers: 0, loss: 0 });
});

test("a rental taken away early after an SMS is complete, and a person looks at it", () => {
  const life = renting();
  life.wait(HOUR).tell({ type: "Hinted" });
  life.looked("refunded", sms("m1"));
  expect(life.status).toBe("completed");
  expect(life.order.attention?.reason).toBe("rental_ended_early");
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
});

/** The provider says so once, and again in the looks that follow a minute apart. */
function saidThrice(life: Life, standing: "finished" | "ended" | "missing"): void {
  life.wait(HOUR).tell({ type: "Hinted" });
  for (let times = 1; times <= 2; times++) {
    life.looked(standing);
    expect(life.status).toBe("rent_active");
    expect(life.in("renting").due).toBe(life.now + MINUTE);
    life.due();
  }
  life.looked(standing);
}

test.each(["finished", "ended", "missing"] as const)(
  "an empty rental that is %s early three times in a row failed: its sats are owed, its cost is lost",
  (standing) => {
    const life = renting({ destination: null });
    saidThrice(life, standing);
    expect(life.status).toBe("failed");
    expect(life.order.attention?.reason).toBe("rental_ended_early");
    expect(life.watcher.sums.msat).toMatchObject({ owed: RECEIVED, kept: 0 });
    expect(life.watcher.sums.µUSD).toMatchObject({ provider: -QUOTED_COST, numbers: 0, loss: QUOTED_COST });
    expect(life.give(destination(2, life.now + 2 * HOUR))).toBeNull();
    life.refunded();
    expect(life.status).toBe("refunded");
  },
);

test.each(["finished", "ended", "missing"] as const)(
  "a rental with an SMS that is %s early three times in a row is complete, and a person looks at it",
  (standing) => {
    const life = renting();
    life.wait(HOUR).tell({ type: "Hinted" });
    life.looked("open", sms("m1"));
    saidThrice(life, standing);
    expect(life.status).toBe("completed");
    expect(life.order.attention?.reason).toBe("rental_ended_early");
    expect(life.watcher.sums.msat).toMatchObject({ owed: 0, kept: RECEIVED });
  },
);

test("a rental that is open again after a doubt runs on to its end", () => {
  const life = renting();
  life.wait(HOUR).tell({ type: "Hinted" });
  life.looked("missing");
  life.due();
  life.looked("missing");
  life.due();
  life.looked("open");
  expect(life.in("renting")).toMatchObject({ saidEnded: 0, due: life.in("renting").number.endsAt - 90 * SECOND });
  life.tell({ type: "Hinted" });
  life.looked("missing");
  life.due();
  life.looked("missing");
  expect(life.status).toBe("rent_active");
});

test("looks in one breath do not confirm an end, and a look that fails is repeated", () => {
  const life = renting();
  life.wait(HOUR).tell({ type: "Hinted" });
  life.tell({ type: "Hinted" });
  life.looked("missing");
  expect(life.has("look")).toBe(false);
  expect(life.tell({ type: "Hinted" }).events).toEqual([]);
  life.due();
  life.answer("look", notSeen);
  expect(life.in("renting")).toMatchObject({ saidEnded: 1, due: life.now + MINUTE });
  life.due();
  expect(life.has("look")).toBe(true);
});

test("a doubt shortly before the end changes nothing", () => {
  const life = renting();
  const { endsAt } = life.in("renting").number;
  life.until(endsAt - 100 * SECOND).tell({ type: "Hinted" });
  life.looked("ended");
  expect(life.in("renting").due).toBe(endsAt - 90 * SECOND);
  while (life.kind === "renting") {
    life.due();
    if (life.kind === "renting") life.looked("ended");
  }
  expect(life.status).toBe("completed");
  expect(life.now).toBe(endsAt);
});

test("a look that fails changes nothing", () => {
  const life = renting();
  life.tell({ type: "Hinted" });
  life.answer("look", notSeen);
  expect(life.in("renting").looking).toBe("idle");
});

test("a rental cannot be cancelled, finished or refunded", () => {
  const life = renting();
  expect(life.wait(4 * MINUTE).cancelAsked()?.code).toBe("CANCEL_NOT_ALLOWED");
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
  expect(life.tell({ type: "FinishAsked" }).events).toEqual([]);
});

test("an SMS of a failed rental is told to a person, never shown", () => {
  const life = renting({ destination: null });
  life.tell({ type: "Hinted" });
  life.looked("refunded");
  life.tell(seen("refunded", sms("m1")));
  expect(life.order).toMatchObject({ messageIds: [], attention: { reason: "sms_after_end" } });
});
