/**
 * Less than a challenge can cost: bare Elysia that names the request, reads its body, mints the macaroon, writes the order's rows (all of one
 * turn in one transaction, `synchronous=FULL`) and a line of log, in the fewest steps. It knows no client, counts and limits nothing, asks for no
 * price and no stock, reserves nothing, makes no `Payment` challenge and no body of its own, and decides nothing.
 */
import { Database } from "bun:sqlite";
import { Elysia } from "elysia";
import { configure, migrate } from "../actors/runtime/schema.ts";
import { eventText, rowText } from "../actors/runtime/texts.ts";
import { RealWorld } from "../actors/runtime/world.ts";
import { writesOf } from "../actors/runtime/writes.ts";
import { challengeHeader, mintMacaroon } from "../src/l402/challenge.ts";
import { RootKeys } from "../src/l402/keys.ts";
import { LineLog } from "./duties.ts";
import type { FloorAnswer } from "./floor.ts";
import { opening } from "./rows/journal.ts";

const CREDENTIAL_MS = 86_400_000;

/** @param path of a database that is made for it */
export function stored({ route, status, headers }: FloorAnswer, body: string, path: string) {
  const world = new RealWorld();
  const keys = new RootKeys([{ kid: 0, key: world.random(32) }]);
  const db = new Database(path, { create: true, strict: true });
  configure(db);
  migrate(db);
  const sql = writesOf(db);
  const log = new LineLog(route, status);
  let group: { readonly write: () => void; readonly done: () => void }[] = [];
  const flush = () => {
    const written = group;
    group = [];
    sql.begin.run();
    for (const { write } of written) write();
    sql.stake.run("unpaid", written.length, written.length, written.length, 0);
    sql.commit.run();
    for (const { done } of written) done();
  };
  return new Elysia().post(
    route,
    async ({ request }) => {
      const began = world.now();
      const requestId = log.nextId();
      JSON.parse(await request.text());
      const { order, events } = opening(world);
      const { paymentHash, createdAt, invoiceExpiresAt, invoice } = order.terms;
      const macaroon = mintMacaroon({ keys, world, paymentHash, orderId: order.id, validUntil: began + CREDENTIAL_MS });
      const write = () => {
        const state = rowText(order);
        sql.insert.run(
          order.id,
          paymentHash,
          createdAt,
          invoiceExpiresAt,
          "-",
          1,
          order.seq,
          "unpaid",
          state,
          null,
          null,
          null,
          null,
        );
        for (const event of events) sql.event.run(order.id, order.seq, event.at, order.v, event.type, eventText(event));
      };
      await new Promise<void>((done) => {
        if (group.push({ write, done }) === 1) setImmediate(flush);
      });
      log.answered(requestId, request.method, world.now() - began);
      return new Response(body, {
        status,
        headers: { ...headers, "www-authenticate": challengeHeader(macaroon, invoice), "x-request-id": requestId },
      });
    },
    { parse: "none" },
  );
}
