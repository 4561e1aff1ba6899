import { expect, test } from "bun:test";
import * as nip17 from "nostr-tools/nip17";
import { decrypt, getConversationKey } from "nostr-tools/nip44";
import { type Event, generateSecretKey, getEventHash, getPublicKey, verifyEvent } from "nostr-tools/pure";
import { RealWorld } from "../../actors/runtime/world.ts";
import { seal, wrap } from "../../src/notices/gift-wrap.ts";

const sender = generateSecretKey();
const recipient = generateSecretKey();
const to = getPublicKey(recipient);
const message = { to, subject: "Order", content: "Code received for order canary-17" };
const NOW = 1_800_000_000;

/** A world whose clock stands still and whose randomness repeats. */
class Repeatable extends RealWorld {
  #drawn = 0;
  override now() {
    return NOW * 1000 + 999;
  }
  override random(length: number) {
    return Uint8Array.from({ length }, () => (this.#drawn++ * 151 + 7) % 256);
  }
}

test("the recipient unwraps the message with the library's own NIP-17, and nobody else does", () => {
  const world = new RealWorld();
  const event = wrap(world, seal(world, message, sender), to, 3_600);
  const rumor = nip17.unwrapEvent(event, recipient);
  expect(rumor).toMatchObject({ kind: 14, content: message.content, pubkey: getPublicKey(sender) });
  expect(rumor.tags).toEqual([
    ["p", to],
    ["subject", "Order"],
  ]);
  expect(rumor.id).toBe(getEventHash(rumor));
  expect(() => nip17.unwrapEvent(event, generateSecretKey())).toThrow();
});

test("the wrap shows a recipient and an expiration, and neither sender nor content nor time", () => {
  const world = new Repeatable();
  const event = wrap(world, seal(world, message, sender), to, 3_600);
  expect(verifyEvent(event)).toBe(true);
  expect(event.kind).toBe(1059);
  expect(event.tags).toEqual([
    ["p", to],
    ["expiration", String(NOW + 3_600)],
  ]);
  expect(event.pubkey).not.toBe(getPublicKey(sender));
  expect(JSON.stringify(event)).not.toContain(getPublicKey(sender));
  expect(JSON.stringify(event)).not.toContain("canary-17");
  expect(event.created_at).toBeLessThan(NOW);
  expect(event.created_at).toBeGreaterThanOrEqual(NOW - 172_800);
});

test("the seal is signed by the sender, has no tags, and a time of its own", () => {
  const world = new Repeatable();
  const event = wrap(world, seal(world, message, sender), to, 3_600);
  const sealed: Event = JSON.parse(decrypt(event.content, getConversationKey(recipient, event.pubkey)));
  expect(verifyEvent(sealed)).toBe(true);
  expect(sealed).toMatchObject({ kind: 13, pubkey: getPublicKey(sender), tags: [] });
  expect(sealed.created_at).not.toBe(event.created_at);
});

test("clock and randomness all come from the world: the same world makes the same event", () => {
  const make = () => {
    const world = new Repeatable();
    return wrap(world, seal(world, message, sender), to, 3_600);
  };
  expect(make()).toEqual(make());
  const world = new RealWorld();
  const sealed = seal(world, message, sender);
  expect(wrap(world, sealed, to, 60).pubkey).not.toBe(wrap(world, sealed, to, 60).pubkey);
});
