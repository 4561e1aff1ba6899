/**
 * The sandbox as a process of its own (`bun run sandbox`): peers that remember, for a service started with
 * `SANDBOX_URL` that may be killed and started again.
 */
import { RealWorld } from "../../actors/runtime/world.ts";
import { readClockOffset } from "./books.ts";
import { CONTROL_CALLS } from "./control.ts";
import { NODE_KINDS } from "./lightning/peer.ts";
import { startSandbox } from "./server.ts";

const DEFAULT_PORT = 3001;
const DEFAULT_SMS_AFTER_MS = 4_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A whole number from the environment; ends the process when it is not one. */
function whole(name: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined || text === "") return fallback;
  if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text);
  console.error(`${name} must be a whole number from 0 to ${max}`);
  process.exit(1);
}

const [argument] = process.argv.slice(2);
if (argument !== undefined) {
  const isHelp = argument === "--help" || argument === "-h";
  console[isHelp ? "log" : "error"](
    `${isHelp ? "" : `Unknown option '${argument}'\n\n`}bun run sandbox: loopback peers on SANDBOX_PORT (${DEFAULT_PORT}), their books in DATA_DIR. ` +
      "It heeds SANDBOX_NODE, SANDBOX_SMS_AFTER_MS and SANDBOX_BANS as well; .env.example has them all",
  );
  process.exit(isHelp ? 0 : 2);
}

const { SANDBOX_PORT, SANDBOX_SMS_AFTER_MS, SANDBOX_BANS, SANDBOX_NODE, DATA_DIR } = process.env;
const node = NODE_KINDS.find((kind) => kind === (SANDBOX_NODE || "lnd"));
if (!node) {
  console.error(`SANDBOX_NODE must be one of ${NODE_KINDS.join(", ")}`);
  process.exit(1);
}
if (!["", "off", "on"].includes(SANDBOX_BANS ?? "")) {
  console.error("SANDBOX_BANS must be one of off, on");
  process.exit(1);
}
const dataDir = DATA_DIR || "./var";
const sandbox = await startSandbox({
  world: new RealWorld(readClockOffset(dataDir)),
  dataDir,
  port: whole("SANDBOX_PORT", SANDBOX_PORT, DEFAULT_PORT, 65_535),
  hostname: "127.0.0.1",
  node,
  smsAfterMs:
    SANDBOX_SMS_AFTER_MS === "off"
      ? null
      : whole("SANDBOX_SMS_AFTER_MS", SANDBOX_SMS_AFTER_MS, DEFAULT_SMS_AFTER_MS, DAY_MS),
  bans: SANDBOX_BANS === "on",
  webhooks: () => [], // Only services that follow the clock, by the address they give.
}).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
});

// Before it says that it is there: who reads that may ask it to stop at once.
const stop = async () => {
  await sandbox.stop();
  process.exit(0);
};
process.once("SIGTERM", stop);
process.once("SIGINT", stop);

console.log(`Sandbox listening on ${sandbox.url}`);
for (const { call, help } of CONTROL_CALLS) console.log(`  ${call.padEnd(32)} ${help}`);
