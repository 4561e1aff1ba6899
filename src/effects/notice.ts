/** The effect that tells a customer over Nostr; handing it to the queue is all that an order waits for. */
import type { EffectHandlers } from "../../actors/runtime/effects.ts";
import type { Notifier } from "../notices/port.ts";

export function noticeEffects(notifier: Notifier | null): Pick<EffectHandlers, "notify"> {
  return {
    async notify({ npub }, orderId) {
      notifier?.codeReceived(orderId, npub);
      return { type: "NoticeHanded" };
    },
  };
}
