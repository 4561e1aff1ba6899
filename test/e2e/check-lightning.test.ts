/** `check-lightning` as an operator runs it, against nodes of every kind that are well, refuse, or are not there. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOOPBACK_WALLET, NODE_KINDS, type NodeKind } from "../../src/node.ts";
import { type Peers, startPeers } from "../support/peers.ts";
import { runToEnd } from "../support/server.ts";

setDefaultTimeout(60_000);

const SECRETS: Readonly<Record<NodeKind, Record<string, string>>> = {
  lnd: { LIGHTNING_MACAROON: "5a4d" },
  cln: { LIGHTNING_RUNE: "c2FuZGJveA".padEnd(44, "A") },
  phoenixd: { LIGHTNING_PASSWORD: "sandbox" },
  nwc: {},
};
const PAY: Readonly<Record<NodeKind, string>> = {
  lnd: "send",
  cln: "xpay",
  phoenixd: "payinvoice",
  nwc: "pay_invoice",
};
const INFO: Readonly<Record<NodeKind, string>> = {
  lnd: "getinfo",
  cln: "getinfo",
  phoenixd: "getinfo",
  nwc: "get_info",
};
/** How each is told that its credential is wrong, and what the answer must name. */
const REFUSED: Readonly<Record<NodeKind, string>> = {
  lnd: "LIGHTNING_MACAROON must be of this very node",
  cln: "LIGHTNING_RUNE must be of this very node",
  phoenixd: 'LIGHTNING_PASSWORD must be "http-password"',
  nwc: "make a new one in the wallet",
};
const MAY_NOT: Readonly<Record<NodeKind, string>> = {
  lnd: 'The macaroon may not pay: bake one that has "offchain:write"',
  cln: 'The rune may not pay: make one that allows "xpay"',
  phoenixd: 'The password may not pay: use "http-password"',
  nwc: 'The connection may not pay: make one that allows "pay_invoice"',
};

const dirs: string[] = [];
const freshDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "l402-check-"));
  dirs.push(dir);
  return dir;
};
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

/** As for a real node: no sandbox, and no provider yet. */
function urlOf(kind: NodeKind, address: string): string {
  if (kind !== "nwc") return `${kind}+${address}`;
  const relay = encodeURIComponent(`${address.replace(/^http/, "ws")}/nwc`);
  return `nostr+walletconnect://${LOOPBACK_WALLET}?relay=${relay}&secret=${"57".repeat(32)}`;
}

function check(kind: NodeKind, address: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const all = { LIGHTNING_URL: urlOf(kind, address), ...SECRETS[kind], DATA_DIR: freshDir(), ...env };
  return runToEnd(all, ["check-lightning", ...args]);
}

/** Without the breaks of lines. */
const words = (output: string) => output.replace(/\s+/g, " ");

