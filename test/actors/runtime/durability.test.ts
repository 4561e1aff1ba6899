import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay } from "../../../actors/order/evolve.ts";
import { Journal } from "../../../actors/runtime/journal.ts";
import { ManualWorld } from "../../support/manual-world.ts";
import { idOf } from "./engine.ts";

const ROUNDS = 4;
const ACKNOWLEDGED_PER_ROUND = 400;

/** Lets the process acknowledge some steps and kills it in the middle of the next ones. */
async function acknowledgedUntilKilled(path: string): Promise<Map<number, number>> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "acknowledging-process.ts"), path], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const highest = new Map<number, number>();
  const decoder = new TextDecoder();
  let rest = "";
  let lines = 0;
  for await (const chunk of child.stdout) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    // A line that was cut by the kill says nothing.
    rest = parts.pop() ?? "";
    for (const line of parts) {
      const [n = 0, seq = 0] = line.split(" ").map(Number);
      highest.set(n, Math.max(seq, highest.get(n) ?? 0));
    }
    lines += parts.length;
    if (lines >= ACKNOWLEDGED_PER_ROUND) child.kill("SIGKILL");
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return highest;
}

test("a process that is killed at any moment has lost no step that it acknowledged", async () => {
  const dir = mkdtempSync(join(tmpdir(), "l402-durability-"));
  const path = join(dir, "orders.sqlite");
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await acknowledgedUntilKilled(path);
      expect(acknowledged.size).toBeGreaterThan(10);
      const journal = new Journal(new Database(path, { strict: true }), new ManualWorld());
      for (const [n, seq] of acknowledged) {
        const order = journal.store.order(idOf(n));
        expect(order?.seq).toBeGreaterThanOrEqual(seq);
        const events = journal.store.events(idOf(n));
        expect(events).toHaveLength(order?.seq ?? 0);
        expect(replay(events)).toEqual(order);
      }
      expect(journal.db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
      journal.close();
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 20_000);
