/**
 * The provider tells of one SMS in several ways: in its list with an id, in a status or a history without one. Here they become one
 * message each, before an order hears of them (invariant 13).
 */
import type { IncomingMessage } from "../../actors/order/commands.ts";
import type { StoredMessage } from "../../actors/runtime/store.ts";
import { ANONYMOUS, type ProviderMessage } from "./port.ts";

type Content = Pick<ProviderMessage, "code" | "text">;

const isAnonymous = ({ id }: { readonly id: string }): boolean => id.startsWith(ANONYMOUS);

/** The same SMS, told without an id on one side: equal codes, or equal texts where there is no code. */
const same = (a: Content, b: Content): boolean =>
  a.code !== null ? a.code === b.code : b.code === null && a.text === b.text;

/**
 * What is new among `incoming`. Messages without an id are counted within the order, after those that are stored; one whose content
 * is known already is dropped, and so is the named twin of one that was stored without a name.
 */
export function nameMessages(
  incoming: readonly ProviderMessage[],
  stored: readonly StoredMessage[],
): IncomingMessage[] {
  const named: IncomingMessage[] = [];
  for (const message of incoming) {
    const anonymous = isAnonymous(message);
    const told = [...stored, ...named];
    const twins: readonly Content[] = anonymous ? told : told.filter(isAnonymous);
    if (twins.some((twin) => same(twin, message))) continue;
    named.push(anonymous ? { ...message, id: `${ANONYMOUS}${stored.length + named.length + 1}` } : message);
  }
  return named;
}