describe.each(NODE_KINDS)("%s", (kind) => {
  let peers: Peers;
  beforeAll(async () => {
    peers = await startPeers(kind);
  });
  afterAll(() => peers.stop());

  test("that is well passes every step, and no money moves", async () => {
    const before = await peers.control<{ balanceSats: number }>("GET", "/wallet");
    const { code, output } = await check(kind, peers.url);
    expect([code, output.match(/^ {2}BAD.*$/gm)]).toEqual([0, null]);
    for (const step of ["info", "balance", "invoice", "decode", "look-up", "list", "stream", "refund state"]) {
      expect(output).toMatch(new RegExp(`^  ok    ${step} `, "m"));
    }
    // Numbers would be real, and coins worth nothing.
    expect(words(output)).toMatch(/ note binding .*not on mainnet/);
    expect(output).toContain("The node can be used, one thing to know");
    expect(await peers.control<{ balanceSats: number }>("GET", "/wallet")).toEqual(before);
  });

  test("pays an invoice of another wallet when it is asked to, and says what it cost", async () => {
    const { invoice } = await peers.control<{ invoice: string }>("POST", "/wallet/invoice", {});
    const before = await peers.control<{ balanceSats: number }>("GET", "/wallet");
    const { code, output } = await check(kind, peers.url, ["--pay", invoice]);
    expect(output).toMatch(/^ {2}ok {4}pay +100 sat paid, with proof, for a fee of [\d.]+ sat$/m);
    expect(code).toBe(0);
    const after = await peers.control<{ balanceSats: number }>("GET", "/wallet");
    expect(after.balanceSats - before.balanceSats).toBe(100);
    expect(output).not.toContain(invoice);
  });

  test("that refuses its credential says so, names the setting, and shows no secret", async () => {
    await peers.fault("node", INFO[kind], "unauthorized", 3);
    const { code, output } = await check(kind, peers.url);
    await peers.control("DELETE", "/faults");
    expect(code).toBe(1);
    expect(output).toMatch(/^ {2}BAD {3}info /m);
    expect(words(output)).toContain(REFUSED[kind]);
    expect(output).toContain("The other steps need this one, and were not tried");
    expect(output).toContain("One thing is wrong");
    for (const secret of Object.values(SECRETS[kind])) expect(output).not.toContain(secret);
    expect(output).not.toContain("57".repeat(32));
  });

  test("that may only receive is told apart from one that is broken", async () => {
    if (kind === "nwc") await peers.fault("node", "get_info", "no_pay", 100);
    else await peers.fault("node", PAY[kind], "forbidden", 100);
    const { code, output } = await check(kind, peers.url);
    await peers.control("DELETE", "/faults");
    expect(output).toMatch(/^ {2}note {2}refund right /m);
    expect(words(output)).toContain(MAY_NOT[kind]);
    expect(code).toBe(0);
  });

  test("that is not there is told apart from one that refuses", async () => {
    const { code, output } = await check(kind, "http://127.0.0.1:9");
    expect(code).toBe(1);
    expect(output).toMatch(
      kind === "nwc" ? /No relay of the connection can be reached/ : /Nothing listens at 127\.0\.0\.1:9/,
    );
  });

  // The same for all of them.
  test.if(kind === "lnd")("that is another one than the database's, or on another network, is named", async () => {
    const server = await peers.start();
    await server.stop();
    const bound = async (change: Record<string, string>) => {
      const db = new Database(join(peers.dataDir, "orders.sqlite"));
      db.run(`UPDATE meta SET value = json_patch(value, ?) WHERE key = 'binding'`, [JSON.stringify(change)]);
      db.close();
      return check(kind, peers.url, [], { DATA_DIR: peers.dataDir });
    };
    expect(words((await bound({ network: "bc" })).output)).toMatch(
      /BAD binding .*belongs to mainnet, and this node is on regtest/,
    );
    const other = await bound({ network: "bcrt", nodePubkey: "02other" });
    expect([other.code, words(other.output)]).toEqual([
      1,
      expect.stringMatching(/BAD binding .*belongs to another node, 02other/),
    ]);
  });
});

test("a program that is no node is named as such", async () => {
  const stranger = Bun.serve({ port: 0, fetch: () => new Response("<html>hello</html>", { status: 404 }) });
  for (const kind of ["lnd", "cln", "phoenixd"] as const) {
    const { code, output } = await check(kind, `http://127.0.0.1:${stranger.port}`);
    expect([code, output]).toEqual([1, expect.stringContaining("a page of HTML")]);
  }
  await stranger.stop(true);
});

test("arguments that make no sense, and settings with mistakes, do not run", async () => {
  expect((await runToEnd({ DATA_DIR: freshDir() }, ["check-lightning", "--all"])).code).toBe(2);
  const { code, output } = await runToEnd({ LIGHTNING_URL: "lnd+https://x:1", DATA_DIR: freshDir() }, [
    "check-lightning",
  ]);
  expect([code, output]).toEqual([2, expect.stringContaining("LIGHTNING_MACAROON is needed to talk to LND")]);
});

test("the sandbox's own node is tried where nothing is configured, and --json is for machines", async () => {
  const { code, output } = await runToEnd({ DATA_DIR: join(freshDir(), "new") }, ["check-lightning", "--json"]);
  const report = JSON.parse(output) as { ok: boolean; node: string; steps: { step: string; kind: string }[] };
  expect([code, report.ok, report.node]).toEqual([0, true, "LND"]);
  expect(report.steps.find(({ step }) => step === "binding")?.kind).toBe("ok");
});
