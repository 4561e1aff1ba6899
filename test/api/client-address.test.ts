import { afterAll, describe, expect, test } from "bun:test";
import { AddressSet, isLoopback, parseAddress } from "../../src/api/address.ts";
import { ClientAddresses } from "../../src/api/client-address.ts";
import { startApi } from "./server.ts";

const clientOf = (proxies: string[], socket: string | null, forwarded?: string): string =>
  new ClientAddresses(proxies).of(new Headers(forwarded === undefined ? {} : { "x-forwarded-for": forwarded }), socket)
    .bucket;

describe("the client's address", () => {
  test("is the socket's when no proxy is configured, whatever the headers say", () => {
    expect(clientOf([], "203.0.113.9", "1.2.3.4")).toBe("203.0.113.9");
    expect(clientOf(["10.0.0.0/8"], "203.0.113.9", "1.2.3.4")).toBe("203.0.113.9");
  });

  test("is the right-most hop that is no proxy of ours: what stands left of it is the client's invention", () => {
    const proxies = ["10.0.0.0/8", "2001:db8:aaaa::/48"];
    expect(clientOf(proxies, "10.0.0.1", "1.2.3.4")).toBe("1.2.3.4");
    expect(clientOf(proxies, "10.0.0.1", "6.6.6.6, 1.2.3.4")).toBe("1.2.3.4");
    expect(clientOf(proxies, "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.9.9.9")).toBe("1.2.3.4");
    expect(clientOf(proxies, "2001:db8:aaaa::1", "6.6.6.6,1.2.3.4")).toBe("1.2.3.4");
    expect(clientOf(proxies, "::ffff:10.0.0.1", "1.2.3.4:5678")).toBe("1.2.3.4");
    expect(clientOf(proxies, "10.0.0.1", "[2001:db8:1:2::7]:443")).toBe("20010db800010002/64");
  });

  test("is the last that somebody vouches for when a hop is garbage, missing, or one too many", () => {
    const proxies = ["10.0.0.0/8"];
    for (const header of [undefined, "", "unknown", "1.2.3.4, _hidden", "1.2.3", "1.2.3.4;x", "x".repeat(10_000)]) {
      expect(clientOf(proxies, "10.0.0.1", header)).toBe("10.0.0.1");
    }
    expect(clientOf(proxies, "10.0.0.1", "10.0.0.5")).toBe("10.0.0.5");
    expect(clientOf(proxies, "10.0.0.1", `1.2.3.4, ${new Array(50).fill("10.0.0.2").join(", ")}`)).toBe("10.0.0.2");
  });

  test("is the /64 for IPv6, in one spelling, and IPv4 inside IPv6 is IPv4", () => {
    expect(clientOf([], "2001:DB8:1:2:3:4:5:6")).toBe("20010db800010002/64");
    expect(clientOf([], "2001:db8:1:2::")).toBe("20010db800010002/64");
    expect(clientOf([], "::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(clientOf([], "fe80::1%eth0")).toBe("fe80000000000000/64");
    expect(clientOf([], null)).toBe("local");
  });
});

test("the network around a client is an IPv4 /24 or an IPv6 /48", () => {
  const networkOf = (address: string | null) => new ClientAddresses([]).of(new Headers(), address).network;
  expect(networkOf("203.0.113.9")).toBe("203.0.113/24");
  expect(networkOf("::ffff:203.0.113.200")).toBe("203.0.113/24");
  expect(networkOf("2001:db8:1:2:3::4")).toBe("20010db80001/48");
  expect(networkOf("2001:db8:1:ffff::")).toBe("20010db80001/48");
  expect(networkOf("2001:db8:2::")).toBe("20010db80002/48");
  expect(networkOf(null)).toBe("local");
});

describe("addresses", () => {
  test("are parsed to bytes, or to null", () => {
    expect(parseAddress("1.2.3.4")).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(parseAddress("::1")).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));
    expect(parseAddress("64:ff9b::1.2.3.4")?.slice(-5)).toEqual(Uint8Array.of(0, 1, 2, 3, 4));
    for (const text of ["", "1.2.3", "1.2.3.256", "01.2.3.4", ":::", "1::2::3", "g::", "localhost", "1".repeat(99)]) {
      expect(parseAddress(text)).toBeNull();
    }
  });

  test("of this machine are loopback", () => {
    const all = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "128.0.0.1", "::2", "::"];
    expect(all.filter((text) => isLoopback(parseAddress(text) ?? Uint8Array.of()))).toEqual(all.slice(0, 4));
  });

  test("belong to blocks by their leading bits", () => {
    const has = (block: string, address: string) =>
      new AddressSet([block]).has(parseAddress(address) ?? Uint8Array.of());
    expect(has("192.0.2.128/25", "192.0.2.200")).toBe(true);
    expect(has("192.0.2.128/25", "192.0.2.100")).toBe(false);
    expect(has("0.0.0.0/0", "9.9.9.9")).toBe(true);
    expect(has("0.0.0.0/0", "::9")).toBe(false);
    expect(has("2001:db8::/33", "2001:db8:7fff::")).toBe(true);
    expect(has("2001:db8::/33", "2001:db8:8000::")).toBe(false);
    expect(has("192.0.2.1", "192.0.2.1")).toBe(true);
    expect(has("192.0.2.1", "192.0.2.2")).toBe(false);
  });

  test("that are none are refused by name when a set is made", () => {
    for (const entry of [
      "",
      "proxy",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/x",
      "10.0.0.0/8/8",
      "::/129",
      "1.2.3.4/-1",
    ]) {
      expect(() => new AddressSet([entry])).toThrow(RangeError);
    }
  });
});

describe("a live server", async () => {
  const direct = await startApi();
  const proxied = await startApi({ trustedProxies: ["127.0.0.0/8"] });
  afterAll(() => Promise.all([direct.stop(), proxied.stop()]));
  const spoof = { "x-forwarded-for": "6.6.6.6, 198.51.100.7", "x-real-ip": "6.6.6.6", forwarded: "for=6.6.6.6" };

  test("believes X-Forwarded-For from its proxies only, and then the right-most hop", async () => {
    await direct.post("/v2/l402/order", {}, spoof);
    expect(direct.desk.created.at(-1)?.client).toBe("127.0.0.1");
    await proxied.post("/v2/l402/order", {}, spoof);
    expect(proxied.desk.created.at(-1)?.client).toBe("198.51.100.7");
  });

  test("is not started with a proxy that is no address", () => {
    expect(startApi({ trustedProxies: ["nginx"] })).rejects.toThrow(RangeError);
    expect(startApi({ webhookAllow: ["84.32.223.53/99"] })).rejects.toThrow(RangeError);
  });
});
