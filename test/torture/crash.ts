/**
 * The real process under load, killed with SIGKILL at random moments and started again against peers that remember. At the end the
 * books of the customer's wallet, the provider and the database must agree to the sat, and every paid order must have ended.
 *
 *   bun test/torture/crash.ts [--kills=10] [--seed=1]
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runDoctor } from "../../src/ops/doctor.ts";
import { type Bought, type RunningServer, startServer } from "../support/server.ts";

const option = (name: string, fallback: number): number => {
  const text = process.argv.find((arg) => arg.startsWith(`--${name}=`))?.split("=")[1];
  return text === undefined ? fallback : Number(text);
};
const kills = option("kills", 10);
let seed = option("seed", Math.floor(Math.random() * 2 ** 31));
console.log(`seed ${seed}, ${kills} kills`);

/** mulberry32: small, and the same everywhere. */
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const root = mkdtempSync(join(tmpdir(), "l402-crash-"));
const sandboxDir = join(root, "peers");
const dataDir = join(root, "service");

const peers = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/sandbox/standalone.ts")], {
  env: { PATH: process.env.PATH ?? "", SANDBOX_PORT: "0", DATA_DIR: sandboxDir, SANDBOX_SMS_AFTER_MS: "off" },
  stdout: "pipe",
  stderr: "inherit",
});

async function peersUrl(): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of peers.stdout) {
    text += decoder.decode(chunk, { stream: true });
    const found = /(http:\/\/127\.0\.0\.1:\d+)/.exec(text)?.[1];
    if (found) return found;
  }
  throw new Error("The sandbox did not start");
}

const freePort = (): number => {
  const probe = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = probe;
  void probe.stop(true);
  if (!port) throw new Error("No free port");
  return port;
};

const sandboxUrl = await peersUrl();
const port = freePort();
const env = { SANDBOX_URL: sandboxUrl, PORT: String(port), LOG_LEVEL: "error", CODE_GRACE_SECONDS: "1" };
const start = (): Promise<RunningServer> => startServer({ env, dataDir });

const bought: Bought[] = [];
const stats = { opened: 0, paid: 0, sms: 0, cancels: 0, lost: 0 };
let server = await start();
let stopped = false;

/** A customer who buys, maybe gets an SMS, maybe cancels, and shrugs at lost answers. */
async function customer(): Promise<void> {
  while (!stopped) {
    try {
      const type = random() < 0.15 ? "rent-number" : "receive-sms";
      const request =
        type === "rent-number"
          ? { type, service: "full", country: "US", durationMinutes: 120 }
          : {
              service: random() < 0.5 ? "tg" : "wa",
              country: random() < 0.5 ? "US" : "GB",
              refundInvoice: await invoice(),
            };
      const challenge = await server.challenge(request);
      stats.opened++;
      if (random() < 0.2) continue;
      const order = await pay(challenge);
      bought.push(order);
      stats.paid++;
      const view = await server.until(order, ({ phoneNumber }) => phoneNumber !== null, 3_000);
      if (random() < 0.6) {
        await control("/sandbox/sms", { phoneNumber: view.phoneNumber, text: `Code ${Math.floor(random() * 1e6)}` });
        stats.sms++;
      } else {
        stats.cancels++;
        await server.call(`/v2/l402/order/${order.orderId}/cancel`, order);
      }
    } catch {
      stats.lost++;
      await Bun.sleep(20);
    }
  }
}

async function control<T>(path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${sandboxUrl}${path}`, {
    method: body === undefined ? "GET" : "POST",
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

const invoice = async (): Promise<string> =>
  (await control<{ invoice: string }>("/sandbox/wallet/invoice", {})).invoice;

async function pay(challenge: Awaited<ReturnType<RunningServer["challenge"]>>): Promise<Bought> {
  const { orderId, macaroon, priceSats } = challenge;
  const { preimage, paymentHash } = await control<{ preimage: string; paymentHash: string }>("/sandbox/wallet/pay", {
    invoice: challenge.invoice,
  });
  return { orderId, macaroon, preimage, paymentHash, priceSats, authorization: `L402 ${macaroon}:${preimage}` };
}

const customers = Array.from({ length: 8 }, () => customer());
for (let kill = 1; kill <= kills; kill++) {
  await Bun.sleep(300 + random() * 900);
  await server.kill();
  server = await start();
}
stopped = true;
await Promise.allSettled(customers);

// Every clock runs out: cancels, refunds, rentals and finishes all come to their end.
for (const seconds of [60, 1_300, 1_300, 3 * 3_600]) await control("/sandbox/clock", { advanceSeconds: seconds });

const problems: string[] = [];
const ended = new Set(["completed", "refunded", "failed", "expired", "refund_failed"]);
const outcomes = new Map<string, number>();
for (const order of bought) {
  const view = await server.read(order);
  outcomes.set(view.status, (outcomes.get(view.status) ?? 0) + 1);
  if (!ended.has(view.status)) problems.push(`order ${order.orderId} is still ${view.status}`);
}
const exitCode = await server.stop();
if (exitCode !== 0) problems.push(`the server ended with exit code ${exitCode}`);

const db = new Database(join(dataDir, "orders.sqlite"), { readonly: true });
const account = (name: string, unit = "msat"): number =>
  db
    .query<{ sum: number | null }, [string, string]>(
      "SELECT sum(amount) AS sum FROM postings WHERE account = ? AND unit = ?",
    )
    .get(name, unit)?.sum ?? 0;
const wallet = await control<{ payments: { amountSats: number; direction: string }[] }>("/sandbox/wallet");
const flow = (direction: string): number =>
  wallet.payments
    .filter((payment) => payment.direction === direction)
    .reduce((sum, payment) => sum + payment.amountSats, 0);
const agree = (what: string, ours: number, theirs: number): void => {
  console.log(`${what.padEnd(28)} ${ours} = ${theirs}`);
  if (ours !== theirs) problems.push(`${what}: ours ${ours}, theirs ${theirs}`);
};
agree("sats received", -account("received") / 1000, flow("out"));
agree("sats refunded", account("refunded") / 1000, flow("in"));
agree(
  "msats: in = all others",
  -account("received"),
  ["kept", "refunded", "fees", "owed", "unclaimed"].reduce((sum, name) => sum + account(name), 0),
);
const { balanceUsd, activations } = await control<{ balanceUsd: string; activations: { activationId: string }[] }>(
  "/sandbox/provider",
);
agree("provider spend in µUSD", -account("provider", "µUSD"), Math.round((100_000 - Number(balanceUsd)) * 1e6));
const known = db.query<{ n: number }, []>("SELECT count(*) AS n FROM events WHERE type = 'NumberBought'").get()?.n ?? 0;
agree("activations", known, activations.length);
db.close();
const doctor: string[] = [];
if ((await runDoctor([], { dataDir, now: Date.now(), out: (line) => doctor.push(line) })) !== 0)
  problems.push(...doctor);

peers.kill("SIGTERM");
await peers.exited;
rmSync(root, { recursive: true, force: true });
console.log(stats, Object.fromEntries(outcomes));
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? `survived ${kills} kills` : "FAILED");
process.exit(problems.length === 0 ? 0 : 1);
