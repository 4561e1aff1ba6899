/** The name of one request: what a customer quotes to the operator, and what the operator finds in the log. */
import type { World } from "../../actors/runtime/world.ts";

const ID_BYTES = 9;
/** Names that are drawn at a time. */
const DRAWN = 256;

/** 12 random url-safe characters each. A name sent by the client is never taken over: it could be anything, also a secret. */
export class RequestIds {
  readonly #world: Pick<World, "random">;
  #text = "";
  #at = 0;

  constructor(world: Pick<World, "random">) {
    this.#world = world;
  }

  next(): string {
    if (this.#at >= this.#text.length) {
      // Nine bytes are twelve characters without padding, so names can be cut from one long text.
      this.#text = Buffer.from(this.#world.random(DRAWN * ID_BYTES)).toString("base64url");
      this.#at = 0;
    }
    const from = this.#at;
    this.#at += (ID_BYTES / 3) * 4;
    return this.#text.slice(from, this.#at);
  }
}
