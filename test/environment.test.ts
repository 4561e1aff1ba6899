/** What the environment of the process asks of Bun, and would give credentials away, or send a call where nobody hears it. Real sockets and TLS. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RealWorld } from "../actors/runtime/world.ts";
import { type AnswerLost, call } from "../src/wire.ts";
import { CERTIFICATE, KEY, OTHER_CERTIFICATE } from "./ops/certificates.ts";
import { runToEnd } from "./support/server.ts";
import { outcomeOf } from "./support/spawn.ts";

const MAIN = join(import.meta.dir, "../src/main.ts");
const SECRET = "5ec4e7".repeat(8);
/** Any point of the curve. */
const WALLET = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

let dir = "";
/** Of whoever got as far as a request: what it asked, and what it showed. */
let heard: string[] = [];
let server: Bun.Server<undefined>;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "environment-"));
  writeFileSync(join(dir, "node.pem"), CERTIFICATE);
  writeFileSync(join(dir, "other.pem"), OTHER_CERTIFICATE);
  server = Bun.serve({
    port: 0,
    tls: { cert: CERTIFICATE, key: KEY },
    fetch(request, self) {
      heard.push(`${new URL(request.url).pathname} ${JSON.stringify(request.headers)}`);
      return self.upgrade(request) ? undefined : new Response("{}", { status: 404 });
    },
    websocket: { message() {} },
  });
});
afterAll(async () => {
  await server.stop(true);
  rmSync(dir, { recursive: true });
});

const host = () => `localhost:${server.port}`;
const NODES: readonly (readonly [string, () => Record<string, string>])[] = [
  ["LND", () => ({ LIGHTNING_URL: `lnd+https://${host()}`, LIGHTNING_MACAROON: SECRET })],
  ["Core Lightning", () => ({ LIGHTNING_URL: `cln+https://${host()}`, LIGHTNING_RUNE: SECRET })],
  ["phoenixd", () => ({ LIGHTNING_URL: `phoenixd+https://${host()}`, LIGHTNING_PASSWORD: SECRET })],
  [
    "a wallet's relay",
    () => {
      const relay = encodeURIComponent(`wss://${host()}`);
      return { LIGHTNING_URL: `nostr+walletconnect://${WALLET}?relay=${relay}&secret=${"57".repeat(32)}` };
    },
  ],
];

async function check(node: Record<string, string>, env: Record<string, string>) {
  heard = [];
  const child = Bun.spawn([process.execPath, MAIN, "check-lightning"], {
    env: { PATH: process.env.PATH ?? "", DATA_DIR: join(dir, "data"), ...node, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  return outcomeOf(child);
}

test.each(NODES)(
  "NODE_TLS_REJECT_UNAUTHORIZED=0 lets no server with a wrong certificate hear a call: %s",
  async (_, node) => {
    const pinned = node().LIGHTNING_URL?.match(/^(?:lnd|cln)/)
      ? { LIGHTNING_TLS_CERT_FILE: join(dir, "other.pem") }
      : {};
    const { code } = await check(node(), { NODE_TLS_REJECT_UNAUTHORIZED: "0", ...pinned });
    expect([code, heard]).toEqual([1, []]);
  },
);

test("a server with the right certificate is heard", async () => {
  const node = NODES[0]?.[1]() ?? {};
  await check(node, { NODE_TLS_REJECT_UNAUTHORIZED: "0", LIGHTNING_TLS_CERT_FILE: join(dir, "node.pem") });
  expect(heard.join("\n")).toContain(SECRET);
});

test.each(["curl", "1", "true"])("BUN_CONFIG_VERBOSE_FETCH=%s prints no credentials", async (value) => {
  const node = NODES[0]?.[1]() ?? {};
  const { out, err } = await check(node, {
    BUN_CONFIG_VERBOSE_FETCH: value,
    LIGHTNING_TLS_CERT_FILE: join(dir, "node.pem"),
  });
  expect(heard.join("\n")).toContain(SECRET);
  expect(out + err).not.toContain(SECRET);
  expect(out + err).not.toContain("[fetch]");
});

describe("a proxy of the environment", () => {
  const world = new RealWorld();
  const NAMES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] as const;
  /** What is set where the tests run must neither help nor hinder. */
  const OURS = [...NAMES, "NO_PROXY", "no_proxy"].map((name) => [name, process.env[name]] as const);

  function listening(): { readonly url: string; seen(): string; stop(): void } {
    let seen = "";
    const proxy = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket, bytes) {
          seen += bytes.toString();
          socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        },
      },
    });
    return { url: `http://127.0.0.1:${proxy.port}`, seen: () => seen, stop: () => proxy.stop(true) };
  }

  const answerOf = (url: string) =>
    call(world, { url, timeoutMs: 5_000, headers: { authorization: "Basic c2VjcmV0" } }).then(
      ({ status }) => status,
      (error: AnswerLost) => error.why,
    );

  /** A WebSocket that nobody answers. */
  const socketTo = (url: string) =>
    new Promise<string>((resolve) => {
      world.connect(url, { opened: () => {}, received: () => {}, closed: () => resolve("closed") });
    });

  async function withProxy<T>(name: string, url: string, ask: (url: string) => Promise<T>) {
    const proxy = listening();
    for (const [other] of OURS) delete process.env[other];
    process.env[name] = proxy.url;
    try {
      return { outcome: await ask(url), seen: proxy.seen() };
    } finally {
      for (const [other] of OURS) delete process.env[other];
      for (const [other, value] of OURS) if (value !== undefined) process.env[other] = value;
      proxy.stop();
    }
  }

  test.each(NAMES)("does not hear a call to this machine or without TLS: %s", async (name) => {
    const near = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") });
    expect(await withProxy(name, near.url.href, answerOf)).toEqual({ outcome: 200, seen: "" });
    await near.stop(true);
    expect((await withProxy(name, "https://127.0.0.1:1/", answerOf)).seen).toBe("");
  });

  test.each(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])(
    "carries a call with TLS to elsewhere: %s",
    async (name) => {
      const { seen } = await withProxy(name, "https://peer.invalid/", answerOf);
      expect(seen).toStartWith("CONNECT peer.invalid:443 ");
      expect(seen).not.toContain("c2VjcmV0");
    },
  );

  test("leaves alone what NO_PROXY names: a node that it does not reach", async () => {
    const { outcome, seen } = await withProxy("HTTPS_PROXY", "https://peer.invalid:8080/", (url) => {
      process.env.NO_PROXY = "10.0.0.0/8, peer.invalid";
      return answerOf(url);
    });
    expect({ outcome, seen }).toEqual({ outcome: "network", seen: "" });
  });

  test.each(NAMES)("carries no WebSocket, which docs/operating.md says: %s", async (name) => {
    for (const url of ["ws://127.0.0.1:1/", "wss://peer.invalid/"])
      expect(await withProxy(name, url, socketTo)).toEqual({ outcome: "closed", seen: "" });
  });

  test("does not hear a command ask a sandbox apart for the time", async () => {
    const asked: string[] = [];
    const sandbox = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => {
        asked.push(new URL(url).pathname);
        return Response.json({ offsetMs: 0 });
      },
    });
    const proxy = listening();
    const SANDBOX_URL = `http://127.0.0.1:${sandbox.port}`;
    await runToEnd({ DATA_DIR: dir, SANDBOX_URL, HTTP_PROXY: proxy.url }, ["backup", join(dir, "copy.sqlite")]);
    expect([asked, proxy.seen()]).toEqual([["/sandbox/clock"], ""]);
    proxy.stop();
    await sandbox.stop(true);
  });
});
