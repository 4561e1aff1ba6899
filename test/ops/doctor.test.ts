import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockDataDir } from "../../src/lock.ts";
import { ADVICE } from "../../src/ops/doctor/advice.ts";
import { runDoctor } from "../../src/ops/doctor.ts";
import { hashOf, idOf, Lives, SECRETS } from "./doctor-life.ts";

const DAY = 86_400_000;

interface Json {
  readonly clean: boolean;
  readonly orders: number;
  readonly byKind: Record<string, number>;
  readonly ledger: { account: string; unit: string; amount: number }[];
  readonly checks: Record<string, number | null>;
  readonly findings: { total: number; list: { check: string; orderId: string | null; problem: string }[] };
  readonly waiting: {
    operator: number;
    customer: number;
    past: number;
    unclaimed: number;
    overdue: number;
    list: { for: string; orderId: string; reason: string; advice: string; owedMsats: number }[];
  };
}

let lives: Lives;
beforeEach(async () => {
  lives = await new Lives().all();
});
afterEach(() => lives.remove());

async function examined(now?: number): Promise<Json & { code: number }> {
  const { code, text } = await lives.doctor(["--json"], now);
  return { ...(JSON.parse(text) as Json), code };
}

describe("a sound database", () => {
  test("has no findings in any kind of state, and its books add up", async () => {
    const report = await examined();
    expect(report.findings).toEqual({ total: 0, list: [] });
    expect(Object.values(report.checks).every((found) => found === 0)).toBe(true);
    expect(report.orders).toBe(9);
    expect(report.byKind).toEqual({
      unpaid: 1,
      lapsed: 1,
      buying: 1,
      waiting: 1,
      delivered: 1,
      done: 2,
      refundStuck: 2,
    });
    const msat = (account: string) => report.ledger.find((sum) => sum.account === account)?.amount ?? 0;
    // Seven paid 100 sat each: two kept, one refunded, four still owed something for it.
    expect(-msat("received")).toBe(700_000);
    expect(msat("kept") + msat("fees")).toBe(200_000);
    expect([msat("refunded"), msat("fees"), msat("owed")]).toEqual([100_000, 1_500, 400_000]);
  });

  test("is clean when nobody waits for the operator, whatever customers have left to do", async () => {
    await lives.tell("loose", { type: "BuySearched", attempt: 1, answer: { kind: "absent" } }, "findBuy");
    const report = await examined();
    expect([report.code, report.clean, report.waiting.operator]).toEqual([0, true, 0]);
    expect(report.waiting.customer).toBe(2);
    const { code, text } = await lives.doctor([]);
    expect(code).toBe(0);
    expect(text).toContain("The books are sound.");
    expect(text).not.toContain("BAD");
  });

  test("says how the provider sees the account, and what is not sold because of it", async () => {
    const { db } = lives.journal;
    const hour = Math.floor(lives.world.now() / 3_600_000);
    for (const service of ["tg", "*"]) {
      db.run("INSERT INTO pair_hours VALUES (?, ?, ?, 70, 3)", [service, service === "*" ? 0 : 187, hour]);
    }
    db.run("INSERT INTO pairs (service, country, last_at, barred_until) VALUES ('tg', 187, ?, 0), ('wa', 6, 1, ?)", [
      lives.world.now(),
      lives.world.now() + DAY,
    ]);
    const { text } = await lives.doctor([]);
    expect(text).toContain(
      "Numbers of 24 hours: 70 bought, 3 with an SMS\n  tg in 187: 70 bought, 3 with an SMS; sales pause",
    );
    expect(text).toContain("wa in 6: barred by the provider until 2026-");
    const { text: json } = await lives.doctor(["--json"]);
    expect(JSON.parse(json)).toMatchObject({
      account: { allPaused: false, paused: [{ service: "tg", country: 187 }], barred: [{ service: "wa", country: 6 }] },
    });
  });

  test("stays one after orders were buried, scrubbed and revived", async () => {
    lives.bury("lapsed");
    expect((await examined()).findings.list).toEqual([]);
    const { db } = lives.journal;
    const scrubbed = lives.order("completed");
    const order = {
      ...scrubbed,
      state: { ...scrubbed.state, number: null },
      terms: { ...scrubbed.terms, invoice: "" },
    };
    const event = { type: "Scrubbed", order, at: lives.world.now() };
    db.run("UPDATE orders SET state = ?, activation_id = NULL, opened_by = NULL WHERE id = ?", [
      JSON.stringify(order),
      order.id,
    ]);
    db.run("DELETE FROM messages WHERE order_id = ?", [order.id]);
    db.run("DELETE FROM events WHERE order_id = ?", [order.id]);
    db.run("INSERT INTO events VALUES (?, ?, ?, 1, 'Scrubbed', ?)", [
      order.id,
      order.seq,
      event.at,
      JSON.stringify(event),
    ]);
    expect((await examined()).findings.list).toEqual([]);
  });

  test("is read beside a server that holds its lock, and not one byte of it changes", async () => {
    const unlock = lockDataDir(lives.dataDir);
    const digest = () =>
      ["orders.sqlite", "orders.sqlite-wal"].map((name) =>
        createHash("sha256")
          .update(readFileSync(join(lives.dataDir, name)))
          .digest("hex"),
      );
    const before = digest();
    const files = readdirSync(lives.dataDir).sort();
    expect((await examined()).findings.total).toBe(0);
    expect(digest()).toEqual(before);
    expect(readdirSync(lives.dataDir).sort()).toEqual(files);
    // And the server goes on writing.
    await lives.open("meanwhile");
    unlock();
    expect((await examined()).orders).toBe(10);
  });
});

