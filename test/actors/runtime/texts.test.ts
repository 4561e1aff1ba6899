import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OrderEvent } from "../../../actors/order/events.ts";
import { DEFAULT_POLICY, USUAL_POLICY } from "../../../actors/order/policy.ts";
import { SCHEMA_VERSION } from "../../../actors/runtime/schema.ts";
import { eventText, orderText, parseEvent, parseOrder, readableOrder, STATE } from "../../../actors/runtime/texts.ts";
import { failureOf } from "../../support/manual-world.ts";
import { destinationOf, idOf, opening, startEngine } from "./engine.ts";

const OPERATING = readFileSync(join(import.meta.dir, "../../../docs/operating.md"), "utf8");

const orderWith = (policy: Partial<typeof DEFAULT_POLICY>) =>
  opening(1, 1_000, { terms: { policy: { ...DEFAULT_POLICY, ...policy } } });

test("what a stored order leaves out of its policy stands for this, whatever becomes of the defaults", () => {
  expect(USUAL_POLICY).toEqual({
    invoiceExpiryMs: 300_000,
    smsTimeoutMs: 1_200_000,
    cancelAfterMs: 180_000,
    buyWindowMs: 240_000,
    buyAttempts: 4,
    minActivationMs: 120_000,
    lateAfterMs: 300_000,
    codeGraceMs: 30_000,
    endMarginMs: 90_000,
    refundPayTimeoutMs: 60_000,
    claimWindowMs: 7_776_000_000,
    refundFeeCap: { leastSats: 2, baseSats: 0, ppm: 5_000 },
  });
});

test.each([
  ["the usual one", {}, {}],
  ["one that differs", { codeGraceMs: 0 }, { codeGraceMs: 0 }],
  [
    "another cap",
    { refundFeeCap: { leastSats: 4, baseSats: 4, ppm: 4_000 } },
    { refundFeeCap: { leastSats: 4, baseSats: 4, ppm: 4_000 } },
  ],
])("of a policy only what differs is written, and all of it is read: %s", (_, policy, written) => {
  const { order, events } = orderWith(policy);
  const [opened] = events as [OrderEvent & { type: "Opened" }];
  const scrubbed: OrderEvent = { type: "Scrubbed", order, at: 1 };
  expect(JSON.parse(orderText(order)).terms.policy).toEqual(written);
  expect(JSON.parse(eventText(opened)).terms.policy).toEqual(written);
  expect(JSON.parse(eventText(scrubbed)).order.terms.policy).toEqual(written);
  expect(parseOrder(orderText(order))).toStrictEqual(order);
  expect(parseEvent(eventText(opened))).toStrictEqual(opened);
  expect(parseEvent(eventText(scrubbed))).toStrictEqual(scrubbed);
  // Reading changes nothing that writing wrote.
  expect(orderText(parseOrder(orderText(order)))).toBe(orderText(order));
});

test.each([{}, { codeGraceMs: 0 }])("orders of the same policy share it: %j", (policy) => {
  const text = orderText(orderWith(policy).order);
  expect(parseOrder(text).terms.policy).toBe(parseOrder(text).terms.policy);
});

test("rows and events are written so", async () => {
  const engine = startEngine();
  await engine.withNumber(1);
  const column = (sql: string) => engine.db.query<{ policy: string }, []>(sql).all();
  expect(column("SELECT state ->> '$.terms.policy' AS policy FROM orders")).toEqual([{ policy: "{}" }]);
  expect(column("SELECT body ->> '$.terms.policy' AS policy FROM events WHERE type = 'Opened'")).toEqual([
    { policy: "{}" },
  ]);
});

