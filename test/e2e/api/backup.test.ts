/** A backup as an operator makes it: a process of its own beside a server under load. */
import { Database } from "bun:sqlite";
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runDoctor } from "../../../src/ops/doctor.ts";
import { runToEnd, startServer } from "../../support/server.ts";

setDefaultTimeout(60_000);

const CODE = "73194628";
const room = mkdtempSync(join(tmpdir(), "l402-backups-"));
const server = await startServer();
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  rmSync(room, { recursive: true, force: true });
});

test("copies made one after the other under load are each whole, and the customers notice nothing", async () => {
  let busy = true;
  let served = 0;
  const customer = async (country: string): Promise<void> => {
    while (busy) {
      const bought = await server.buy({ service: "tg", country, refundInvoice: await server.refundInvoice() });
      const { phoneNumber } = await server.until(bought, (order) => order.phoneNumber !== null);
      await server.sms(phoneNumber, `Your code is ${CODE}`);
      await server.until(bought, ({ code }) => code === CODE);
      served++;
    }
  };
  const customers = ["US", "GB", "ID", "IN"].map(customer);
  const orders: number[] = [];
  for (let n = 0; n < 4; n++) {
    const file = join(room, `${n}.sqlite`);
    const before = served;
    const { code, output } = await runToEnd({ DATA_DIR: server.dataDir }, ["backup", file]);
    expect([code, output]).toEqual([0, expect.stringContaining(`Backup "${file}"`)]);
    const lines: string[] = [];
    await runDoctor(["--json", "--file", file], { dataDir: room, now: 0, out: (line) => lines.push(line) });
    const report = JSON.parse(lines.join("")) as { orders: number; findings: { list: unknown[] } };
    expect(report.findings.list).toEqual([]);
    orders.push(report.orders);
    expect(readFileSync(file).includes(CODE)).toBe(false);
    // Codes go on being delivered while it is made.
    while (served === before) await Bun.sleep(5);
  }
  busy = false;
  await Promise.all(customers);
  expect(orders.toSorted((a, b) => a - b)).toEqual(orders);
  expect(new Set(orders).size).toBe(orders.length);
  expect(server.output()).not.toContain('"level":"error"');
  const live = new Database(join(server.dataDir, "orders.sqlite"), { readonly: true });
  expect(live.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  live.close();
});
