/** Who a request comes from, when it lies about it: limits hold for the address that somebody vouches for, and for no other. */
import { describe, expect, test } from "bun:test";
import { hostileServer, ORDER } from "./server.ts";

const MAX_UNPAID = 3;
const limits = { MAX_UNPAID_PER_CLIENT: String(MAX_UNPAID) };

type Server = ReturnType<typeof hostileServer>;

/** Orders until the limit of whoever sends this is met; every line is a header line of its own. */
async function orders(
  server: Server,
  lines: (n: number) => readonly string[],
  tries = MAX_UNPAID + 2,
): Promise<number> {
  let opened = 0;
  for (let n = 0; n < tries; n++) {
    const headers = lines(n).map((line) => `${line}\r\n`);
    const request = `POST ${ORDER} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n${headers.join("")}\r\n{}`;
    const { answers } = await server.send(request, ["POST"]);
    expect([402, 429]).toContain(answers[0]?.status ?? 0);
    if (answers[0]?.status === 402) opened++;
  }
  return opened;
}

describe("without a proxy that is believed", () => {
  const server = hostileServer(limits);

  test("no header makes another client", async () => {
    const names = [
      "X-Forwarded-For",
      "X-Real-IP",
      "X-Client-IP",
      "CF-Connecting-IP",
      "True-Client-IP",
      "Forwarded",
      "Via",
      "X-Forwarded-Host",
      "X-Original-Forwarded-For",
    ];
    let opened = 0;
    for (const [at, name] of names.entries()) {
      opened += await orders(server, (n) => [`${name}: ${name === "Forwarded" ? "for=" : ""}10.${at}.0.${n}`], 3);
    }
    expect(opened).toBe(MAX_UNPAID);
  });

  test("metrics are for this machine, and for nobody who came through another", async () => {
    const scrape = async (...lines: string[]) =>
      (await server.send(`GET /metrics HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`)).answers[0]
        ?.status;
    expect(await scrape("Host: 127.0.0.1")).toBe(200);
    for (const line of [
      "X-Forwarded-For: 127.0.0.1",
      "X-Real-IP: 127.0.0.1",
      "Forwarded: for=127.0.0.1",
      "Via: 1.1 x",
    ]) {
      expect([line, await scrape("Host: 127.0.0.1", line)]).toEqual([line, 404]);
    }
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "127.0.0.1\r\nHost: evil",
    ]) {
      expect([host, await scrape(`Host: ${host}`)]).toEqual([host, 404]);
    }
  });
});

describe("behind a proxy that is believed", () => {
  const server = hostileServer({ ...limits, TRUSTED_PROXIES: "127.0.0.1,10.0.0.0/8,2001:db8:aaaa::/48" });
  const via = (value: string) => [`X-Forwarded-For: ${value}`];

  test("what a client writes in front of the proxy's word changes nothing, on one line or on several", async () => {
    expect(await orders(server, (n) => via(`10.9.9.${n}, 6.6.6.${n}, 198.51.100.1`))).toBe(MAX_UNPAID);
    expect(await orders(server, (n) => [`X-Forwarded-For: 6.6.${n}.6`, "X-Forwarded-For: 198.51.101.1"])).toBe(
      MAX_UNPAID,
    );
    expect(await orders(server, (n) => via(`6.6.6.${n}, 198.51.102.1, 10.1.2.3, 10.200.0.1`))).toBe(MAX_UNPAID);
    expect(await orders(server, (n) => via(`6.6.6.${n},198.51.103.1,2001:db8:aaaa:1::${n}`))).toBe(MAX_UNPAID);
    expect(await orders(server, (n) => via(`${"6.6.6.6, ".repeat(300)}7.7.7.${n}, 198.51.104.1`))).toBe(MAX_UNPAID);
  });

  test("spellings of one address, and all of an IPv6 /64, are one client", async () => {
    const spellings = [
      "2001:db8:1:2::1",
      "2001:0DB8:0001:0002:ffff:ffff:ffff:ffff",
      "[2001:db8:1:2::3]:443",
      "2001:db8:1:2:0:0:1.2.3.4",
      "  2001:db8:1:2::5  ",
    ];
    expect(await orders(server, (n) => via(spellings[n] ?? ""))).toBe(MAX_UNPAID);
    const mapped = [
      "198.51.105.1",
      "::ffff:198.51.105.1",
      "198.51.105.1:5678",
      "[::ffff:c633:6901]:1",
      "::FFFF:198.51.105.1",
    ];
    expect(await orders(server, (n) => via(mapped[n] ?? ""))).toBe(MAX_UNPAID);
  });

  test("hops that are no address end the chain: the last one that is vouched for counts", async () => {
    const nonsense = [
      "unknown",
      "_hidden",
      "1.2.3",
      "1.2.3.4.5",
      "999.1.1.1",
      "01.2.3.4",
      "0x7f.1",
      "2130706433",
      "::g",
      "1::2::3",
      "[::1",
      "localhost",
      "%00",
      '"1.2.3.4"',
      "-",
      ";",
      "x".repeat(3_000),
    ];
    let opened = 0;
    for (const value of nonsense) opened += await orders(server, () => via(`6.6.6.6, ${value}, 10.1.1.1`), 1);
    expect(opened).toBe(MAX_UNPAID);
    opened = 0;
    for (const value of ["", ",", ", ,", ",,,,,,"]) opened += await orders(server, () => via(value), 2);
    expect(opened).toBe(MAX_UNPAID);
  });
});
