/** Effects that ask the Lightning node: effect -> port call -> result command. */
import type { EffectHandlers } from "../../actors/runtime/effects.ts";
import { type LightningNode, NodeUnavailable } from "../lightning/port.ts";

export function nodeEffects(node: LightningNode): Pick<EffectHandlers, "askNode" | "refund" | "findRefund"> {
  return {
    async askNode({ paymentHash }) {
      const state = await node.lookupInvoice(paymentHash).catch(unavailable);
      if (state?.kind !== "settled") {
        return { type: "NodeAnswered", answer: state === null ? "unavailable" : "not_settled" };
      }
      const { settledAt, receivedMsats } = state.settlement;
      return { type: "Settled", settledAt, receivedMsats };
    },
    async refund({ attempt, invoice, paymentHash, amountSats, maxFeeSats, timeoutSeconds }) {
      const answer = await node.pay({ bolt11: invoice, paymentHash, amountSats, maxFeeSats, timeoutSeconds });
      return { type: "RefundAnswered", attempt, answer };
    },
    async findRefund({ attempt, paymentHash }) {
      const answer = (await node.lookupPayment(paymentHash).catch(unavailable)) ?? {
        kind: "unknown" as const,
        reason: "node_unavailable",
      };
      return { type: "RefundSearched", attempt, answer };
    },
  };
}

function unavailable(error: unknown): null {
  if (error instanceof NodeUnavailable) return null;
  throw error;
}
