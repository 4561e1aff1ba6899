/** Which addresses lead somewhere we go (LUD-01, LUD-06, LUD-16, LUD-17). */
import { describe, expect, test } from "bun:test";
import { bech32 } from "@scure/base";
import fc from "fast-check";
import { encodeLnurl, payRequestUrl, publicUrl } from "../../src/lnurl/address.ts";

const at = (text: string, allowLoopback = false) => payRequestUrl(text, { allowLoopback });

describe("an address", () => {
  test.each([
    ["alice@wallet.com", "https://wallet.com/.well-known/lnurlp/alice"],
    ["Alice@Wallet.COM", "https://wallet.com/.well-known/lnurlp/alice"],
    [" alice+tag@sub.wallet.co.uk ", "https://sub.wallet.co.uk/.well-known/lnurlp/alice+tag"],
    ["lightning:alice@wallet.com", "https://wallet.com/.well-known/lnurlp/alice"],
    ["lnurlp://wallet.com/pay?x=1", "https://wallet.com/pay?x=1"],
    ["lnurlp:wallet.com/pay", "https://wallet.com/pay"],
    // The example of LUD-01.
    [
      "LNURL1DP68GURN8GHJ7UM9WFMXJCM99E3K7MF0V9CXJ0M385EKVCENXC6R2C35XVUKXEFCV5MKVV34X5EKZD3EV56NYD3HXQURZEPEXEJXXEPNXSCRVWFNV9NXZCN9XQ6XYEFHVGCXXCMYXYMNSERXFQ5FNS",
      "https://service.com/api?q=3fc3645b439ce8e7f2553a69e5267081d96dcd340693afabe04be7b0ccd178df",
    ],
  ])("%p leads to %p", (text, url) => expect(at(text)).toBe(url));

  test.each([
    "",
    "alice",
    "@wallet.com",
    "alice@",
    "alice@wallet",
    "al ice@wallet.com",
    "alice@wallet.com/../etc",
    "alice@wallet.com:8443",
    "alice@127.0.0.1",
    "alice@0x7f.1",
    "alice@2130706433",
    "alice@localhost",
    "alice@router.lan",
    "lnurlp://user:pass@wallet.com/pay",
    "lnurlp://[::1]/pay",
    "lnurl1",
    "lnurl1dp68gurn8ghj7",
    encodeLnurl("http://wallet.com/pay"),
    encodeLnurl("https://10.0.0.1/pay"),
    encodeLnurl("ftp://wallet.com/pay"),
    encodeLnurl("javascript:alert(1)"),
    `alice@${"a".repeat(600)}.com`,
  ])("%p leads nowhere", (text) => expect(at(text)).toBeNull());

  test("of this machine is for the sandbox alone", () => {
    expect(at("alice@127.0.0.1:3001", true)).toBe("http://127.0.0.1:3001/.well-known/lnurlp/alice");
    expect(at("alice@127.0.0.1:3001")).toBeNull();
    expect(at("alice@10.0.0.1", true)).toBeNull();
  });

  test("of any text leads nowhere, or to HTTPS at a public name without credentials", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.webUrl().map(encodeLnurl),
      fc.webUrl().map((url) => url.replace(/^https?/, "lnurlp")),
      fc.emailAddress(),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => bech32.encode("lnurl", bech32.toWords(bytes), false)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const url = at(text);
        if (url === null) return;
        const { protocol, username, password, port, hostname } = new URL(url);
        expect([protocol, username, password, port]).toEqual(["https:", "", "", ""]);
        expect(hostname).toMatch(/[a-z]/);
      }),
    );
  });
});

test("an LNURL is read as it was written", () => {
  fc.assert(
    fc.property(fc.webUrl(), (url) => {
      const written = publicUrl(url, { allowLoopback: false });
      if (written !== null && written.length < 300) expect(at(encodeLnurl(written))).toBe(written);
    }),
  );
});
