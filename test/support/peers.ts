/** Peers in a process of their own, and a service that can be killed and started again against them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controlOf, type RunningServer, type ServerOptions, startServer } from "./server.ts";

export type Peers = Awaited<ReturnType<typeof startPeers>>;

const READY_MS = 20_000;
/** Below the range from which systems take the ports of outgoing connections, so that the port is still free at a restart. */
const PORTS = { first: 20_000, count: 12_000 } as const;

/**
 * `dir` holds the books of the peers and, apart from them, the data of the service; both go at the end.
 * @param node what the node speaks, for both processes.
 */
export async function startPeers(node = "lnd") {
  const dir = mkdtempSync(join(tmpdir(), "l402-peers-"));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/sandbox/standalone.ts")], {
    env: {
      PATH: process.env.PATH ?? "",
      SANDBOX_PORT: "0",
      DATA_DIR: join(dir, "peers"),
      SANDBOX_SMS_AFTER_MS: "off",
      SANDBOX_NODE: node,
    },
    stdout: "pipe",
    stderr: "ignore",
  });
  const url = await listening(child.stdout);
  const port = freePort();
  const end = async (): Promise<void> => {
    child.kill("SIGTERM");
    await child.exited;
  };
  const control = controlOf(`${url}/sandbox`);

  return {
    url,
    /** The port that the service is always started on. */
    port,
    control,
    dataDir: join(dir, "service"),
    /** The books of node, wallet and provider. */
    booksFile: join(dir, "peers", "sandbox.sqlite"),
    /** Starts the service, always on the same port and data. */
    start: (env: ServerOptions["env"] = {}): Promise<RunningServer> =>
      startServer({
        env: { SANDBOX_URL: url, SANDBOX_NODE: node, PORT: String(port), ...env },
        dataDir: join(dir, "service"),
      }),
    pay: (invoice: string) => control<{ preimage: string; paymentHash: string }>("POST", "/wallet/pay", { invoice }),
    advance: (advanceSeconds: number) => control<{ now: string }>("POST", "/clock", { advanceSeconds }),
    sms: (phoneNumber: string | null, text: string) => control("POST", "/sms", { phoneNumber, text }),
    fault: (peer: string, action: string, fault: string, times = 1, detail: Record<string, unknown> = {}) =>
      control("POST", "/faults", { peer, action, fault, times, ...detail }),
    /** Ends the process; its books stay until `stop`. */
    end,
    async stop(): Promise<void> {
      await end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The address it prints; reads on afterwards, so that the process never waits for a full pipe. */
function listening(stdout: ReadableStream<Uint8Array>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const giveUp = setTimeout(() => reject(new Error(`The sandbox did not start:\n${text}`)), READY_MS);
    const read = async () => {
      const decoder = new TextDecoder();
      for await (const chunk of stdout) {
        text += decoder.decode(chunk, { stream: true });
        const found = /^Sandbox listening on (\S+)/m.exec(text)?.[1];
        if (!found) continue;
        clearTimeout(giveUp);
        resolve(found);
      }
    };
    void read();
  });
}

function freePort(): number {
  for (let tries = 0; tries < 50; tries++) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    try {
      void Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response() }).stop(true);
      return port;
    } catch {
      // Somebody has it: another one.
    }
  }
  throw new Error("No free port");
}
