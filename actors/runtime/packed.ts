/**
 * An order in few bytes, for as long as this process lives: MessagePack, with the lists of members' names, which nearly all orders have alike, and the keys of
 * nodes beside it, once for all.
 */
import { Packr } from "msgpackr/pack";
import type { Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { readMembers, writtenMembers } from "./texts.ts";

export type Packed = Uint8Array<ArrayBuffer>;

/** More than orders have; what does not fit any more is written with its names. */
const MOST_LISTS = 256;
const packr = new Packr({ structures: [], maxSharedStructures: MOST_LISTS });

/** A database has orders of one node (`src/binding.ts`). */
const nodes: string[] = [];

function numberOf(node: string): number {
  const known = nodes.indexOf(node);
  return known < 0 ? nodes.push(node) - 1 : known;
}

/** Without its id, which is what it is kept under. Texts must be well-formed, as all are that come in. */
export function pack(order: Order): Packed {
  const written = writtenMembers(order);
  const terms = { ...written.terms, node: numberOf(written.terms.node) };
  // A copy: the packer writes one after the other into the same large buffer.
  return new Uint8Array(packr.pack({ ...written, id: null, terms }));
}

/** The order, equal to what was packed. */
export function unpack(bytes: Packed, id: OrderId): Order {
  const order = packr.unpack(bytes);
  const { terms } = order;
  return readMembers({ ...order, id, terms: { ...terms, node: nodes[terms.node] } });
}
