/** A sandbox on free ground for one test file: its own directory, any port, no SMS by itself. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RealWorld } from "../../actors/runtime/world.ts";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/server.ts";

export interface TestSandbox extends Sandbox {
  readonly world: RealWorld;
  readonly dataDir: string;
  /** Calls the control surface (or a peer) and reads the JSON answer. */
  call(call: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown>; type: string | null }>;
  /** Stops it and removes its directory. */
  remove(): Promise<void>;
}

export async function testSandbox(options: Partial<SandboxOptions> = {}): Promise<TestSandbox> {
  const world = options.world ?? new RealWorld();
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "sandbox-"));
  const sandbox = await startSandbox({
    port: 0,
    hostname: "127.0.0.1",
    smsAfterMs: null,
    webhooks: () => [],
    ...options,
    world,
    dataDir,
  });
  return {
    ...sandbox,
    world,
    dataDir,
    call: async (call, body) => {
      const [method = "", path = ""] = call.split(" ");
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const response = await fetch(sandbox.url + path, { method, ...(body !== undefined && { body: text }) });
      const read = (await response.json()) as Record<string, unknown>;
      return { status: response.status, body: read, type: response.headers.get("content-type") };
    },
    remove: async () => {
      await sandbox.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Buys a number for Telegram in the United Kingdom as an HTTP client of the provider would. */
export async function buyNumber(sandbox: Sandbox): Promise<{ activationId: string; phoneNumber: string }> {
  const url = `${sandbox.url}/stubs/handler_api.php?action=getNumberV2&api_key=key&service=tg&country=16`;
  const bought = (await (await fetch(url)).json()) as { activationId: string | number; phoneNumber: string };
  return { activationId: String(bought.activationId), phoneNumber: bought.phoneNumber };
}

/** An invoice of the merchant's node. */
export async function merchantInvoice(sandbox: Sandbox, sats: number): Promise<string> {
  const response = await fetch(`${sandbox.url}/v1/invoices`, {
    method: "POST",
    headers: { "Grpc-Metadata-Macaroon": "0201" },
    body: JSON.stringify({ value: String(sats), memo: "test", expiry: "600" }),
  });
  return ((await response.json()) as { payment_request: string }).payment_request;
}
