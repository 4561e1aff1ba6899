/**
 * The provider tells of one SMS in several ways: in its list with an id, in a status or a history without one. Here they become one
 * message each, before an order hears of them (invariant 13).
 */
import type { IncomingMessage } from "../../actors/order/commands.ts";
import type { StoredMessage } from "../../actors/runtime/store.ts";
import { ANONYMOUS, type ProviderMessage } from "./port.ts";

type Content = Pick<ProviderMessage, "code" | "text">;

const isAnonymous = ({ id }: { readonly id: string }): boolean => id.startsWith(ANONYMOUS);

/**
 * The same SMS, told without an id on one side: by its code where both have one, else by its text. The history tells the text alone, a
 * status the code alone; then the one is found in the other.
 */
function same(a: Content, b: Content): boolean {
  if (a.code !== null && b.code !== null) return a.code === b.code;
  if (a.text !== null && b.text !== null) return a.text === b.text;
  return holds(a.text, b.code) || holds(b.text, a.code);
}

/** Whether the text says this code, and not only a longer one. */
function holds(text: string | null, code: string | null): boolean {
  if (text === null || code === null) return false;
  const at = text.indexOf(code);
  const isWord = (character: string | undefined) => character !== undefined && /[\p{L}\p{N}]/u.test(character);
  return at >= 0 && !isWord(text[at - 1]) && !isWord(text[at + code.length]);
}

/**
 * As they were received: lists come in either order, and several SMS fall into one second, where the provider's counting ids tell.
 * The list's own order stays where neither times nor ids are complete.
 */
function oldestFirst(incoming: readonly ProviderMessage[]): ProviderMessage[] {
  const timed = incoming.every(({ receivedAt }) => receivedAt !== null);
  const counted = incoming.every(({ id }) => /^\d+$/.test(id));
  return [...incoming].sort(
    (a, b) => (timed && Number(a.receivedAt) - Number(b.receivedAt)) || (counted ? byId(a, b) : 0),
  );
}

/** Digits of any length, without a sign. */
const byId = (a: ProviderMessage, b: ProviderMessage): number =>
  a.id.length - b.id.length || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/**
 * What is new among `incoming`, oldest first. Messages without an id are counted within the order, after those that are stored; one whose content
 * is known already is dropped, and so is the named twin of one that was stored without a name.
 */
export function nameMessages(
  incoming: readonly ProviderMessage[],
  stored: readonly StoredMessage[],
): IncomingMessage[] {
  const named: IncomingMessage[] = [];
  for (const message of oldestFirst(incoming)) {
    const anonymous = isAnonymous(message);
    const told = [...stored, ...named];
    const twins: readonly Content[] = anonymous ? told : told.filter(isAnonymous);
    if (twins.some((twin) => same(twin, message))) continue;
    named.push(anonymous ? { ...message, id: `${ANONYMOUS}${stored.length + named.length + 1}` } : message);
  }
  return named;
}
