/** Notices over Nostr and rates over Firebase, with the running server: what arrives there, and that nobody waits for it. */
import { describe, expect, test } from "bun:test";
import { unwrapEvent } from "nostr-tools/nip17";
import { npubEncode, nsecEncode } from "nostr-tools/nip19";
import { finalizeEvent, generateSecretKey, getPublicKey, type NostrEvent, verifyEvent } from "nostr-tools/pure";
import { outage, withNumber } from "../../support/life.ts";
import { documentedServer } from "../../support/openapi.ts";

const SANDBOX_PORT = freePort();
const SERVER_KEY = generateSecretKey();
const server = documentedServer({
  SANDBOX_PORT: String(SANDBOX_PORT),
  FIREBASE_URL: `http://127.0.0.1:${SANDBOX_PORT}/firebase`,
  NOSTR_KEY: nsecEncode(SERVER_KEY),
});
const RELAY = `ws://127.0.0.1:${SANDBOX_PORT}/relay`;

function freePort(): number {
  const probe = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = probe;
  void probe.stop(true);
  if (port === undefined) throw new Error("No free port");
  return port;
}

/** Sends one message to the relay, and collects its answers until one has the wanted first word (NIP-01). */
async function talk(message: unknown[], until: "OK" | "EOSE"): Promise<unknown[][]> {
  const socket = new WebSocket(RELAY);
  const heard: unknown[][] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.onopen = () => socket.send(JSON.stringify(message));
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(String(data)) as unknown[];
    heard.push(answer);
    if (answer[0] === until) resolve();
  };
  socket.onerror = () => reject(new Error("The relay broke off"));
  await promise;
  socket.close();
  return heard;
}

/** Somebody with a list of relays to be written to. */
async function recipient(relays: readonly string[] = [RELAY]) {
  const secretKey = generateSecretKey();
  const pubkey = getPublicKey(secretKey);
  const list = finalizeEvent(
    { kind: 10050, created_at: Math.floor(Date.now() / 1000), tags: relays.map((url) => ["relay", url]), content: "" },
    secretKey,
  );
  if (relays.length > 0) expect((await talk(["EVENT", list], "OK")).at(-1)).toEqual(["OK", list.id, true, ""]);
  const wraps = async (): Promise<NostrEvent[]> => {
    const heard = await talk(["REQ", "mine", { kinds: [1059], "#p": [pubkey] }], "EOSE");
    return heard.flatMap(([word, , event]) => (word === "EVENT" ? [event as NostrEvent] : []));
  };
  return {
    secretKey,
    npub: npubEncode(pubkey),
    wraps,
    /** Waits for the first one. */
    async wrap(): Promise<NostrEvent> {
      for (let tries = 0; tries < 500; tries++) {
        const [event] = await wraps();
        if (event) return event;
        await Bun.sleep(10);
      }
      throw new Error("No notice came");
    },
  };
}

async function delivered(npub: string, code: string) {
  const { bought, order } = await withNumber(server(), { service: "tg", country: "US", notify: { nostr: npub } });
  await server().sms(order.phoneNumber, `Telegram code: ${code}`);
  const done = await server().until(bought, (order) => order.code === code);
  return { bought, order: done };
}

describe("a Nostr notice", () => {
  test("reaches the recipient's relay as a gift wrap that only the recipient can open, without the code", async () => {
    const reader = await recipient();
    const { bought, order } = await delivered(reader.npub, "482913");
    const wrap = await reader.wrap();
    expect(verifyEvent(wrap)).toBe(true);
    expect(wrap.pubkey).not.toBe(getPublicKey(SERVER_KEY));
    expect(wrap.tags.find(([name]) => name === "expiration")?.[1]).toMatch(/^\d+$/);
    const rumor = unwrapEvent(wrap, reader.secretKey);
    expect(rumor.kind).toBe(14);
    expect(rumor.pubkey).toBe(getPublicKey(SERVER_KEY));
    expect(rumor.content).toContain(bought.orderId);
    const said = JSON.stringify(rumor);
    for (const secret of ["482913", order.phoneNumber ?? "?", bought.preimage, bought.macaroon]) {
      expect(said).not.toContain(secret);
    }
    expect(() => unwrapEvent(wrap, generateSecretKey())).toThrow();
    await server().advance(60);
    expect(await reader.wraps()).toHaveLength(1);
  });

  test("is tried again when the relay refused it or broke off", async () => {
    for (const fault of ["reject", "disconnect"]) {
      const reader = await recipient();
      await server().fault("relay", "publish", fault);
      await delivered(reader.npub, "111222");
      await server().advance(30);
      expect(unwrapEvent(await reader.wrap(), reader.secretKey).content).toContain("Code received");
      expect(await reader.wraps()).toHaveLength(1);
    }
  });

  test("slows no order when the relay is silent or the recipient named none", async () => {
    const reader = await recipient();
    const nobody = await recipient([]);
    const elsewhere = await recipient(["ws://10.0.0.1/", "wss://localhost.internal/", "https://example.com"]);
    const end = await outage(server(), "relay", "publish", "silent");
    const began = performance.now();
    for (const { npub } of [reader, nobody, elsewhere]) {
      const { bought } = await delivered(npub, "333444");
      await server().advance(31);
      expect(await server().read(bought)).toMatchObject({ status: "completed", code: "333444" });
    }
    // A relay is given five seconds: whoever waited for it would need fifteen.
    expect(performance.now() - began).toBeLessThan(10_000);
    await server().advance(400);
    await end();
    expect(await reader.wraps()).toEqual([]);
    // The queue goes on behind it.
    const next = await recipient();
    await delivered(next.npub, "555666");
    await next.wrap();
  });
});

describe("the shared rate", () => {
  const shared = async () => {
    const url = `http://127.0.0.1:${SANDBOX_PORT}/firebase/sms4sats/fxrates/current.json`;
    return (await (await fetch(url)).json()) as { cents: number; at: number; sources: string[] };
  };

  test("lands in the Realtime Database, and moves on with every refresh", async () => {
    const first = await shared();
    expect(first.cents).toBe(6_718_700);
    expect(first.sources).toContain("coingecko");
    expect(first.sources.length).toBeGreaterThan(1);
    await server().advance(301);
    const next = await shared();
    expect(next.cents).toBe(first.cents);
    const minutes = (next.at - first.at) / 60_000;
    expect(minutes).toBeGreaterThanOrEqual(5);
  });

  test("is not needed to sell", async () => {
    for (const fault of ["http500", "unauthorized", "reset"]) {
      const before = await shared();
      const end = await outage(server(), "firebase", "*", fault);
      await server().advance(301);
      expect((await server().ask({ service: "tg", country: "US" })).status).toBe(402);
      await end();
      expect(await shared()).toEqual(before);
    }
  });

  test("gives way to a writer that was faster", async () => {
    await server().fault("firebase", "put", "conflict");
    const before = await shared();
    await server().advance(301);
    expect((await shared()).at).toBeGreaterThan(before.at);
  });
});
