/** The SMS is there: `delivered` and `finishing`. */
import { expect, test } from "bun:test";
import { Life } from "./life.ts";
import { HOUR, MINUTE, notSeen, QUOTED_COST, RECEIVED, SECOND, seen, sms } from "./orders.ts";

const delivered = (): Life => Life.open().toDelivered();

function finishing(): Life {
  const life = delivered();
  life.tell({ type: "CodeRead" });
  life.due();
  return life;
}

test("more SMS are stored, each once, and notified only the first time", () => {
  const life = Life.open({ notifyNpub: "ab".repeat(32) }).toDelivered();
  life.answer("notify", { type: "NoticeHanded" });
  life.tell({ type: "Hinted" });
  const { messages, effects } = life.looked("open", sms("m1"), sms("m2"), sms("m2"));
  expect(messages.map(({ id }) => id)).toEqual(["m2"]);
  expect(effects).toEqual([]);
});

const textOnly = (id: string) => sms(id, { code: null, text: "Welcome" });

test("the notice waits for the first message with a code, and is sent once", () => {
  const life = Life.open({ notifyNpub: "ab".repeat(32) }).toWaiting();
  life.tell({ type: "Hinted" });
  expect(life.looked("open", textOnly("m1")).effects).toEqual([]);
  expect(life.order).toMatchObject({ codeReceivedAt: null, state: { kind: "delivered" } });
  life.wait(MINUTE).tell({ type: "Hinted" });
  const { effects } = life.looked("open", textOnly("m1"), sms("m2"));
  expect(effects.map(({ kind }) => kind)).toEqual(["notify"]);
  expect(life.order.codeReceivedAt).toBe(life.now);
  life.answer("notify", { type: "NoticeHanded" });
  life.tell({ type: "Hinted" });
  expect(life.looked("open", sms("m3")).effects).toEqual([]);
});

test("a message that no code ever follows completes the order shortly before the number's end", () => {
  const life = Life.open().toWaiting();
  life.tell({ type: "Hinted" });
  life.looked("open", textOnly("m1"));
  const { due, number } = life.in("delivered");
  expect(due).toBe(number.endsAt - 90 * SECOND);
  life.due();
  life.looked("open");
  life.answer("finish", { type: "FinishAnswered", answer: { kind: "finished" } });
  expect(life.status).toBe("completed");
});

test("unread, the number is kept until 90 s before its end", () => {
  const life = delivered();
  expect(life.in("delivered").due).toBe(life.in("delivered").number.endsAt - 90 * SECOND);
});

test("30 s after the code was read the number is finished, once", () => {
  const life = delivered();
  life.tell({ type: "CodeRead" });
  expect(life.in("delivered").due).toBe(life.now + 30 * SECOND);
  const readAt = life.now;
  expect(life.wait(10 * SECOND).tell({ type: "CodeRead" }).events).toEqual([]);
  expect(life.order.codeReadAt).toBe(readAt);
  life.due();
  expect(life.in("finishing").step).toBe("looking");
  expect(life.status).toBe("code_received");
});

test("a code that is read when the number is nearly over does not lengthen its life", () => {
  const life = delivered();
  life.until(life.in("delivered").number.endsAt - 100 * SECOND).tell({ type: "CodeRead" });
  expect(life.in("delivered").due).toBe(life.in("delivered").number.endsAt - 90 * SECOND);
});

test("an SMS recorded after the number's end is finished at once", () => {
  const life = Life.open().toClosing();
  life.until(life.in("closing").number.endsAt + MINUTE).looked("finished", sms("m1"));
  expect(life.kind).toBe("delivered");
  life.due();
  expect(life.kind).toBe("finishing");
});

test("a delivered order cannot be cancelled or refunded", () => {
  const life = delivered();
  expect(life.cancelAsked()?.code).toBe("CANCEL_SMS_RECEIVED");
  expect(life.give({ invoice: "x", paymentHash: "0".repeat(64), expiresAt: life.now + HOUR })?.code).toBe(
    "REFUND_NOT_PENDING",
  );
});

test("a number that ended at the provider completes the order", () => {
  for (const [standing, provider] of [
    ["finished", -QUOTED_COST],
    ["refunded", 0],
  ] as const) {
    const life = delivered();
    life.tell({ type: "Hinted" });
    life.looked(standing);
    expect(life.status).toBe("completed");
    expect(life.watcher.sums.msat.kept).toBe(RECEIVED);
    expect(life.watcher.sums.µUSD.provider).toBe(provider);
  }
});

test("a number that the provider merely does not explain is kept", () => {
  const life = delivered();
  life.tell({ type: "Hinted" });
  life.looked("missing");
  expect(life.kind).toBe("delivered");
});

test("a customer who reactivates the number has it finished at once", () => {
  const life = delivered();
  life.tell({ type: "FinishAsked" });
  expect(life.kind).toBe("finishing");
  expect(life.tell({ type: "FinishAsked" }).events).toEqual([]);
});

