/** Builds the executable, starts it in an empty directory, buys an order with it over HTTP, and stops it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "../test/support/server.ts";
import { build } from "./build.ts";

const folder = mkdtempSync(join(tmpdir(), "l402-build-"));
try {
  const executable = await build(join(folder, "l402-numbers"));
  const server = await startServer({ command: [executable], env: { SANDBOX_SMS_AFTER_MS: "300" } });
  try {
    const docs = await fetch(`${server.origin}/docs`);
    if (docs.status !== 200 || !(await docs.text()).includes("swagger-ui")) throw new Error("The docs page is missing");
    const bought = await server.buy({ service: "tg", country: "US" });
    const order = await server.until(bought, (order) => order.code !== null);
    console.log(`bought order ${order.orderId} with the executable: ${order.status}`);
  } finally {
    await server.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
