/**
 * The main job, live in the terminal: a real server and its loopback peers on free ports, and an agent that buys a verification number with
 * Lightning, cancels another and gets its sats back, and rents a third. Ends with exit code 0 when everything went as it should.
 *
 *   bun run demo
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine } from "../test/support/command-line.ts";

interface Order {
  readonly orderId: string;
  readonly status: string;
  readonly phoneNumber: string | null;
  readonly code: string | null;
  readonly messages: readonly { readonly text: string | null }[];
  readonly refund: { readonly amountSats: number | null; readonly preimage: string | null };
}

interface Bought {
  readonly orderId: string;
  readonly authorization: string;
  readonly sats: number;
}

commandLine(import.meta.path, {});
const color = process.stdout.isTTY
  ? { dim: "\x1b[2m", bold: "\x1b[1m", green: "\x1b[32m", off: "\x1b[0m" }
  : { dim: "", bold: "", green: "", off: "" };
const started = performance.now();
const GIVE_UP_MS = 55_000;

function say(what: string, detail = ""): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(2).padStart(6);
  console.log(`${color.dim}${seconds} s${color.off}  ${what.padEnd(26)}${detail}`);
}

const title = (text: string): void => console.log(`\n${color.bold}${text}${color.off}`);

// Everything here is on this machine, which a proxy of the environment does not reach. Bun heeds this name before the one in capitals.
process.env.no_proxy = "*";

const dataDir = mkdtempSync(join(tmpdir(), "l402-demo-"));
const server = Bun.spawn([process.execPath, join(import.meta.dir, "../src/main.ts")], {
  // Whatever this machine is configured for, in the environment or in an .env file here, is not for the demo.
  cwd: dataDir,
  env: {
    PATH: process.env.PATH ?? "",
    PORT: "0",
    SANDBOX_PORT: "0",
    DATA_DIR: dataDir,
    SANDBOX_SMS_AFTER_MS: "off",
    LOG_LEVEL: "error",
  },
  stdout: "pipe",
  stderr: "inherit",
});

/** The URLs that the server prints when it is ready. */
async function urls(): Promise<{ api: string; sandbox: string }> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of server.stdout) {
    text += decoder.decode(chunk, { stream: true });
    const api = /^API +(\S+)/m.exec(text)?.[1];
    const sandbox = /^Sandbox +(\S+)/m.exec(text)?.[1];
    if (api && sandbox) return { api, sandbox };
  }
  throw new Error(`The server did not start:\n${text}`);
}

async function json<T>(response: Response): Promise<T> {
  const body = await response.text();
  if (!response.ok && response.status !== 402) throw new Error(`${response.status} ${body}`);
  return JSON.parse(body) as T;
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

async function run(): Promise<void> {
  title("Start");
  const { api, sandbox } = await urls();
  say("server", api);
  say("loopback peers", `${sandbox}  (HeroSMS, LND, prices: no real money)`);

  const wallet = async (): Promise<string> => {
    const { invoice } = await json<{ invoice: string }>(await post(`${sandbox}/wallet/invoice`, {}));
    return invoice;
  };

  /** 402 -> pay -> credential: what any L402 client does. */
  async function buy(request: Record<string, unknown>): Promise<Bought> {
    const response = await post(`${api}/order`, { ...request });
    const challenge = await json<{ orderId: string; invoice: string; macaroon: string; priceSats: number }>(response);
    if (response.status !== 402) throw new Error(`Expected 402, got ${response.status}`);
    // The end of an id: it begins with the time, and orders of one minute begin alike.
    say("402 Payment Required", `${challenge.priceSats} sats, order ${challenge.orderId.slice(-8)}`);
    const paid = await post(`${sandbox}/wallet/pay`, { invoice: challenge.invoice });
    const { preimage, amountSats } = await json<{ preimage: string; amountSats: number }>(paid);
    say("paid over Lightning", `-${amountSats} sats, preimage received`);
    return { orderId: challenge.orderId, authorization: `L402 ${challenge.macaroon}:${preimage}`, sats: amountSats };
  }

  async function read({ orderId, authorization }: Bought): Promise<Order> {
    return json<Order>(await fetch(`${api}/order/${orderId}`, { headers: { authorization } }));
  }

  const shown = new Map<string, string>();

  /** Polls until `done`, and shows each change of status. */
  async function poll(bought: Bought, done: (order: Order) => boolean): Promise<Order> {
    for (;;) {
      const order = await read(bought);
      if (order.status !== shown.get(order.orderId)) say(order.status, order.phoneNumber ?? "");
      shown.set(order.orderId, order.status);
      if (done(order)) return order;
      if (performance.now() - started > GIVE_UP_MS) throw new Error(`Still ${order.status}`);
      await Bun.sleep(100);
    }
  }

  const advance = async (seconds: number): Promise<void> => {
    const { now } = await json<{ now: string }>(await post(`${sandbox}/clock`, { advanceSeconds: seconds }));
    say("clock moved", `+${seconds} s, now ${now.slice(11, 19)} UTC`);
  };

  title("1. A verification number: telegram, United States");
  const first = await buy({ service: "telegram", country: "US", refundInvoice: await wallet() });
  const waiting = await poll(first, (order) => order.status === "waiting_for_sms");
  await json(
    await post(`${sandbox}/sms`, { phoneNumber: waiting.phoneNumber, text: "Telegram code: 482913", from: "Telegram" }),
  );
  say("SMS sent to the number", "by telegram");
  const delivered = await poll(first, (order) => order.code !== null);
  say("code", `${color.green}${color.bold}${delivered.code}${color.off}`);
  await advance(60);
  await poll(first, (order) => order.status === "completed");

  title("2. No SMS comes: cancelled, and the sats come back");
  const second = await buy({ service: "whatsapp", country: "GB", refundInvoice: await wallet() });
  await poll(second, (order) => order.status === "waiting_for_sms");
  await advance(181);
  await json<Order>(await post(`${api}/order/${second.orderId}/cancel`, {}, { authorization: second.authorization }));
  say("cancel asked");
  const refunded = await poll(second, (order) => order.status === "refunded");
  say(
    "refund",
    `${color.green}+${refunded.refund.amountSats} sats${color.off}, proof ${refunded.refund.preimage?.slice(0, 16)}...`,
  );
  if (refunded.refund.amountSats !== second.sats) throw new Error("The refund is not what was paid");

  title("3. A rental for two hours");
  const third = await buy({ type: "rent-number", service: "full", country: "US", durationMinutes: 120 });
  const rental = await poll(third, (order) => order.status === "rent_active");
  await json(
    await post(`${sandbox}/sms`, {
      phoneNumber: rental.phoneNumber,
      text: "Your parcel arrives at 5 pm",
      from: "Parcel",
    }),
  );
  const received = await poll(third, (order) => order.messages.length > 0);
  say("message", `"${received.messages[0]?.text}"`);
  await advance(2 * 3600);
  await poll(third, (order) => order.status === "completed");

  title("Done");
  say("all orders ended as they should", "");
}

let exitCode = 0;
try {
  await run();
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  exitCode = 1;
} finally {
  server.kill("SIGTERM");
  await server.exited;
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(exitCode);
