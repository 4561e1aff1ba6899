/** Builds the executable, starts it in a directory of its own, buys an order with it over HTTP, and stops it. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "../test/support/server.ts";
import { build } from "./build.ts";

const WITHOUT_ADDON = "libsecp256k1 could not be loaded";

/** Sells and delivers one order. @returns everything that the program said. @throws Error when it did not */
async function sellOne(executable: string, dataDir: string, env: Readonly<Record<string, string>>): Promise<string> {
  const server = await startServer({ command: [executable], dataDir, env: { SANDBOX_SMS_AFTER_MS: "300", ...env } });
  try {
    const docs = await fetch(`${server.origin}/docs`);
    if (docs.status !== 200 || !(await docs.text()).includes("swagger-ui")) throw new Error("The docs page is missing");
    const bought = await server.buy({ service: "tg", country: "US" });
    const order = await server.until(bought, (order) => order.code !== null);
    console.log(`bought order ${order.orderId} with the executable: ${order.status}`);
    return server.output();
  } finally {
    await server.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), "l402-build-"));
try {
  const executable = await build(join(folder, "l402-numbers"));

  // Its working directory holds a module of the name that it would ask for from source.
  const dataDir = join(folder, "data");
  const planted = join(dataDir, "node_modules/secp256k1");
  const executed = join(folder, "executed");
  mkdirSync(planted, { recursive: true });
  writeFileSync(join(planted, "package.json"), JSON.stringify({ name: "secp256k1", version: "0.0.0" }));
  for (const file of ["index.js", "bindings.js"])
    writeFileSync(join(planted, file), `require("node:fs").writeFileSync(${JSON.stringify(executed)}, "");`);
  const said = await sellOne(executable, dataDir, {});
  if (existsSync(executed)) throw new Error("The executable ran a module that lay in its working directory");
  const hasAddon = ["linux-x64", "darwin-arm64"].includes(`${process.platform}-${process.arch}`);
  if (hasAddon && said.includes(WITHOUT_ADDON)) throw new Error("The executable runs without libsecp256k1");

  // Where nothing can be written but its data, it says so and goes on.
  const elsewhere = join(folder, "missing");
  const slow = await sellOne(executable, join(folder, "other"), { TMPDIR: elsewhere, BUN_TMPDIR: elsewhere });
  if (!slow.includes(WITHOUT_ADDON)) throw new Error("An executable that cannot unpack its addon does not say so");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
