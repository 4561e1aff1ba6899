import { expect, test } from "bun:test";
import { npubEncode, nsecEncode } from "nostr-tools/nip19";
import { generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { parseNpub, parseSecretKey } from "../../src/notices/keys.ts";

test("reads the npub and nsec of NIP-19's own examples", () => {
  expect(parseNpub("npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg")).toBe(
    "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e",
  );
  const secret = parseSecretKey("nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5");
  expect(secret && Buffer.from(secret).toString("hex")).toBe(
    "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa",
  );
});

test("every key pair reads back", () => {
  for (let run = 0; run < 20; run++) {
    const secret = generateSecretKey();
    expect(parseNpub(npubEncode(getPublicKey(secret)))).toBe(getPublicKey(secret));
    expect(parseSecretKey(nsecEncode(secret))).toEqual(secret);
    expect(parseSecretKey(Buffer.from(secret).toString("hex").toUpperCase())).toEqual(secret);
  }
});

test("what is no public key of somebody is refused", () => {
  const good = npubEncode(getPublicKey(generateSecretKey()));
  const offCurve = npubEncode(`${"0".repeat(62)}05`); // no point of secp256k1 has x = 5
  const nsec = nsecEncode(generateSecretKey());
  for (const text of ["", "npub1", good.slice(0, -1), `${good}x`, good.toUpperCase(), nsec, offCurve, ` ${good}`]) {
    expect(parseNpub(text)).toBeNull();
  }
  expect(parseNpub(`npub1${"q".repeat(100_000)}`)).toBeNull();
});

test("what is no secret key is refused, zero and the group order included", () => {
  const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
  for (const text of ["", "nsec1", "0".repeat(64), order, "ab".repeat(31), npubEncode("ab".repeat(32))]) {
    expect(parseSecretKey(text)).toBeNull();
  }
});
