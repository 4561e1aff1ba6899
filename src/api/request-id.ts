/** The name of one request: what a customer quotes to the operator, and what the operator finds in the log. */
import type { World } from "../../actors/runtime/world.ts";

const ID_BYTES = 9;

/** 12 random url-safe characters. A name sent by the client is never taken over: it could be anything, also a secret. */
export function newRequestId(world: World): string {
  return Buffer.from(world.random(ID_BYTES)).toString("base64url");
}
