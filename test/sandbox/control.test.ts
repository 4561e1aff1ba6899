import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { buyNumber, merchantInvoice, type TestSandbox, testSandbox } from "./sandbox.ts";

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await testSandbox();
});
afterAll(() => sandbox.remove());
beforeEach(() => sandbox.faults.clear());

/** Expects the sandbox's one form of error. */
async function expectRefused(call: string, body: unknown, status: number, code: string, message?: RegExp) {
  const answer = await sandbox.call(call, body);
  expect(answer.status).toBe(status);
  expect(answer.type).toStartWith("application/json");
  const error = answer.body.error as { code: string; message: string };
  expect(Object.keys(answer.body)).toEqual(["error"]);
  expect(error.code).toBe(code);
  if (message) expect(error.message).toMatch(message);
}

describe("the index", () => {
  test("lists every call with a line of help", async () => {
    const { status, body } = await sandbox.call("GET /sandbox");
    expect(status).toBe(200);
    const calls = body.calls as { call: string; help: string }[];
    expect(calls.map(({ call }) => call)).toContain("POST /sandbox/wallet/pay");
    expect(calls.every(({ help }) => help.length > 5 && !help.includes("\n"))).toBe(true);
  });

  test("unknown paths are 404 and wrong methods 405, in JSON", async () => {
    await expectRefused("GET /sandbox/nothing", undefined, 404, "NOT_FOUND");
    await expectRefused("GET /", undefined, 404, "NOT_FOUND");
    await expectRefused("DELETE /sandbox/clock", undefined, 405, "METHOD_NOT_ALLOWED", /GET or POST/);
  });
});

