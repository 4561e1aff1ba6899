/** Where a question to a stranger's server really goes: to the checked address, under the name that was asked for, and nowhere else. */
import { describe, expect, test } from "bun:test";
import type { FetchOptions } from "../../actors/runtime/world.ts";
import { askUrl } from "../../src/lnurl/ask.ts";
import { ManualWorld } from "../support/manual-world.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";

interface Sent {
  readonly url: string;
  readonly options: FetchOptions | undefined;
}

function asking(addresses: readonly string[] | Error, answer: () => Response = () => Response.json({ ok: true })) {
  const sent: Sent[] = [];
  const looked: string[] = [];
  const world = Object.assign(new ManualWorld(), {
    fetch: async (url: string, options?: FetchOptions) => {
      sent.push({ url, options });
      return answer();
    },
  });
  const ask = (url: string) =>
    askUrl(url, {
      world,
      allowLoopback: false,
      resolve: async (host) => {
        looked.push(host);
        if (addresses instanceof Error) throw addresses;
        return addresses;
      },
    });
  return { ask, sent, looked };
}

describe("a question", () => {
  test("goes to the address that was checked, and TLS asks for the name", async () => {
    const { ask, sent, looked } = asking(["93.184.216.34"]);
    expect(await ask("https://wallet.com/pay?x=1")).toEqual({ kind: "said", body: { ok: true } });
    expect(looked).toEqual(["wallet.com"]);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.url).toBe("https://93.184.216.34/pay?x=1");
    expect(sent[0]?.options).toMatchObject({
      tls: { serverName: "wallet.com" },
      headers: { host: "wallet.com" },
      redirect: "manual",
      keepalive: false,
    });
  });

  test("over real TLS: a server that answers for the name is heard, one that answers for another is not", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { cert: CERTIFICATE, key: KEY },
      fetch: ({ headers }) => Response.json({ host: headers.get("host") }),
    });
    // The open internet, as far as this test is concerned: one address, and an authority that vouches for its certificate.
    const world = Object.assign(new ManualWorld(), {
      fetch: (url: string, options: FetchOptions = {}) =>
        fetch(url.replace("93.184.216.34", `127.0.0.1:${server.port}`), {
          ...options,
          tls: { ...options.tls, ca: CERTIFICATE },
        }),
    });
    const ask = (url: string) => askUrl(url, { world, allowLoopback: false, resolve: async () => ["93.184.216.34"] });
    try {
      expect(await ask("https://wallet.com/pay")).toEqual({ kind: "said", body: { host: "wallet.com" } });
      expect(await ask("https://wallet.org/pay")).toEqual({ kind: "lost", reason: "network" });
    } finally {
      await server.stop(true);
    }
  });

  test("goes to an IPv6 address as well", async () => {
    const { ask, sent } = asking(["2606:2800:220:1:248:1893:25c8:1946"]);
    await ask("https://wallet.com/pay");
    expect(sent[0]?.url).toBe("https://[2606:2800:220:1:248:1893:25c8:1946]/pay");
  });

  test.each([
    ["127.0.0.1"],
    ["10.1.2.3"],
    ["169.254.169.254"],
    ["192.168.1.1"],
    ["100.64.0.1"],
    ["::1"],
    ["fd00::1"],
    ["::ffff:10.0.0.1"],
    ["64:ff9b::a00:1"],
  ])("is not asked of %s, whatever the name", async (address) => {
    for (const addresses of [[address], ["93.184.216.34", address], [address, "93.184.216.34"]]) {
      const { ask, sent } = asking(addresses);
      expect(await ask("https://wallet.com/pay")).toEqual({ kind: "lost", reason: "no_public_host" });
      expect(sent).toEqual([]);
    }
  });

  test("is not asked of a name that has no address", async () => {
    for (const none of [[], new Error("ENOTFOUND")]) {
      const { ask, sent } = asking(none);
      expect(await ask("https://wallet.com/pay")).toEqual({ kind: "lost", reason: "no_public_host" });
      expect(sent).toEqual([]);
    }
  });

  test("follows no redirect, and reads no more than it must", async () => {
    const redirect = () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1/" } });
    expect(await asking(["93.184.216.34"], redirect).ask("https://wallet.com/")).toEqual({
      kind: "lost",
      reason: "redirected",
    });
    const long = () => new Response("x".repeat(100_000));
    expect(await asking(["93.184.216.34"], long).ask("https://wallet.com/")).toEqual({
      kind: "lost",
      reason: "too_large",
    });
    for (const text of ["", "[]", "null", "<html>"]) {
      const answer = await asking(["93.184.216.34"], () => new Response(text)).ask("https://wallet.com/");
      expect(answer).toEqual({ kind: "lost", reason: "http_200" });
    }
  });
});
