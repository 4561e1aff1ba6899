import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readSearch } from "../../src/ops/doctor/find.ts";
import { maskPhone } from "../../src/ops/doctor/masked.ts";
import { hashOf, idOf, Lives, REFUND_HASH, SECRETS } from "./doctor-life.ts";

let lives: Lives;
beforeAll(async () => {
  lives = await new Lives().all();
  await lives.open("buried");
  await lives.tell("buried", { type: "SurelyUnpaid" });
  lives.bury("buried");
});
afterAll(() => lives.remove());

describe("an order is found", () => {
  const ways: [by: string, words: string, name: string][] = [
    ["order id", idOf("completed"), "completed"],
    ["order id", ` ${idOf("completed").toUpperCase()}\n`, "completed"],
    ["payment hash", hashOf("completed"), "completed"],
    ["payment hash", hashOf("unpaid"), "unpaid"],
    ["refund payment hash", REFUND_HASH, "refunded"],
    ["order id", idOf("buried"), "buried"],
    ["payment hash", hashOf("buried"), "buried"],
  ];
  test.each(ways)("by %s %j", async (by, words, name) => {
    const { code, text } = await lives.doctor(["find", words]);
    expect(code).toBe(0);
    expect(text).toStartWith(`Order ${idOf(name)} (found by ${by})\n`);
  });

  test("by the provider's activation id", async () => {
    const { activationId } = lives.number("waiting");
    const { text } = await lives.doctor(["find", activationId]);
    expect(text).toStartWith(`Order ${idOf("waiting")} (found by activation id)\n`);
  });

  test("by its invoice, which names a payment hash", () => {
    // BOLT 11, "Examples": the donation of any amount, with its payment hash.
    const invoice =
      "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql";
    const hash = "0001020304050607080900010203040506070809000102030405060708090102";
    expect(readSearch(`lightning:${invoice.toUpperCase()}`)).toEqual({ kind: "hash", value: hash });
    expect(readSearch(invoice.replace("zygspp5", "zygspp6"))).toEqual({ kind: "unknown" });
  });

  test.each(["{", '{"v":1}', '{"v":1,"terms":{}}', "[]"])(
    "and said to be unreadable with the text %p",
    async (text) => {
      const broken = new Lives();
      await broken.open("one");
      broken.tamper("UPDATE orders SET state = ?2 WHERE id = ?1", idOf("one"), text);
      const { code, text: said } = await broken.doctor(["find", idOf("one")]);
      broken.remove();
      expect(code).toBe(2);
      expect(said).toMatch(
        /^The order is there, but what is stored of it cannot be read \(\w*Error\)\. `doctor` says what is wrong$/,
      );
    },
  );

  test("or is not: 1 for what is unknown, 2 for what names nothing", async () => {
    expect((await lives.doctor(["find", "00".repeat(32)])).code).toBe(1);
    expect((await lives.doctor(["find", "00".repeat(16), "--json"])).text).toBe("null");
    expect((await lives.doctor(["find", "hello"])).code).toBe(2);
    expect((await lives.doctor(["find", "x".repeat(100_000)])).code).toBe(2);
  });
});

describe("what is shown", () => {
  test("holds no code, text, invoice, preimage, key or whole phone number, in any kind of state", async () => {
    const names = [
      "unpaid",
      "lapsed",
      "buying",
      "waiting",
      "delivered",
      "completed",
      "stuck",
      "refunded",
      "loose",
      "buried",
    ];
    const shown: string[] = [];
    for (const name of names) {
      for (const args of [
        ["find", idOf(name)],
        ["find", idOf(name), "--json"],
      ]) {
        const { code, text } = await lives.doctor(args);
        expect([name, code]).toEqual([name, 0]);
        shown.push(text);
      }
    }
    shown.push((await lives.doctor([])).text);
    for (const secret of [...Object.values(SECRETS), "447700900123", "7700900", hashOf("request")]) {
      expect(shown.filter((text) => text.includes(secret))).toEqual([]);
    }
  });

  test("tells support what happened, with times", async () => {
    const { text } = await lives.doctor(["find", idOf("refunded")]);
    expect(text).toContain("status          refunded (done)");
    expect(text).toContain("price 100 sat, received 100000 msat, owed 0 msat");
    expect(text).toMatch(new RegExp(`refund paid +100 sat at 20\\S+Z, payment hash ${REFUND_HASH}`));
    expect(text).toMatch(/ {2}20\S+Z {5}1 {2}Opened\n/);
    expect(text).toMatch(/PaymentSettled +destinationTaken=false receivedMsats=100000 settledAt=20\S+Z late=false/);
    expect(text).toMatch(/BuyRefused +attempt=1 reason=no_numbers/);
  });

  test("tells a machine the same", async () => {
    const { text } = await lives.doctor(["find", hashOf("waiting"), "--json"]);
    expect(JSON.parse(text)).toMatchObject({
      by: "payment hash",
      order: {
        orderId: idOf("waiting"),
        status: "waiting_for_sms",
        kind: "waiting",
        number: { phone: "+44********23", activationId: lives.number("waiting").activationId, costMicroUsd: 48_000 },
        notifiesOverNostr: true,
        refund: null,
      },
      openEffects: ["look"],
      storedMessages: 0,
      buriedUntil: null,
      quarantined: null,
      eventsLeftOut: 0,
    });
  });

  test("says that an order is buried, and until when", async () => {
    expect((await lives.doctor(["find", hashOf("buried")])).text).toMatch(/buried +late money finds it until 20/);
  });

  test("is the newest part of a life with very many events", async () => {
    await lives.open("long");
    await lives.settled("long");
    await lives.bought("long");
    for (let looks = 0; looks < 300; looks++) {
      await lives.tell("long", { type: "Hinted" });
      const answer = { kind: "seen", standing: "open", messages: [] } as const;
      await lives.tell("long", { type: "Looked", answer }, "look");
    }
    const { text } = await lives.doctor(["find", idOf("long")]);
    expect(text).toContain("Events (104 older ones left out)");
    expect(text.split("\n").at(-1)).toMatch(/604 {2}LookEnded$/);
    expect((await lives.doctor(["--quick"])).text).not.toContain("BAD");
  });
});

test("a phone number keeps its country and two digits, a short one nothing", () => {
  expect(maskPhone("+447700900123")).toBe("+44********23");
  expect(maskPhone("5511912345678")).toBe("+55*********78");
  expect(maskPhone("1234567")).toBe("*******");
  expect(maskPhone("")).toBe("");
});
