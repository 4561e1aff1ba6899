import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { encodeIdentifier } from "../../src/l402/identifier.ts";
import { newRootKeyText, parseRootKeys, RootKeys } from "../../src/l402/keys.ts";
import { PAYMENT_HASH, seeded, toHex } from "./fixtures.ts";

const OLD = "11".repeat(32);
const NEW = "22".repeat(32);

function parsed(text: string): RootKeys {
  const result = parseRootKeys(text);
  if (!result.ok) throw new Error(result.problem);
  return result.keys;
}

const identifierOf = (keys: RootKeys) =>
  encodeIdentifier({ paymentHash: PAYMENT_HASH, tokenId: keys.newTokenId(seeded()) });

describe("root keys", () => {
  test("are derived per token with HKDF-SHA256 over the identifier", () => {
    const keys = parsed(OLD);
    const identifier = identifierOf(keys);
    // RFC 5869 with an empty salt, one block.
    const extracted = createHmac("sha256", new Uint8Array(32)).update(new Uint8Array(32).fill(0x11)).digest();
    const expanded = createHmac("sha256", extracted).update(identifier).update(Uint8Array.of(1)).digest("hex");
    expect(toHex(keys.rootKeyOf(identifier) ?? new Uint8Array())).toBe(expanded);
  });

  test("rotate: the first mints, all verify, a removed one is revoked", () => {
    const old = identifierOf(parsed(`1:${OLD}`));
    const both = parsed(`2:${NEW},1:${OLD}`);
    expect(both.newTokenId(seeded())[0]).toBe(2);
    expect(both.rootKeyOf(old)).toEqual(parsed(`1:${OLD}`).rootKeyOf(old));
    expect(both.rootKeyOf(identifierOf(both))).not.toBeNull();
    expect(parsed(`2:${NEW}`).rootKeyOf(old)).toBeNull();
  });

  test("know only identifiers of our form", () => {
    expect(parsed(OLD).rootKeyOf(new Uint8Array(65))).toBeNull();
    expect(parsed(OLD).rootKeyOf(new Uint8Array(66).fill(1))).toBeNull();
  });

  test("put 31 random bytes behind the key id", () => {
    const world = seeded();
    const keys = parsed(`9:${OLD}`);
    const [first, second] = [keys.newTokenId(world), keys.newTokenId(world)];
    expect([first.length, first[0], second[0]]).toEqual([32, 9, 9]);
    expect(toHex(first)).not.toBe(toHex(second));
  });

  test("are read from a list, from one key alone, and with white space around", () => {
    expect(parsed(`${OLD}\n`).newTokenId(seeded())[0]).toBe(0);
    expect(parsed(` 255:${NEW} ,\n 0:${OLD.toUpperCase()} `).newTokenId(seeded())[0]).toBe(255);
  });

  const wrong: [text: string, problem: string][] = [
    ["", 'Root key 1 is not "kid:<64 hex digits>"'],
    ["1:abc", 'Root key 1 is not "kid:<64 hex digits>"'],
    [`1:${OLD},`, 'Root key 2 is not "kid:<64 hex digits>"'],
    [`1:${OLD},2:${NEW}0`, 'Root key 2 is not "kid:<64 hex digits>"'],
    [`256:${OLD}`, "Key id must be 0 to 255: 256"],
    [`1:${OLD},1:${NEW}`, "Key id 1 is used twice"],
    [Array.from({ length: 17 }, (_, kid) => `${kid}:${OLD}`).join(","), "Between 1 and 16 root keys are needed"],
  ];
  for (const [text, problem] of wrong) {
    test(`are refused with the reason ${JSON.stringify(problem)} and without the key (${text.length} characters)`, () => {
      expect(parseRootKeys(text)).toEqual({ ok: false, problem });
    });
  }

  test("made anew read back and differ", () => {
    const world = seeded();
    const [a, b] = [newRootKeyText(world), newRootKeyText(world, 3)];
    expect(a).toMatch(/^0:[0-9a-f]{64}$/);
    expect(b).toMatch(/^3:[0-9a-f]{64}$/);
    expect(a.slice(2)).not.toBe(b.slice(2));
    expect(parsed(`${b},${a}`).newTokenId(world)[0]).toBe(3);
  });

  test("show no key to a log or an inspection", () => {
    const keys = parsed(OLD);
    for (const shown of [JSON.stringify(keys), Bun.inspect(keys), String(keys)]) {
      expect(shown).not.toMatch(/11111111|17,\s*17|Uint8Array/);
    }
  });

  test("of a wrong size or number are bugs", () => {
    expect(() => new RootKeys([])).toThrow(RangeError);
    expect(() => new RootKeys([{ kid: 0, key: new Uint8Array(31) }])).toThrow(RangeError);
    expect(() => new RootKeys([{ kid: 1.5, key: new Uint8Array(32) }])).toThrow(RangeError);
  });
});
