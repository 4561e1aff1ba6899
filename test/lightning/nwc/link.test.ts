import { expect, test } from "bun:test";
import type { Socket } from "../../../actors/runtime/sockets.ts";
import { Link, REQUEST } from "../../../src/lightning/nwc/link.ts";
import { publicKeyOf } from "../../../src/nostr/event.ts";
import { ManualWorld } from "../../support/manual-world.ts";

const WALLET = publicKeyOf(new Uint8Array(32).fill(0x21));

test("a connection that died in silence is replaced also when the clock was set back after it was opened", async () => {
  const opened: string[] = [];
  const mute: Socket = { send: () => {}, close: () => {} };
  const connect = (url: string, { opened: isOpen }: { readonly opened: () => void }): Socket => {
    opened.push(url);
    queueMicrotask(isOpen);
    return mute;
  };
  const world = new ManualWorld({ connect });
  const link = new Link(world, { wallet: WALLET, relays: ["ws://relay/"], secretKey: new Uint8Array(32).fill(0x43) });
  link.listen(
    () => {},
    () => {},
  );
  await world.advance(60_000);
  world.step(-3_600_000);
  const request = link.sign({ kind: REQUEST, created_at: Math.floor(world.now() / 1_000), tags: [], content: "" });
  const lost = link.request(request, 30_000).catch((error: Error) => error.name);
  await world.advance(30_000);
  expect(await lost).toBe("AnswerLost");
  expect(opened).toEqual(["ws://relay/", "ws://relay/"]);
});
