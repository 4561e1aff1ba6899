import { expect, test } from "bun:test";
import { configuredRelayUrl, publicRelayUrl } from "../../src/nostr/relay-url.ts";
import { isPublicAddress } from "../../src/public-host.ts";

const strict = { allowLoopback: false };

test("public relays over TLS are accepted, in normal form", () => {
  expect(publicRelayUrl("wss://relay.damus.io", strict)).toBe("wss://relay.damus.io/");
  expect(publicRelayUrl("WSS://Relay.Damus.IO:7777/inbox?x=1", strict)).toBe("wss://relay.damus.io:7777/inbox?x=1");
  expect(publicRelayUrl("wss://xn--exmple-cua.com./", strict)).toBe("wss://xn--exmple-cua.com./");
});

const refused = [
  "",
  "relay.damus.io",
  "ws://relay.damus.io",
  "http://relay.damus.io",
  "https://relay.damus.io",
  "file:///etc/passwd",
  "wss://",
  "wss:// relay.damus.io",
  "wss://relay.damus.io\n",
  "wss://relay.damus.io#x",
  "wss://user@relay.damus.io",
  "wss://user:secret@relay.damus.io",
  "wss://localhost",
  "wss://localhost.",
  "wss://relay.localhost",
  "wss://relay.local",
  "wss://db.internal",
  "wss://metadata.google.internal",
  "wss://router.lan",
  "wss://hidden.onion",
  "wss://x.home.arpa",
  "wss://intranet",
  "wss://127.0.0.1",
  "wss://127.1",
  "wss://2130706433",
  "wss://0x7f000001",
  "wss://0177.0.0.1",
  "wss://0",
  "wss://8.8.8.8",
  "wss://8.8.8.8.",
  "wss://10.0.0.1",
  "wss://169.254.169.254",
  "wss://[::1]",
  "wss://[::]",
  "wss://[::ffff:127.0.0.1]",
  "wss://[fe80::1]",
  "wss://[2606:4700::1111]",
  "wss://１２７.0.0.1",
  "wss://relay..com",
  "wss://-.com",
  `wss://${"a".repeat(300)}.com`,
];
for (const url of refused) {
  test(`a recipient's relay at "${url.slice(0, 60)}" is refused`, () => {
    expect(publicRelayUrl(url, strict)).toBeNull();
  });
}

test("loopback is let through only where that is configured, and nothing else with it", () => {
  const sandbox = { allowLoopback: true };
  for (const url of ["ws://127.0.0.1:3001/relay", "ws://localhost:3001/", "ws://[::1]:3001/"]) {
    expect(publicRelayUrl(url, sandbox)).toBe(url);
    expect(publicRelayUrl(url, strict)).toBeNull();
  }
  for (const url of [
    "ws://10.0.0.1",
    "ws://192.168.0.1:80",
    "ws://relay.damus.io",
    "ws://0.0.0.0",
    "ws://127.0.0.1.nip.io",
  ]) {
    expect(publicRelayUrl(url, sandbox)).toBeNull();
  }
});

test("the operator's own relays may be anywhere, but must be relay URLs without credentials", () => {
  expect(configuredRelayUrl("ws://10.0.0.7:7777")).toBe("ws://10.0.0.7:7777/");
  for (const url of ["http://10.0.0.7", "relay", "", "wss://u:p@relay.damus.io"])
    expect(configuredRelayUrl(url)).toBeNull();
});

test("addresses of the open internet are told from all others", () => {
  for (const address of ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a01:4f8::1"]) {
    expect([address, isPublicAddress(address)]).toEqual([address, true]);
  }
  const inside = [
    ..."0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255".split(" "),
    ..."192.0.0.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255".split(" "),
    ...":: ::1 ::ffff:8.8.8.8 ::ffff:10.0.0.1 64:ff9b::a00:1 fe80::1 fc00::1 fd12::1 ff02::1".split(" "),
    ..."2001::1 2001:db8::1 2002:a00:1::1 localhost 8.8.8".split(" "),
    "",
  ];
  for (const address of inside) expect([address, isPublicAddress(address)]).toEqual([address, false]);
});
