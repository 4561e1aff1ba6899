/** What the environment of the process asks of Bun, and would give credentials away: seen from the outside, with real TLS. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CERTIFICATE, KEY, OTHER_CERTIFICATE } from "./ops/certificates.ts";
import { outcomeOf } from "./support/spawn.ts";

const MAIN = join(import.meta.dir, "../src/main.ts");
const SECRET = "5ec4e7".repeat(8);

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
    () => ({
      LIGHTNING_URL: `nostr+walletconnect://${"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}?relay=${encodeURIComponent(`wss://${host()}`)}&secret=${"57".repeat(32)}`,
    }),
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
