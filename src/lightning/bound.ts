/**
 * The node as the database knows it. What another node says of our hashes proves nothing: "never sent" there may be "paid" here, so before
 * every question or payment that concludes something, the node that answers must be the one we are bound to.
 */
import { type LightningNode, type NodeHistory, type NodeInfo, NodeUnavailable } from "./port.ts";

/**
 * @param pubkey the node our database belongs to.
 * @param isOurs whether the node that answers is that one.
 */
export function boundNode(node: LightningNode, pubkey: string, isOurs: (info: NodeInfo) => boolean): LightningNode {
  /** @throws NodeUnavailable when another node answers, or none. */
  const check = async (): Promise<void> => {
    // Nobody else could have written what such a node answers.
    if (node.traits.provenBy === "answers") return;
    if (!isOurs(await node.info())) throw new NodeUnavailable("another node answers");
  };
  return {
    traits: node.traits,
    info: () => node.info(),
    balance: () => node.balance(),
    async createInvoice(wanted) {
      const invoice = await node.createInvoice(wanted);
      // It names its node itself: no need to ask.
      if (invoice.node !== pubkey) throw new NodeUnavailable("another node answers");
      return invoice;
    },
    async lookupInvoice(hash) {
      await check();
      return node.lookupInvoice(hash);
    },
    /** A cursor of another node would make us skip what ours has settled. */
    async *settlements(cursor, signal) {
      await check();
      yield* node.settlements(cursor, signal);
    },
    async settledSince(since) {
      await check();
      return node.settledSince(since);
    },
    async cancelInvoice(hash) {
      await check();
      return node.cancelInvoice(hash);
    },
    async pay(payment) {
      try {
        await check();
      } catch (error) {
        if (!(error instanceof NodeUnavailable)) throw error;
        // Nothing was sent; but whether an earlier attempt is out, only our own node can tell.
        return { kind: "unknown", reason: "node_unavailable" };
      }
      return node.pay(payment);
    },
    async lookupPayment(hash) {
      await check();
      return node.lookupPayment(hash);
    },
    mayPay: () => node.mayPay(),
    ...(node.history && { history: boundHistory(node.history, check) }),
  };
}

const boundHistory = (history: NodeHistory, check: () => Promise<void>): NodeHistory => ({
  async paid(since) {
    await check();
    return history.paid(since);
  },
  async received(since) {
    await check();
    return history.received(since);
  },
});
