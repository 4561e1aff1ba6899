import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDesk } from "./desk.ts";
import { ManualWorld, START } from "./manual-world.ts";

const folder = mkdtempSync(join(tmpdir(), "provider-books-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a new process continues with the books: balance, stock, messages, pending SMS and expiries", async () => {
  const path = join(folder, "books.sqlite");
  const before = openDesk({ books: new Database(path, { create: true }), smsAfterMs: 10_000 });
  const read = await before.buy();
  await before.world.advance(10_000);
  await before.status(read.id);
  const pending = await before.buy();
  const view = before.peer.view();
  const prices = (await before.ask("getPrices", { country: 187 })).text;
  before.peer.stop();
  before.books.close();
  expect(before.world.armed()).toEqual([]);

  const world = new ManualWorld(START + 12_000, 2);
  const after = openDesk({ books: new Database(path), world, smsAfterMs: 10_000 });
  expect(after.peer.view()).toEqual(view);
  expect((await after.ask("getPrices", { country: 187 })).text).toBe(prices);
  expect(world.armed()[0]).toBe(START + 20_000);
  expect((await after.ask("getAllSms", { id: read.id })).json().meta.total).toBe(1);
  await world.advance(8_000);
  expect(await after.status(pending.id)).toStartWith("STATUS_OK:");
  expect((await after.buy()).id).toBe("900000003");
  await world.advance(1_200_000);
  expect(after.peer.view().activations.map(({ status }) => status)).toEqual(["finished", "finished", "finished"]);
});

test("what came due while it was down happened at its own time", async () => {
  const books = new Database(":memory:");
  const before = openDesk({ books, smsAfterMs: 10_000 });
  const { id } = await before.buy();
  before.peer.stop();
  const after = openDesk({ books, world: new ManualWorld(START + 60_000), smsAfterMs: 10_000 });
  const [message] = (await after.ask("getAllSms", { id })).json().data;
  expect(message.date).toBe("2026-09-21T17:13:30+03:00");
  after.peer.stop();
  const late = openDesk({ books, world: new ManualWorld(START + 9_000_000) });
  expect(late.row(id).status).toBe("finished");
});
