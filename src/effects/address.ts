/** The effect that asks a refund address: effect -> question -> result command. */
import type { AddressAnswer } from "../../actors/order/commands.ts";
import type { EffectHandlers } from "../../actors/runtime/effects.ts";
import type { AddressQuestion } from "../lnurl/pay.ts";

export function addressEffects(
  ask: (question: AddressQuestion) => Promise<AddressAnswer>,
): Pick<EffectHandlers, "resolve"> {
  return {
    async resolve({ attempt, address, amountSats, maxFeeSats }) {
      return { type: "AddressAnswered", attempt, answer: await ask({ address, amountSats, maxFeeSats }) };
    },
  };
}