describe("the row of an order", () => {
  const texts = ({ db }: ReturnType<typeof startEngine>) =>
    db.query<{ state: string }, []>("SELECT state FROM orders").values().flat();

  test("that has only opened has no text: the event says the same", async () => {
    const engine = startEngine();
    const options = { destination: destinationOf(1, engine.world.now() + 1) };
    const { order, events } = opening(1, engine.world.now(), options);
    await engine.open(1, options);
    expect(texts(engine)).toEqual([""]);
    // Older programs could not read it, and must refuse the database.
    expect(SCHEMA_VERSION).toBeGreaterThanOrEqual(16);
    engine.supervisor.evict(idOf(1));
    expect(engine.supervisor.read(idOf(1))).toStrictEqual(order);
    expect(events.map(eventText).map(parseOrder)).toStrictEqual([order]);
    expect(engine.isReplayable(1)).toBe(true);
  });

  test("has one from its next step on, also while it is unpaid", async () => {
    const engine = startEngine();
    await engine.open(1);
    await engine.tell(1, { type: "PreimageShown" });
    expect(engine.order(1)).toMatchObject({ provenAt: engine.world.now(), state: { kind: "unpaid" } });
    expect(texts(engine)).toEqual([orderText(engine.order(1))]);
    expect(engine.isReplayable(1)).toBe(true);
  });

  test("of an older version has a text, and is read the same", async () => {
    const engine = startEngine();
    await engine.open(1);
    const order = engine.order(1);
    engine.db.run("UPDATE orders SET state = ?", [orderText(order)]);
    expect(engine.order(1)).toStrictEqual(order);
    await engine.pay(1);
    expect(engine.isReplayable(1)).toBe(true);
  });

  test("that lost its text later is nobody's, not the order as it opened", async () => {
    const engine = startEngine();
    await engine.withNumber(1);
    engine.db.run("UPDATE orders SET state = ''");
    expect(() => engine.order(1)).toThrow();
    const read = engine.db.query<{ state: string }, []>(`SELECT ${STATE} FROM orders`).get();
    expect(read).toEqual({ state: "" });
  });

  test("that names another order is nobody's: it is set aside under its own id, and the other one stays as it was", async () => {
    const engine = startEngine();
    await engine.open(1);
    await engine.open(2);
    engine.db.run("UPDATE events SET body = json_set(body, '$.id', ?) WHERE order_id = ?", [idOf(2), idOf(1)]);
    for (let crash = 0; crash < 4; crash++) expect(await failureOf(engine.pay(1))).toBeInstanceOf(Error);
    expect([engine.store.isQuarantined(idOf(1)), engine.store.isQuarantined(idOf(2))]).toEqual([true, false]);
    expect(engine.order(2).payment).toBeNull();
  });

  test("is let go by the words of the documentation when it was set aside", async () => {
    const engine = startEngine();
    await engine.open(1);
    await engine.withNumber(2);
    const due = engine.column(2, "due");
    for (const id of [idOf(1), idOf(2)]) {
      engine.db.run("INSERT INTO quarantine VALUES (?, 1, 'TypeError')", [id]);
      engine.db.run("UPDATE orders SET due = NULL, attention_since = 1 WHERE id = ?", [id]);
    }
    const [, words] =
      /sqlite3 "\$DATA_DIR\/orders.sqlite" "(BEGIN; DELETE FROM quarantine [^"]+)"/.exec(OPERATING) ?? [];
    if (words === undefined) throw new Error("The documentation has other words");
    for (const id of [idOf(1), idOf(2)]) engine.db.run(words.replaceAll("'ID'", `'${id}'`).replaceAll("\\$", "$"));
    expect(engine.store.quarantined()).toEqual([]);
    expect([1, 2].map((n) => [engine.column(n, "due"), engine.column(n, "attention_since")])).toEqual([
      [null, null],
      [due, null],
    ]);
  });
});

test("an order of an older version, with the whole policy or without a cap for the fee, reads the same", () => {
  const { order, events } = orderWith({});
  const { refundFeeCap: _, ...older } = order.terms.policy;
  const whole = JSON.stringify(order);
  const without = JSON.stringify({ ...order, terms: { ...order.terms, policy: older } });
  for (const text of [whole, without]) expect(parseOrder(text)).toStrictEqual(order);
  for (const event of events) expect(parseEvent(JSON.stringify(event))).toStrictEqual(event);
});

test("a text that makes no sense is no order, and one without terms or policy is left as it is", () => {
  for (const text of ["", "{", "null", "[]", '{"v":2}']) expect(readableOrder(text)).toBeNull();
  for (const text of ['{"v":1}', '{"v":1,"terms":{}}', '{"v":1,"terms":{"policy":7}}', '{"v":1,"terms":null}']) {
    expect(JSON.stringify(parseOrder(text))).toBe(text);
  }
  for (const text of ["null", "7", '{"type":"Opened"}', '{"type":"Scrubbed"}', '{"type":"Scrubbed","order":{}}']) {
    expect(JSON.stringify(parseEvent(text))).toBe(text);
  }
});