describe("the wallet", () => {
  test("pays an invoice of the merchant's node and gives the preimage", async () => {
    const before = (await sandbox.call("GET /sandbox/wallet")).body.balanceSats as number;
    const invoice = await merchantInvoice(sandbox, 1_234);
    const { status, body } = await sandbox.call("POST /sandbox/wallet/pay", { invoice });
    expect(status).toBe(200);
    expect(body.amountSats).toBe(1_234);
    const hash = createHash("sha256")
      .update(Buffer.from(String(body.preimage), "hex"))
      .digest("hex");
    expect(body.paymentHash).toBe(hash);
    const wallet = (await sandbox.call("GET /sandbox/wallet")).body;
    expect(wallet.balanceSats).toBe(before - 1_234);
    expect((wallet.payments as unknown[]).at(-1)).toEqual({
      paymentHash: hash,
      amountSats: 1_234,
      direction: "out",
      settledAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  test("refuses with the reason: paid twice, or no invoice at all", async () => {
    const invoice = await merchantInvoice(sandbox, 10);
    await sandbox.call("POST /sandbox/wallet/pay", { invoice });
    await expectRefused("POST /sandbox/wallet/pay", { invoice }, 400, "PAYMENT_REFUSED", /paid/);
    await expectRefused("POST /sandbox/wallet/pay", { invoice: "lnbcrt1nonsense" }, 400, "PAYMENT_REFUSED");
  });

  test("makes invoices without an amount, with one, and with its own expiry", async () => {
    const open = await sandbox.call("POST /sandbox/wallet/invoice", {});
    expect(open.status).toBe(200);
    expect(String(open.body.invoice)).toStartWith("lnbcrt1");
    expect(String(open.body.paymentHash)).toMatch(/^[0-9a-f]{64}$/);
    expect((await sandbox.call("POST /sandbox/wallet/invoice")).status).toBe(200);
    const priced = await sandbox.call("POST /sandbox/wallet/invoice", { amountSats: 500, expirySeconds: 60 });
    expect(String(priced.body.invoice)).toMatch(/^lnbcrt\d/);
  });

  test("says which field of a bad body is wrong", async () => {
    const bad: [string, unknown, RegExp][] = [
      ["pay", {}, /"invoice"/],
      ["pay", { invoice: 5 }, /"invoice"/],
      ["pay", "not json", /JSON object/],
      ["pay", [], /JSON object/],
      ["pay", { invoice: "x".repeat(9_000) }, /"invoice"/],
      ["invoice", { amountSats: 0 }, /"amountSats"/],
      ["invoice", { amountSats: 1.5 }, /"amountSats"/],
      ["invoice", { expirySeconds: -1 }, /"expirySeconds"/],
      ["invoice", { amountSat: 5 }, /Unknown field "amountSat"/],
    ];
    for (const [call, body, message] of bad) {
      await expectRefused(`POST /sandbox/wallet/${call}`, body, 400, "INVALID_REQUEST", message);
    }
  });
});

describe("an SMS", () => {
  test("arrives at a number of ours, however its plus is written", async () => {
    const { activationId, phoneNumber } = await buyNumber(sandbox);
    const digits = phoneNumber.replace("+", "");
    for (const number of [digits, `+${digits}`]) {
      const { status, body } = await sandbox.call("POST /sandbox/sms", { phoneNumber: number, text: "code 12345" });
      expect(status).toBe(200);
      expect(body).toEqual({ activationId });
    }
    const { activations } = (await sandbox.call("GET /sandbox/provider")).body as { activations: object[] };
    expect(activations).toContainEqual(expect.objectContaining({ activationId, status: "received", messages: 2 }));
  });

  test("to an unknown number is 404, and the answer does not repeat the number", async () => {
    const answer = await sandbox.call("POST /sandbox/sms", { phoneNumber: "+441111111111", text: "hello" });
    expect(answer.status).toBe(404);
    expect(JSON.stringify(answer.body)).not.toContain("1111");
  });

  test("needs a number and a text", async () => {
    for (const body of [{}, { phoneNumber: "+44111111" }, { text: "x" }, { phoneNumber: "abc", text: "x" }]) {
      await expectRefused("POST /sandbox/sms", body, 400, "INVALID_REQUEST");
    }
    const long = { phoneNumber: "+44111111", text: "x".repeat(1_601) };
    await expectRefused("POST /sandbox/sms", long, 400, "INVALID_REQUEST", /"text"/);
  });
});

describe("the provider's books", () => {
  test("show activations with status and cost, and the balance", async () => {
    const { activationId } = await buyNumber(sandbox);
    const { balanceUsd, activations } = (await sandbox.call("GET /sandbox/provider")).body as {
      balanceUsd: string;
      activations: { activationId: string; status: string; cost: string }[];
    };
    expect(Number(balanceUsd)).toBeGreaterThan(0);
    const bought = activations.find((activation) => activation.activationId === activationId);
    expect(bought?.status).toBe("waiting");
    expect(Number(bought?.cost)).toBeGreaterThan(0);
  });
});

describe("the clock", () => {
  test("moves on and says what time it is", async () => {
    const before = sandbox.world.now();
    const { status, body } = await sandbox.call("POST /sandbox/clock", { advanceSeconds: 90.5 });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(["now"]);
    expect(Date.parse(String(body.now)) - before).toBeWithin(90_500, 92_000);
    const view = (await sandbox.call("GET /sandbox/clock")).body;
    expect(view.offsetMs).toBe(sandbox.world.offset);
    expect(Date.parse(String(view.now)) - before).toBeWithin(90_500, 92_000);
  });

  test("moves the peers' time with it: a number left alone expires", async () => {
    const { activationId } = await buyNumber(sandbox);
    await sandbox.call("POST /sandbox/clock", { advanceSeconds: 21 * 60 });
    const { activations } = (await sandbox.call("GET /sandbox/provider")).body as { activations: object[] };
    expect(activations).toContainEqual(expect.objectContaining({ activationId, status: "expired" }));
  });

  test("takes only a positive number of seconds up to 400 days", async () => {
    for (const advanceSeconds of [0, -5, "60", null, 400 * 86_400 + 1]) {
      await expectRefused("POST /sandbox/clock", { advanceSeconds }, 400, "INVALID_REQUEST", /"advanceSeconds"/);
    }
    await expectRefused("POST /sandbox/clock", undefined, 400, "INVALID_REQUEST", /"advanceSeconds"/);
  });

  test("is not kept waiting by a call that hangs at a peer", async () => {
    sandbox.faults.plan({ peer: "prices", action: "coinbase", fault: "hang", detail: {} });
    const caller = new AbortController();
    const hanging = fetch(`${sandbox.url}/prices/coinbase/v2/prices/BTC-USD/spot`, { signal: caller.signal });
    expect((await sandbox.call("POST /sandbox/clock", { advanceSeconds: 60 })).status).toBe(200);
    caller.abort();
    await expect(hanging).rejects.toThrow();
  });
});

describe("faults", () => {
  const planned = async () => (await sandbox.call("GET /sandbox/faults")).body.faults;

  test("are planned, listed, happen, and are forgotten", async () => {
    const fault = { peer: "prices", action: "coinbase", fault: "http500" };
    const { status, body } = await sandbox.call("POST /sandbox/faults", { ...fault, times: 2 });
    expect(status).toBe(200);
    expect(body.faults).toEqual([{ ...fault, detail: {}, left: 2 }]);
    const price = async () => (await fetch(`${sandbox.url}/prices/coinbase/v2/prices/BTC-USD/spot`)).status;
    expect(await price()).toBe(500);
    expect(await planned()).toEqual([{ ...fault, detail: {}, left: 1 }]);
    expect((await sandbox.call("DELETE /sandbox/faults")).status).toBe(200);
    expect(await planned()).toEqual([]);
    expect(await price()).toBe(200);
  });

  test("happen once unless told otherwise, and reach provider and node", async () => {
    await sandbox.call("POST /sandbox/faults", { peer: "provider", action: "getNumberV2", fault: "no_numbers" });
    const buy = `${sandbox.url}/stubs/handler_api.php?action=getNumberV2&api_key=key&service=tg&country=16`;
    expect(await (await fetch(buy)).text()).toBe("NO_NUMBERS");
    expect(await (await fetch(buy)).text()).toContain("activationId");
    await sandbox.call("POST /sandbox/faults", { peer: "node", action: "getinfo", fault: "http503" });
    const info = () => fetch(`${sandbox.url}/v1/getinfo`, { headers: { "Grpc-Metadata-Macaroon": "0201" } });
    expect((await info()).status).toBe(503);
    expect((await info()).status).toBe(200);
  });

  test("take what else is in the body, or a detail object, as their detail", async () => {
    const fault = { peer: "provider", action: "getNumberV2", fault: "wrong_max_price" };
    await sandbox.call("POST /sandbox/faults", { ...fault, min: 0.5 });
    await sandbox.call("POST /sandbox/faults", { ...fault, detail: { min: 0.7 } });
    expect(await planned()).toEqual([
      { ...fault, detail: { min: 0.5 }, left: 1 },
      { ...fault, detail: { min: 0.7 }, left: 1 },
    ]);
  });

  test("that could never happen are refused", async () => {
    const bad: [object, RegExp][] = [
      [{ peer: "nobody", action: "a", fault: "b" }, /"peer" must be one of provider, node/],
      [{ peer: "prices", action: "bitstamp", fault: "http500" }, /"action" must be one of coingecko/],
      [{ peer: "prices", action: "kraken", fault: "earthquake" }, /"fault" must be one of http500/],
      [{ peer: "node", action: "send", fault: "stream_cut" }, /"fault"/],
      [{ peer: "provider", action: "getNumberV2", fault: "no_nubmers" }, /"fault"/],
      [{ peer: "relay", action: "publish" }, /"fault"/],
      [{ peer: "relay", action: "publish", fault: "reject", times: 0 }, /"times"/],
      [{ peer: "relay", action: "publish", fault: "reject", detail: 5 }, /"detail"/],
    ];
    for (const [body, message] of bad)
      await expectRefused("POST /sandbox/faults", body, 400, "INVALID_REQUEST", message);
    expect(await planned()).toEqual([]);
  });

  test("are bounded in number", async () => {
    const body = { peer: "relay", action: "publish", fault: "reject" };
    for (let i = 0; i < 500; i++) {
      sandbox.faults.plan({ peer: "relay", action: "publish", fault: "reject", detail: {} });
    }
    await expectRefused("POST /sandbox/faults", body, 429, "TOO_MANY_FAULTS");
  });
});
