/**
 * The service as shipped, with a handle on its engine: `bun bench/resident-server.ts`, settings as for `src/main.ts`. `POST /<number>` to the
 * second address that it prints wakes so many more of the orders that wait, each by a deadline that is not yet there, which changes
 * nothing; the answer says what the process then holds.
 */
import { heapSize } from "bun:jsc";
import type { OrderId } from "../actors/order/terms.ts";
import { assembled } from "./assembled.ts";

export interface Holds {
  readonly residents: number;
  /** Bytes after a full collection. */
  readonly heap: number;
  readonly rss: number;
}

const AT_ONCE = 500;

const { journal, supervisor, start } = await assembled();
const next = journal.db.query<{ id: OrderId }, [string, number]>(
  "SELECT id FROM orders WHERE kind = 'waiting' AND id > ? ORDER BY id LIMIT ?",
);
let last = "";

async function wake(count: number): Promise<Holds> {
  for (let left = count; left > 0; left -= AT_ONCE) {
    const ids = next.all(last, Math.min(left, AT_ONCE)).map(({ id }) => id);
    await Promise.all(ids.map((id) => supervisor.tell(id, { type: "Due" })));
    last = ids.at(-1) ?? last;
  }
  Bun.gc(true);
  // What was collected goes back to the system a moment later.
  await Bun.sleep(1_000);
  return { residents: supervisor.residents, heap: heapSize(), rss: process.memoryUsage.rss() };
}

const engine = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  fetch: async (request) => Response.json(await wake(Number(new URL(request.url).pathname.slice(1)))),
});
console.log(`Engine   ${engine.url.origin}`);
await start();
