/** What `check-lightning` says of a node that cannot be reached as it is configured; test/e2e has the nodes themselves. */
import { afterEach, expect, test } from "bun:test";
import { RealWorld } from "../../actors/runtime/world.ts";
import { MemoryOutbox } from "../../src/lightning/outbox.ts";
import { createNode, type NodeAddress } from "../../src/node.ts";
import { readCheckArguments, runCheck } from "../../src/ops/check-lightning.ts";
import { overhear } from "../../src/ops/lightning-check/overheard.ts";
import { CERTIFICATE, KEY, OTHER_CERTIFICATE } from "./certificates.ts";

const servers: { stop(now: boolean): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

function serve(fetch: () => Response, secure = false): number {
  const server = Bun.serve({ port: 0, fetch, ...(secure && { tls: { cert: CERTIFICATE, key: KEY } }) });
  servers.push(server);
  return server.port ?? 0;
}

async function said(address: NodeAddress): Promise<string> {
  const overheard = overhear(new RealWorld());
  const node = createNode(overheard.world, address, new MemoryOutbox());
  const lines: string[] = [];
  const options = { address, overheard, node, bound: null, isReal: true, out: (line: string) => lines.push(line) };
  expect(await runCheck({ json: false, pay: null }, options)).toBe(1);
  for (const line of lines.flatMap((text) => text.split("\n"))) expect(line.length).toBeLessThanOrEqual(110);
  return lines.join(" ").replace(/\s+/g, " ");
}

const lnd = (baseUrl: string, tlsCa: string | null = null): NodeAddress => ({
  kind: "lnd",
  baseUrl,
  macaroonHex: "5a4d",
  tlsCa,
});

test("certificates that are missing, of another node, or for another name are told apart", async () => {
  const port = serve(() => new Response("not found", { status: 404 }), true);
  expect(await said(lnd(`https://localhost:${port}`))).toContain(
    "Set LIGHTNING_TLS_CERT_FILE to a copy of LND's tls.cert",
  );
  expect(await said(lnd(`https://localhost:${port}`, OTHER_CERTIFICATE))).toContain(
    "The node's certificate is not the one in LIGHTNING_TLS_CERT_FILE",
  );
  expect(await said(lnd(`https://127.0.0.1:${port}`, CERTIFICATE))).toContain("is made for another name");
  // With the right one it is reached.
  expect(await said(lnd(`https://localhost:${port}`, CERTIFICATE))).toContain("is not LND's REST interface");
});

test("https where http is spoken, and the reverse", async () => {
  const plain = serve(() => new Response("x"));
  expect(await said(lnd(`https://localhost:${plain}`))).toContain("does not speak TLS");
  const secure = serve(() => new Response("x"), true);
  expect(await said(lnd(`http://localhost:${secure}`))).toContain("Perhaps it speaks TLS");
  const go = serve(() => new Response("Client sent an HTTP request to an HTTPS server.\n", { status: 400 }));
  expect(await said(lnd(`http://localhost:${go}`))).toContain("speaks TLS only");
});

test("a node that is locked, and one that fails", async () => {
  const locked = serve(() =>
    Response.json({ code: 2, message: "wallet locked, unlock it to enable full RPC access" }, { status: 500 }),
  );
  expect(await said(lnd(`http://localhost:${locked}`))).toContain("Unlock it (LND: lncli unlock)");
  const broken = serve(() => Response.json({ code: 13, message: "disk full" }, { status: 500 }));
  expect(await said(lnd(`http://localhost:${broken}`))).toContain('fails with HTTP 500 ("disk full")');
});

test("a macaroon that lacks a right", async () => {
  const narrow = serve(() => Response.json({ code: 7, message: "permission denied" }, { status: 403 }));
  expect(await said(lnd(`http://localhost:${narrow}`))).toContain("The macaroon does not allow this");
});

test("what a stranger answers cannot steer the terminal, and is short", async () => {
  const evil = serve(() =>
    Response.json({ message: `\u001b[2J\u0007${"no ".repeat(5_000)}\nBAD  other` }, { status: 500 }),
  );
  const text = await said(lnd(`http://localhost:${evil}`));
  expect([...text].filter((letter) => letter < " " || letter > "~")).toEqual([]);
  expect(text.length).toBeLessThan(700);
});

test("arguments", () => {
  expect(readCheckArguments([])).toEqual({ json: false, pay: null });
  expect(readCheckArguments(["--pay", "--json"])).toEqual({ json: true, pay: "own" });
  expect(readCheckArguments(["--pay", "lnbc1x"])).toEqual({ json: false, pay: "lnbc1x" });
  expect(readCheckArguments(["lnbc1x"])).toBeNull();
  expect(readCheckArguments(["--help"])).toBeNull();
});
