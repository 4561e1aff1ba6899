/**
 * Which orders may still cost money or need messages: they are looked at when the server starts, so that inbox, reservations and lanes know of
 * them. All others wake when they are called. A table over every kind, so that a new one cannot be forgotten.
 */
import type { Kind } from "../../actors/order/state.ts";

const LIVE: Readonly<Record<Kind, boolean>> = {
  unpaid: true,
  lapsed: false,
  buying: true,
  buyUnknown: true,
  waiting: true,
  closing: true,
  delivered: true,
  finishing: false,
  renting: true,
  resolving: true,
  refunding: true,
  refundUnknown: true,
  refundStuck: true,
  done: false,
};

export const LIVE_KINDS: readonly Kind[] = (Object.keys(LIVE) as Kind[]).filter((kind) => LIVE[kind]);
