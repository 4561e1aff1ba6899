/**
 * What somebody found out by comparing our books with those of node and provider: after ours were restored from a backup, or when they
 * disagree. Said only while nobody serves, by a doctor who looked that no refund of this order is out unless it says so itself.
 */
import type { CommandOf, Finding } from "../commands.ts";
import { type Rule, type Step, stays } from "../decision.ts";
import { floorToSats } from "../money.ts";
import { end, numberBought } from "../moves.ts";
import { numberOf } from "../state.ts";
import { isRefundable } from "../terms.ts";

type Proof = Extract<Finding, { kind: "refund_paid" }>;

interface Openness {
  /** Whether a number may still turn up. */
  readonly number: boolean;
  /** Whether a person may say that the customer was served. */
  readonly served: boolean;
  /** Whether a refund may have been paid. Where it may not, one that was is a contradiction. */
  readonly refund: boolean;
}

const reconcile =
  (openFor: (step: Step) => Openness) =>
  (step: Step, { finding }: CommandOf<"Reconciled">): void => {
    const open = openFor(step);
    switch (finding.kind) {
      case "refund_paid":
        return open.refund ? refundProven(step, finding) : contradicted(step, finding);
      case "number":
        // A loose buy may be this very number: its own search goes on.
        if (!open.number || step.order.loose !== null) return;
        if (step.order.doubtSince !== undefined) sure(step);
        return numberBought(step, finding.number);
      case "served":
        if (!open.served) return;
        step.emit({ type: "SaleKept" });
        if (step.order.doubtSince !== undefined) sure(step);
        return end(step, "completed");
      case "doubt":
        if (step.order.doubtSince !== undefined) return;
        step.emit({ type: "Doubted" });
        return step.attention("in_doubt");
      case "doubt_over":
        if (step.order.doubtSince === undefined) return;
        return sure(step);
    }
  };

/** There is room for one reason: what the doubt may have hidden is brought up again. */
function sure(step: Step): void {
  step.emit({ type: "DoubtOver" });
  step.calm("in_doubt");
  if (step.order.loose !== null) step.attention("loose_activation");
}

/** The node proves that it paid: booked as if we had heard it in time. */
function refundProven(step: Step, proof: Proof): void {
  const { destination, owedMsats, refundAttempts } = step.order;
  const { amountSats, feeMsats, preimage, paymentHash } = proof;
  if (amountSats !== floorToSats(owedMsats)) return step.attention("refund_differs");
  if (!destination?.claimed || destination.paymentHash !== paymentHash) {
    step.claims.push({ kind: "refund_hash", value: paymentHash });
  }
  const { kind } = step.order.state;
  const number = numberOf(step.order);
  if (number && kind !== "done") {
    step.emit({ type: "NumberEnded", cost: number.cost, refunded: proof.numberRefunded });
  }
  const known = kind === "refunding" || kind === "refundUnknown";
  const attempt = known ? refundAttempts : refundAttempts + 1;
  if (!known) step.emit({ type: "RefundStarted", attempt, paymentHash, amountSats, due: step.now });
  step.emit({ type: "RefundPaid", attempt, amountSats, feeMsats, preimage, paymentHash });
  if (step.order.doubtSince !== undefined) sure(step);
  end(step, "refunded");
}

/** A refund of what was sold, or a second one: nothing to book, much to look at. */
function contradicted(step: Step, { paymentHash }: Proof): void {
  if (step.order.refund?.paymentHash !== paymentHash) step.attention("refund_after_sale");
}

type Reconciling = Rule<CommandOf<"Reconciled">>;

export const nothingToReconcile: Reconciling = stays("stays: nothing was paid that could have been used or given back");

const DOUBT = "doubt is remembered: nothing is bought or paid meanwhile";

export const reconciledBuying: Reconciling = {
  does: `a number the provider sold -> \`waiting\` or \`renting\`; a refund the node paid -> \`done refunded\`; served -> \`done completed\`; ${DOUBT}`,
  run: reconcile(() => ({ number: true, served: true, refund: true })),
};

export const reconciledHolding: Reconciling = {
  does: `a refund the node paid -> \`done refunded\`, of a reactivation it is reported to a person; served -> \`done completed\`; ${DOUBT}`,
  run: reconcile(({ order }) => ({ number: false, served: true, refund: isRefundable(order.terms.good) })),
};

export const reconciledSold: Reconciling = {
  does: `a refund the node paid all the same is reported to a person; ${DOUBT}`,
  run: reconcile(() => ({ number: false, served: false, refund: false })),
};

export const reconciledRefunding: Reconciling = {
  does: `a refund the node paid -> \`done refunded\`; a number the provider sold -> \`waiting\` or \`renting\`; served -> \`done completed\`; ${DOUBT}`,
  run: reconcile(({ order }) => ({ number: order.owedMsats > 0, served: order.owedMsats > 0, refund: true })),
};

export const reconciledRefundUnknown: Reconciling = {
  does: `a refund the node paid -> \`done refunded\`; ${DOUBT}`,
  run: reconcile(() => ({ number: false, served: false, refund: true })),
};

export const reconciledDone: Reconciling = {
  does: `failed with sats owed: as \`refundStuck\`; else a refund the node paid that is not booked is reported to a person; ${DOUBT}`,
  run: reconcile(({ order }) => {
    const { state, owedMsats } = order;
    const owed = state.kind === "done" && state.as === "failed" && owedMsats >= 1000;
    return { number: owed && numberOf(order) === null, served: owed, refund: owed };
  }),
};
