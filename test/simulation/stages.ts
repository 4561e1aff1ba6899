/** Where an order's life can be when something goes wrong: its kinds, and the time before its row exists. */
import { LIFECYCLE } from "../../actors/order/decide.ts";
import type { Kind } from "../../actors/order/state.ts";

export const KINDS = Object.keys(LIFECYCLE) as readonly Kind[];

export type Stage = "opening" | Kind;
