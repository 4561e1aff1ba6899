import { expect, test } from "bun:test";
import { msats } from "../../actors/order/money.ts";
import { TimeCursor, ToldHashes } from "../../src/lightning/told.ts";

const ENDED = "the stream ended";
const hash = (n: number): string => n.toString(16).padStart(64, "0");

test("what was told is handed over in its order, also when the end came meanwhile, and then the end is said", async () => {
  const told = new ToldHashes(new AbortController().signal, ENDED);
  told.add(hash(1));
  const late = told.next().then(() => told.next());
  told.add(hash(2));
  expect(await late).toBe(hash(2));
  told.add(hash(3));
  told.end();
  expect(await told.next()).toBe(hash(3));
  await expect(told.next()).rejects.toThrow(ENDED);
});

test("who waits in vain is let go when nobody wants it any more", async () => {
  const giveUp = new AbortController();
  const told = new ToldHashes(giveUp.signal, ENDED);
  const waiting = told.next();
  giveUp.abort();
  expect(await waiting).toBeNull();
  expect(told.isWanted()).toBe(false);
  told.close();
});

test("more than can be looked up ends it, so that its cursor brings them again", async () => {
  const told = new ToldHashes(new AbortController().signal, ENDED);
  for (let n = 0; n <= 10_000; n++) told.add(hash(n));
  expect(() => told.isWanted()).toThrow(ENDED);
});

const settled = (settledAt: number) => ({ paymentHash: hash(1), settledAt, receivedMsats: msats(1_000) });

test("a cursor is the time of the latest settlement, and overlaps", () => {
  const cursor = new TimeCursor({ now: () => 1_767_571_400_000 }, 1_767_571_200_000);
  expect(cursor.told(settled(1_767_571_300_000)).cursor).toBe("1767571300000");
  expect(cursor.told(settled(1_767_571_250_000)).cursor).toBe("1767571300000");
  expect(cursor.overlap).toBe(1_767_571_240_000);
  expect([TimeCursor.parse(null), TimeCursor.parse("1767571300000")]).toEqual([null, 1_767_571_300_000]);
  for (const none of ["", "12", "1767571300000x", "-1767571300000"]) {
    expect(() => TimeCursor.parse(none)).toThrow(RangeError);
  }
});

test("a cursor stays behind our clock, so that a time to come cuts nothing off, nor one that is told in other units", () => {
  let now = 1_767_571_400_000;
  const cursor = new TimeCursor({ now: () => now }, now + 3_600_000);
  expect(cursor.last).toBe(now);
  now += 1_000;
  for (const wrong of [now + 86_400_000, now * 1_000]) {
    expect(TimeCursor.parse(cursor.told(settled(wrong)).cursor)).toBe(now);
  }
});
