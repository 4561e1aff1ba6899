import { afterEach, describe, expect, test } from "bun:test";
import { request as httpRequest } from "node:http";
import { SimplePool } from "nostr-tools/pool";
import { finalizeEvent, generateSecretKey } from "nostr-tools/pure";
import { RealWorld } from "../../actors/runtime/world.ts";
import { readClockOffset } from "../../src/sandbox/clock.ts";
import { AnswerLost, call } from "../../src/wire.ts";
import { buyNumber, merchantInvoice, type TestSandbox, testSandbox } from "./sandbox.ts";

const running: TestSandbox[] = [];
async function started(...options: Parameters<typeof testSandbox>): Promise<TestSandbox> {
  const sandbox = await testSandbox(...options);
  running.push(sandbox);
  return sandbox;
}
afterEach(async () => {
  for (const sandbox of running.splice(0)) await sandbox.remove();
});

/** The status of a GET with headers that `fetch` would not let through. */
function statusWith(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers }, (response) => resolve(response.resume().statusCode ?? 0))
      .on("error", reject)
      .end();
  });
}

describe("every peer lives on the one port", () => {
  test("provider, node, prices, Firebase and relay answer", async () => {
    const sandbox = await started();
    expect((await buyNumber(sandbox)).phoneNumber).toMatch(/^\+?\d+$/);
    expect(await merchantInvoice(sandbox, 5)).toStartWith("lnbcrt50n1");
    const v1 = await fetch(`${sandbox.url}/api/v1/classifiers/countries`);
    expect(v1.headers.get("content-type")).toContain("json");
    expect((await fetch(`${sandbox.url}/prices/mempool/api/v1/prices`)).status).toBe(200);
    expect(await (await fetch(`${sandbox.url}/firebase/sms4sats/fxrates/current.json`)).text()).toBe("null");
    const pool = new SimplePool();
    const event = finalizeEvent({ kind: 1, created_at: 1_700_000_000, tags: [], content: "hi" }, generateSecretKey());
    const relay = `ws://127.0.0.1:${sandbox.port}/relay`;
    await Promise.all(pool.publish([relay], event));
    expect((await pool.querySync([relay], { ids: [event.id] })).map(({ content }) => content)).toEqual(["hi"]);
    pool.destroy();
    expect((await fetch(`${sandbox.url}/relay`)).headers.get("content-type")).toBe("application/nostr+json");
  });

  test("Firebase asks for the secret it was given", async () => {
    const sandbox = await started({ firebaseAuth: "secret" });
    expect((await fetch(`${sandbox.url}/firebase/a.json`)).status).toBe(401);
    expect((await fetch(`${sandbox.url}/firebase/a.json?auth=secret`)).status).toBe(200);
  });
});

describe("only this machine gets in", () => {
  test("by the names of this machine, and no other", async () => {
    const { url, port } = await started();
    for (const host of ["localhost", `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect(await statusWith(`${url}/sandbox/wallet`, { host })).toBe(200);
    }
    for (const host of ["evil.example", `127.0.0.1.evil.example:${port}`, "localhost.evil.example", "10.0.0.1"]) {
      expect(await statusWith(`${url}/sandbox/wallet`, { host })).toBe(403);
      expect(await statusWith(`${url}/prices/mempool/api/v1/prices`, { host })).toBe(403);
    }
  });

  test("and from no page of another origin", async () => {
    const { url } = await started();
    expect(await statusWith(`${url}/sandbox`, { origin: "http://localhost:3000" })).toBe(200);
    for (const origin of ["https://evil.example", "null", "http://localhost.evil.example"]) {
      expect(await statusWith(`${url}/sandbox`, { origin })).toBe(403);
    }
  });
});

describe("a broken connection", () => {
  test("is what a client of fetch sees on a reset, without any answer", async () => {
    const sandbox = await started();
    for (const [peer, action, path] of [
      ["prices", "coinbase", "/prices/coinbase/v2/prices/BTC-USD/spot"],
      ["firebase", "get", "/firebase/a.json"],
      ["node", "getinfo", "/v1/getinfo"],
      ["provider", "getBalance", "/stubs/handler_api.php?action=getBalance&api_key=key"],
    ] as const) {
      sandbox.faults.plan({ peer, action, fault: "reset", detail: {} });
      const fetched = fetch(sandbox.url + path, { keepalive: false, headers: { "Grpc-Metadata-Macaroon": "0201" } });
      await expect(fetched).rejects.toThrow("closed unexpectedly");
      expect(sandbox.faults.list()).toEqual([]);
    }
  });

  test("is a lost answer to an adapter, also when the peer has acted", async () => {
    const sandbox = await started();
    sandbox.faults.plan({ peer: "node", action: "addinvoice", fault: "reset_after", detail: {} });
    const lost = call(sandbox.world, {
      url: `${sandbox.url}/v1/invoices`,
      method: "POST",
      headers: { "Grpc-Metadata-Macaroon": "0201" },
      body: JSON.stringify({ value: "7" }),
      timeoutMs: 2_000,
    });
    await expect(lost).rejects.toThrow(AnswerLost);
    const list = await fetch(`${sandbox.url}/v1/invoices`, { headers: { "Grpc-Metadata-Macaroon": "0201" } });
    expect(((await list.json()) as { invoices: unknown[] }).invoices).toHaveLength(1);
  });
});

describe("stop and start", () => {
  test("a stopped sandbox no longer answers, and cuts what was hanging", async () => {
    const sandbox = await testSandbox();
    sandbox.faults.plan({ peer: "prices", action: "*", fault: "hang", detail: {} });
    const hanging = fetch(`${sandbox.url}/prices/mempool/api/v1/prices`);
    await Bun.sleep(5);
    await sandbox.remove();
    await expect(hanging).rejects.toThrow();
    await expect(fetch(`${sandbox.url}/sandbox`)).rejects.toThrow();
  });

  test("a restarted one goes on with its books and its time", async () => {
    const first = await testSandbox();
    const { activationId } = await buyNumber(first);
    const paid = await first.call("POST /sandbox/wallet/pay", { invoice: await merchantInvoice(first, 9) });
    await first.call("POST /sandbox/clock", { advanceSeconds: 600 });
    await first.stop();

    const { dataDir } = first;
    const second = await started({ dataDir, world: new RealWorld(readClockOffset(dataDir)) });
    expect(Math.abs(second.world.now() - first.world.now())).toBeLessThan(250);
    expect(JSON.stringify((await second.call("GET /sandbox/provider")).body)).toContain(activationId);
    const { payments } = (await second.call("GET /sandbox/wallet")).body;
    expect(payments).toEqual([expect.objectContaining({ paymentHash: paid.body.paymentHash })]);
  });

  test("timers of a stopped sandbox do not wake its peers again", async () => {
    const world = new RealWorld();
    const sandbox = await testSandbox({ world, smsAfterMs: 60_000 });
    await buyNumber(sandbox);
    expect(world.nextDue()).not.toBeNull();
    await sandbox.remove();
    world.jump(world.now() + 24 * 3_600_000);
  });
});