describe("a finding", () => {
  type Wound = [what: string, check: string, name: string | null, sql: string, ...values: (string | number | null)[]];
  const set = (path: string, value: string) =>
    `UPDATE orders SET state = json_set(state, '$.${path}', ${value}) WHERE id = ?`;
  const wounds: Wound[] = [
    ["a state that its events do not give", "journal", "waiting", set("codeReadAt", "5"), idOf("waiting")],
    ["a state that is no JSON", "journal", "waiting", "UPDATE orders SET state = 'x' WHERE id = ?", idOf("waiting")],
    [
      "a state that is no order",
      "journal",
      "waiting",
      "UPDATE orders SET state = '{\"v\":1}' WHERE id = ?",
      idOf("waiting"),
    ],
    ["a state of a version to come", "journal", "waiting", set("v", "2"), idOf("waiting")],
    [
      "an event that is gone",
      "journal",
      "delivered",
      "DELETE FROM events WHERE order_id = ? AND seq = 2",
      idOf("delivered"),
    ],
    ["all events gone", "journal", "delivered", "DELETE FROM events WHERE order_id = ?", idOf("delivered")],
    ["the only event gone", "journal", "unpaid", "DELETE FROM events WHERE order_id = ?", idOf("unpaid")],
    ["a text that is gone", "journal", "waiting", "UPDATE orders SET state = '' WHERE id = ?", idOf("waiting")],
    [
      "an event that was changed",
      "journal",
      "delivered",
      "UPDATE events SET at = at + 1 WHERE order_id = ? AND seq = 3",
      idOf("delivered"),
    ],
    [
      "an event that is no JSON",
      "journal",
      "delivered",
      "UPDATE events SET body = '{' WHERE order_id = ? AND seq = 3",
      idOf("delivered"),
    ],
    [
      "an event that holds no order",
      "journal",
      "delivered",
      "UPDATE events SET body = '{\"type\":\"Scrubbed\"}', type = 'Scrubbed' WHERE order_id = ? AND seq = 1",
      idOf("delivered"),
    ],
    [
      "an event of a version to come",
      "journal",
      "delivered",
      "UPDATE events SET v = 2 WHERE order_id = ? AND seq = 3",
      idOf("delivered"),
    ],
    ["events without an order", "journal", "unpaid", "DELETE FROM orders WHERE id = ?", idOf("unpaid")],
    ["a column kind", "columns", "waiting", "UPDATE orders SET kind = 'done' WHERE id = ?", idOf("waiting")],
    ["a column due", "columns", "waiting", "UPDATE orders SET due = NULL WHERE id = ?", idOf("waiting")],
    ["a column seq", "columns", "waiting", "UPDATE orders SET seq = 99 WHERE id = ?", idOf("waiting")],
    [
      "a column activation_id",
      "columns",
      "waiting",
      "UPDATE orders SET activation_id = '1' WHERE id = ?",
      idOf("waiting"),
    ],
    ["a column payment_hash", "columns", "unpaid", "UPDATE orders SET payment_hash = 'x' WHERE id = ?", idOf("unpaid")],
    [
      "a payment hash in no index",
      "columns",
      "waiting",
      "UPDATE orders SET unindexed = 1 WHERE id = ?",
      idOf("waiting"),
    ],
    ["a column ended_at", "columns", "completed", "UPDATE orders SET ended_at = NULL WHERE id = ?", idOf("completed")],
    [
      "a column attention_since",
      "columns",
      "loose",
      "UPDATE orders SET attention_since = NULL WHERE id = ?",
      idOf("loose"),
    ],
    ["no deadline", "deadlines", "buying", set("state.due", "NULL"), idOf("buying")],
    ["a claim window that closed with sats owed", "deadlines", "stuck", set("state.due", "NULL"), idOf("stuck")],
    ["a buy that nobody makes", "effects", "buying", "DELETE FROM effects WHERE order_id = ?", idOf("buying")],
    ["a look that nobody takes", "effects", "waiting", "DELETE FROM effects WHERE order_id = ?", idOf("waiting")],
    [
      "a refund under way for an order that is over",
      "effects",
      "refunded",
      'INSERT INTO effects VALUES (?1 || \':refund:2\', ?1, \'{"kind":"refund","key":"\' || ?1 || \':refund:2"}\')',
      idOf("refunded"),
    ],
    [
      "an effect that cannot be read",
      "effects",
      "waiting",
      "UPDATE effects SET body = 'x' WHERE order_id = ?",
      idOf("waiting"),
    ],
    ["an effect of no order", "effects", null, "INSERT INTO effects VALUES ('a:look:1', 'a', '{}')"],
    ["a message that is gone", "messages", "delivered", "DELETE FROM messages WHERE order_id = ?", idOf("delivered")],
    [
      "a message that was never recorded",
      "messages",
      "delivered",
      "UPDATE messages SET id = 'other' WHERE order_id = ?",
      idOf("delivered"),
    ],
    ["a message of no order", "messages", null, "INSERT INTO messages VALUES ('a', 'z', 1, NULL, NULL, NULL, NULL, 1)"],
    ["a refund hash that nobody claimed", "claims", "refunded", "DELETE FROM claims"],
    ["a refund hash of another order", "claims", "refunded", "UPDATE claims SET order_id = ?", idOf("unpaid")],
    [
      "an unpaid order with the payment hash of another",
      "claims",
      "unpaid",
      `UPDATE orders SET payment_hash = '${hashOf("waiting")}' WHERE id = ?`,
      idOf("unpaid"),
    ],
    ["a claim of no order", "claims", null, "INSERT INTO claims VALUES ('idempotency_key', 'k', 'a', NULL, 1)"],
    [
      "a posting that is gone",
      "ledger",
      "completed",
      "DELETE FROM postings WHERE order_id = ? AND account = 'kept'",
      idOf("completed"),
    ],
    [
      "a posting to another account",
      "ledger",
      "completed",
      "UPDATE postings SET account = 'fees' WHERE order_id = ? AND account = 'kept'",
      idOf("completed"),
    ],
    [
      "a posting twice",
      "ledger",
      "completed",
      "INSERT INTO postings SELECT * FROM postings WHERE order_id = ?",
      idOf("completed"),
    ],
    [
      "a cost that is gone",
      "ledger",
      "completed",
      "DELETE FROM postings WHERE order_id = ? AND unit = 'µUSD'",
      idOf("completed"),
    ],
    ["a posting of no order", "ledger", null, "INSERT INTO postings VALUES ('a', 1, 1, 'kept', 'msat', 5)"],
    ["sats owed by an order that is over", "ledger", "completed", set("owedMsats", "5"), idOf("completed")],
    ["a refund without proof", "ledger", "refunded", set("refund.preimage", "'00'"), idOf("refunded")],
    ["a number without a payment", "ledger", "waiting", set("payment", "NULL"), idOf("waiting")],
    ["an invoice of another node", "binding", "waiting", set("terms.node", "'02ff'"), idOf("waiting")],
    [
      "an invoice of another node, that nobody has paid",
      "binding",
      "unpaid",
      "UPDATE events SET body = json_set(body, '$.terms.node', '02ff') WHERE order_id = ?",
      idOf("unpaid"),
    ],
    [
      "an order that was set aside",
      "quarantine",
      "waiting",
      "INSERT INTO quarantine VALUES (?, 1, 'TypeError')",
      idOf("waiting"),
    ],
    [
      "a sum by kind that its orders do not come to",
      "stakes",
      null,
      "UPDATE stakes SET sats = sats + 1 WHERE kind = 'waiting'",
    ],
    ["a sum by kind that is gone", "stakes", null, "DELETE FROM stakes WHERE kind = 'buying'"],
    ["a tombstone that cannot be read", "tombstones", null, "INSERT INTO tombstones VALUES ('h', 'a', '{}', 1)"],
  ];

  test.each(wounds)("is %s", async (_, check, name, sql, ...values) => {
    lives.tamper(sql, ...values);
    const report = await examined();
    expect(report.code).toBe(1);
    expect(report.checks[check]).toBeGreaterThan(0);
    const found = report.findings.list.filter((finding) => finding.check === check);
    if (name !== null) expect(found.map(({ orderId }) => orderId)).toContain(idOf(name));
    // Whatever is wrong with one order, the others are still examined.
    expect(report.orders).toBe(sql.startsWith("DELETE FROM orders") ? 8 : 9);
    for (const secret of Object.values(SECRETS)) expect(JSON.stringify(report)).not.toContain(secret);
  });

  test("in the last of many orders is found, page after page", async () => {
    const many = Array.from({ length: 650 }, (_, index) => `many ${index}`);
    await Promise.all(many.map((name) => lives.open(name)));
    const last = many.map(idOf).sort().at(-1) ?? "";
    expect((await examined()).orders).toBe(659);
    lives.tamper("UPDATE orders SET created_at = 1 WHERE id = ?", last);
    expect((await examined()).findings.list).toEqual([
      { check: "columns", orderId: last, problem: 'Column "created_at" differs from the state' },
    ]);
  });

  test("is told once a deadline of a quarantined order was taken away, and no more than that", async () => {
    lives.tamper("INSERT INTO quarantine VALUES (?, 1, 'TypeError')", idOf("buying"));
    lives.tamper("UPDATE orders SET due = NULL, attention_since = 1 WHERE id = ?", idOf("buying"));
    lives.tamper("DELETE FROM effects WHERE order_id = ?", idOf("buying"));
    const report = await examined();
    expect(report.findings.list.map(({ check }) => check)).toEqual(["quarantine"]);
    expect(report.waiting.list.find(({ reason }) => reason === "quarantined")?.orderId).toBe(idOf("buying"));
  });

  test("is a page that SQLite cannot read", async () => {
    const path = join(lives.dataDir, "orders.sqlite");
    lives.journal.truncateLog();
    const copy = mkdtempSync(join(tmpdir(), "l402-doctor-torn-"));
    const bytes = readFileSync(path);
    // All but the header and the schema.
    bytes.fill(0x5a, 4096 * 2);
    writeFileSync(join(copy, "orders.sqlite"), bytes);
    const lines: string[] = [];
    const code = await runDoctor(["--json"], { dataDir: copy, now: 0, out: (line) => lines.push(line) });
    rmSync(copy, { recursive: true });
    expect(code).not.toBe(0);
    expect(lines.join("\n")).toMatch(/SQLITE_|"file":[1-9]/);
  });

  test("is shown with its order in words", async () => {
    lives.tamper("DELETE FROM effects WHERE order_id = ?", idOf("buying"));
    const { text } = await lives.doctor([]);
    expect(text).toMatch(/BAD effects .*\(1 finding\)/);
    expect(text).toContain(`effects     ${idOf("buying")}  "buying" waits for "buy", which is not under way`);
  });
});

