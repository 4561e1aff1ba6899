/** Effects that ask the provider: effect -> port call -> result command. */
import type { CancelAnswer, FinishAnswer, LookAnswer } from "../../actors/order/commands.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import type { EffectHandlers } from "../../actors/runtime/effects.ts";
import type { Store } from "../../actors/runtime/store.ts";
import { sleep, type World } from "../../actors/runtime/world.ts";
import { nameMessages } from "../provider/messages.ts";
import type { CancelOutcome, FinishOutcome, NumberProvider, ProviderMessage } from "../provider/port.ts";
import type { Purchases } from "../provider/purchases.ts";

const SECOND = 1_000;
/** A loose activation may be too young to be cancelled: it is tried for as long as that can last. */
const RELEASE_TRIES = 6;

export function providerEffects(options: {
  readonly world: World;
  readonly provider: NumberProvider;
  readonly purchases: Purchases;
  readonly store: Pick<Store, "messages">;
  /** Nobody knows whether a message was there: somebody has to hint again. */
  readonly lookFailed: (activationId: string) => void;
}): Pick<EffectHandlers, "buy" | "findBuy" | "look" | "cancel" | "finish" | "release"> {
  const { world, provider, purchases, store, lookFailed } = options;
  const named = (orderId: OrderId, messages: readonly ProviderMessage[]) =>
    nameMessages(messages, store.messages(orderId));
  return {
    async buy(effect) {
      return { type: "BuyAnswered", attempt: effect.attempt, answer: await purchases.buy(effect) };
    },
    async findBuy(effect, orderId) {
      return { type: "BuySearched", attempt: effect.attempt, answer: await purchases.find(effect, orderId) };
    },
    async look({ activationId, boughtAt }, orderId) {
      const answer = await look(provider, activationId, boughtAt);
      if (answer.kind !== "seen") {
        lookFailed(activationId);
        return { type: "Looked", answer };
      }
      return { type: "Looked", answer: { ...answer, messages: named(orderId, answer.messages) } };
    },
    async cancel({ activationId }, orderId) {
      const answer = cancelAnswer(await provider.cancel(activationId));
      if (answer.kind !== "sms_arrived") return { type: "CancelAnswered", answer };
      return { type: "CancelAnswered", answer: { ...answer, messages: named(orderId, answer.messages) } };
    },
    async finish({ activationId }, orderId) {
      const answer = finishAnswer(await provider.finish(activationId));
      if (answer.kind !== "sms_arrived") return { type: "FinishAnswered", answer };
      return { type: "FinishAnswered", answer: { ...answer, messages: named(orderId, answer.messages) } };
    },
    async release({ activationId }) {
      let answer = cancelAnswer(await provider.cancel(activationId));
      for (let tries = 1; tries < RELEASE_TRIES && isPassing(answer); tries++) {
        await sleep(world, 30 * SECOND);
        answer = cancelAnswer(await provider.cancel(activationId));
      }
      return { type: "ReleaseAnswered", answer };
    },
  };
}

const isPassing = (answer: CancelAnswer): boolean => answer.kind === "too_early" || answer.kind === "unknown";

async function look(provider: NumberProvider, activationId: string, boughtAt: number): Promise<LookAnswer> {
  try {
    const { standing, messages } = await provider.look(activationId, boughtAt);
    return { kind: "seen", standing, messages };
  } catch {
    return { kind: "unavailable" };
  }
}

function cancelAnswer(outcome: CancelOutcome): CancelAnswer {
  if (outcome.kind === "too_early")
    return { kind: "too_early", minActivationMs: outcome.minActivationSeconds * SECOND };
  if (outcome.kind === "unknown") return { kind: "unknown" };
  return outcome;
}

function finishAnswer(outcome: FinishOutcome): FinishAnswer {
  // Refused means that the provider wants to see a code first: asked again, it ends the activation by itself.
  if (outcome.kind === "unknown" || outcome.kind === "refused") return { kind: "unknown" };
  return outcome;
}