test("the last messages are stored before the number is finished, because nobody can read them afterwards", () => {
  const life = finishing();
  expect(life.has("finish")).toBe(false);
  life.looked("open", sms("m1"), sms("m9"));
  expect(life.order.messageIds).toEqual(["m1", "m9"]);
  life.answer("finish", { type: "FinishAnswered", answer: { kind: "finished" } });
  expect(life.status).toBe("completed");
  expect(life.order.state).toMatchObject({ number: { activationId: "900000007" } });
});

test("an SMS that arrives in the instant of the finish is stored, and the number finished again", () => {
  const life = finishing();
  life.looked("open");
  life.answer("finish", { type: "FinishAnswered", answer: { kind: "sms_arrived", messages: [sms("m2")] } });
  expect(life.order.messageIds).toEqual(["m1", "m2"]);
  life.due();
  life.looked("open");
  life.answer("finish", { type: "FinishAnswered", answer: { kind: "finished" } });
  expect(life.status).toBe("completed");
});

test.each(["finished", "ended", "missing", "refunded"] as const)(
  "finishing what is %s at the provider already completes",
  (standing) => {
    const life = finishing();
    life.looked(standing);
    expect(life.status).toBe("completed");
  },
);

test("a finish of what is not active completes; one whose answer was lost looks again", () => {
  const done = finishing();
  done.looked("open");
  done.answer("finish", { type: "FinishAnswered", answer: { kind: "not_active" } });
  expect(done.status).toBe("completed");
  const lost = finishing();
  lost.looked("open");
  lost.crash();
  lost.due();
  lost.looked("finished");
  expect(lost.status).toBe("completed");
});

test("a look that fails is repeated at growing intervals before the number is finished", () => {
  const life = finishing();
  const pauses: number[] = [];
  for (let tries = 1; tries <= 7; tries++) {
    life.answer("look", notSeen);
    pauses.push((life.in("finishing").due - life.now) / SECOND);
    life.due();
  }
  expect(pauses).toEqual([2, 4, 8, 16, 32, 60, 60]);
  expect(life.has("finish")).toBe(false);
});

test("a late look while the finish is out stores its messages and starts no second finish", () => {
  const life = finishing();
  life.looked("open");
  const { messages, effects } = life.tell(seen("open", sms("m2")));
  expect(messages.map(({ id }) => id)).toEqual(["m2"]);
  expect(effects).toEqual([]);
});

test("a code that is read only after the end is remembered, once", () => {
  const life = delivered();
  life.tell({ type: "Hinted" });
  life.looked("finished");
  life.tell({ type: "CodeRead" });
  expect(life.order.codeReadAt).toBe(life.now);
  expect(life.tell({ type: "CodeRead" }).events).toEqual([]);
});

test("an hour after the number's end nobody waits for its finish any more, but a person is told", () => {
  const life = finishing();
  const { endsAt } = life.in("finishing").number;
  for (let looks = 0; life.kind === "finishing" && looks < 200; looks++) {
    life.answer("look", notSeen);
    if (life.kind === "finishing") life.due();
  }
  expect(life.status).toBe("completed");
  expect(life.now).toBeGreaterThan(endsAt + HOUR);
  expect(life.order.attention?.reason).toBe("finish_unconfirmed");
});

test("one look that fails after an outage of hours does not give up the number", () => {
  const life = delivered();
  life.until(life.in("delivered").number.endsAt + 2 * HOUR).due();
  life.crash();
  expect(life.in("finishing").step).toBe("pausing");
  expect(life.order.attention).toBeNull();
  life.due();
  life.looked("finished");
  expect(life.status).toBe("completed");
  expect(life.order.attention).toBeNull();
});

test("a process that dies under look after look does not give up the number", () => {
  const life = delivered();
  life.until(life.in("delivered").number.endsAt + 2 * HOUR).due();
  for (let died = 0; died < 10; died++) {
    life.crash();
    life.due();
  }
  expect(life.order.attention).toBeNull();
  life.looked("finished");
  expect(life.status).toBe("completed");
});

test("a finish that takes too long is told to a person and waited for", () => {
  const life = finishing();
  life.due();
  expect(life.order.attention?.reason).toBe("finish_overdue");
  life.looked("finished");
  expect(life.order.attention).toBeNull();
});

test("reading the code while the number is being finished, or after, is remembered", () => {
  const life = delivered();
  life.due();
  life.tell({ type: "CodeRead" });
  expect(life.order.codeReadAt).toBe(life.now);
  expect(life.kind).toBe("finishing");
});

test("a last look that answers after the order completed still brings its messages", () => {
  const life = delivered();
  life.tell({ type: "Hinted" });
  const late = life.effect("look");
  life.tell({ type: "FinishAsked" });
  life.pending.delete(late.key);
  life.looked("open");
  life.answer("finish", { type: "FinishAnswered", answer: { kind: "finished" } });
  const { messages } = life.tell(seen("finished", sms("m1"), sms("m2")));
  expect(messages.map(({ id }) => id)).toEqual(["m2"]);
  expect(life.status).toBe("completed");
  expect(life.order.attention).toBeNull();
});