describe("what waits for a person", () => {
  test("is listed with what to do: the operator's, and the customers' own", async () => {
    const { waiting, code } = await examined();
    const rows = waiting.list.map(({ for: who, orderId, reason }) => `${who} ${reason} ${orderId}`);
    expect(rows.toSorted()).toEqual(
      [
        `operator loose_activation ${idOf("loose")}`,
        `customer no_destination ${idOf("loose")}`,
        `customer no_destination ${idOf("stuck")}`,
      ].toSorted(),
    );
    expect(waiting.list.find(({ orderId }) => orderId === idOf("stuck"))?.advice).toContain(
      "/refund-invoice, until 20",
    );
    expect(code).toBe(1);
    const { text } = await lives.doctor([]);
    expect(text).toContain("Waiting for you: 1\n");
    expect(text).toContain(ADVICE.loose_activation ?? "?");
    expect(text).toContain("The books are sound; waiting for you: 1.");
  });

  test("is history once the order is over for a week", async () => {
    const expiresAt = lives.world.now() + 7_200_000;
    const destination = { invoice: "lnbcrt1other", paymentHash: hashOf("other"), expiresAt };
    await lives.tell("loose", { type: "DestinationGiven", destination });
    const answer = { kind: "succeeded", preimage: "00".repeat(32), feeMsats: 0 as never } as const;
    await lives.tell("loose", { type: "RefundAnswered", attempt: 1, answer }, "refund");
    expect((await examined()).waiting).toMatchObject({ operator: 1, past: 0 });
    expect((await examined(lives.world.now() + 8 * DAY)).waiting).toMatchObject({ operator: 0, past: 1 });
  });

  test("ends with the claim window, and is then counted as unclaimed", async () => {
    await lives.world.advance(91 * DAY);
    await lives.tell("stuck", { type: "Due" });
    const { waiting, findings } = await examined();
    expect(waiting.unclaimed).toBe(1);
    expect(waiting.list.some(({ orderId }) => orderId === idOf("stuck"))).toBe(false);
    expect(findings.total).toBe(0);
  });

  test("includes deadlines on which nobody acted", async () => {
    expect((await examined()).waiting.overdue).toBe(0);
    expect((await examined(lives.world.now() + DAY)).waiting.overdue).toBe(3);
    expect((await lives.doctor([], lives.world.now() + DAY)).text).toContain("3 deadlines passed over 10 minutes ago");
  });

  test("has advice for every reason that an order can give, and for none besides", async () => {
    const sources: string[] = [];
    for await (const path of new Bun.Glob("actors/order/**/*.ts").scan(join(import.meta.dir, "../.."))) {
      sources.push(await Bun.file(join(import.meta.dir, "../..", path)).text());
    }
    const source = sources.join("\n");
    const raised = [...source.matchAll(/(?:attention\(|overdue\(step, )"([a-z_]+)"|reason = "([a-z_]+)"\): void/g)].map(
      (match) => match[1] ?? match[2],
    );
    expect(raised.length).toBeGreaterThan(10);
    expect(raised.filter((reason) => !(String(reason) in ADVICE))).toEqual([]);
    expect(Object.keys(ADVICE).filter((reason) => !source.includes(`"${reason}"`))).toEqual([]);
  });
});

describe("the command", () => {
  const nowhere = (args: readonly string[], dataDir: string) => {
    const lines: string[] = [];
    return runDoctor(args, { dataDir, now: 0, out: (line) => lines.push(line) }).then((code) => [
      code,
      lines.join("\n"),
    ]);
  };

  test("ends with 2 where there is no database, and makes none", async () => {
    const empty = mkdtempSync(join(tmpdir(), "l402-doctor-none-"));
    expect(await nowhere([], empty)).toEqual([2, `No database at "${join(empty, "orders.sqlite")}"`]);
    expect(JSON.parse(String((await nowhere(["--json"], empty))[1]))).toHaveProperty("problem");
    expect(existsSync(join(empty, "orders.sqlite"))).toBe(false);
    writeFileSync(join(empty, "orders.sqlite"), "this is not a database, and long enough to be looked at ".repeat(50));
    expect(await nowhere([], empty)).toEqual([2, expect.stringContaining("SQLITE_NOTADB")]);
    rmSync(empty, { recursive: true });
  });

  test("ends with 2 for a schema of another version, which it does not change", async () => {
    lives.journal.truncateLog();
    const other = mkdtempSync(join(tmpdir(), "l402-doctor-other-"));
    copyFileSync(join(lives.dataDir, "orders.sqlite"), join(other, "orders.sqlite"));
    const { Database } = await import("bun:sqlite");
    const db = new Database(join(other, "orders.sqlite"));
    db.run("PRAGMA user_version = 999");
    db.close();
    expect(await nowhere([], other)).toEqual([2, expect.stringContaining("Database has schema 999")]);
    rmSync(other, { recursive: true });
  });

  test.each([[["find"]], [["fnd", "x"]], [["find", "a", "b"]], [["--fix"]], [["x"]]])(
    "refuses %p with its usage",
    async (args) => {
      const { code, text } = await lives.doctor(args);
      expect([code, text.startsWith("Usage: doctor")]).toEqual([2, true]);
    },
  );

  test("leaves out the integrity check when told to be quick, and says so", async () => {
    expect((await lives.doctor(["--quick"])).text).toContain("--  file");
    expect((JSON.parse((await lives.doctor(["--quick", "--json"])).text) as Json).checks.file).toBeNull();
  });
});
