/**
 * What a shop will ask of its node, one after the other, as a shop would: through the adapter. Only `pay` moves money; the invoice that is made
 * is cancelled, or runs out in two minutes.
 */
import { sats } from "../../../actors/order/money.ts";
import { feeCapOf } from "../../../actors/order/policy.ts";
import { sleep, type World } from "../../../actors/runtime/world.ts";
import type { Binding } from "../../binding.ts";
import { readInvoice } from "../../lightning/bolt11.ts";
import { type CreatedInvoice, type LightningNode, type NodeInfo, NodeUnavailable } from "../../lightning/port.ts";
import { checkRefundInvoice } from "../../lightning/refund-invoice.ts";
import type { Trouble } from "./explain.ts";

/** `warning`: it works, and the operator should know. */
export type Finding =
  | { readonly kind: "ok" | "skipped"; readonly words: string }
  | ({ readonly kind: "warning" } & Trouble)
  | ({ readonly kind: "bad" } & Trouble);

/** What is known so far. */
export interface Bench {
  readonly world: World;
  readonly node: LightningNode;
  /** What the database in DATA_DIR is bound to; null when there is none yet. */
  readonly bound: Binding | null;
  /** Whether numbers cost real money. */
  readonly isReal: boolean;
  /** `own`: our own invoice; else an invoice without an amount; null pays nothing. */
  readonly pay: string | null;
  info: NodeInfo | null;
  invoice: CreatedInvoice | null;
}

export interface Step {
  readonly name: string;
  /** The others make no sense when it fails. */
  readonly isNeeded: boolean;
  /** @throws NodeUnavailable */
  readonly run: (bench: Bench) => Promise<Finding>;
}

const AMOUNT = sats(100);
const EXPIRY_SECONDS = 120;
const DESCRIPTION = "l402-numbers check";
/** How long a stream is listened to before it counts as standing. */
const LISTEN_MS = 1_500;
const PAY_SECONDS = 60;
const NETWORKS = { bc: "mainnet", tb: "testnet", tbs: "signet", bcrt: "regtest" } as const;

const ok = (words: string): Finding => ({ kind: "ok", words });
const skipped = (words: string): Finding => ({ kind: "skipped", words });
const bad = (why: string, fix: string): Finding => ({ kind: "bad", why, fix });
const warning = (why: string, fix: string): Finding => ({ kind: "warning", why, fix });
const short = (id: string): string => (id.length > 24 ? `${id.slice(0, 12)}..${id.slice(-6)}` : id);

export const STEPS: readonly Step[] = [
  { name: "info", isNeeded: true, run: info },
  { name: "binding", isNeeded: false, run: binding },
  { name: "balance", isNeeded: false, run: balance },
  { name: "invoice", isNeeded: false, run: invoice },
  { name: "decode", isNeeded: false, run: decode },
  { name: "look-up", isNeeded: false, run: lookup },
  { name: "list", isNeeded: false, run: list },
  { name: "stream", isNeeded: false, run: stream },
  { name: "refund state", isNeeded: false, run: refundState },
  { name: "refund right", isNeeded: false, run: refundRight },
  { name: "pay", isNeeded: false, run: pay },
  { name: "cancel", isNeeded: false, run: cancel },
];

async function info(bench: Bench): Promise<Finding> {
  const found = await bench.node.info();
  bench.info = found;
  const network = NETWORKS[found.network];
  // Written by the node's owner, or by whoever answers.
  const alias = found.alias.replace(/[^\x20-\x7e]+/g, "?").slice(0, 40);
  const who = `"${alias}" ${short(found.pubkey)} on ${network}`;
  if (!found.synced) {
    return warning(`${who} has not caught up with the chain`, "Wait: nothing is sold until it has");
  }
  return ok(who);
}

async function binding({ bound, info, isReal }: Bench): Promise<Finding> {
  if (bound !== null && info !== null) {
    if (bound.network !== info.network) {
      const [ours, theirs] = [NETWORKS[bound.network], NETWORKS[info.network]];
      return bad(
        `The database in DATA_DIR belongs to ${ours}, and this node is on ${theirs}`,
        "Point LIGHTNING_URL at the node of before, or use another DATA_DIR for this one",
      );
    }
    if (bound.nodePubkey !== info.pubkey) {
      return bad(
        `The database in DATA_DIR belongs to another node, ${short(bound.nodePubkey)}`,
        "Point LIGHTNING_URL at that one: what it owes is known there only. Or use another DATA_DIR for this one",
      );
    }
  }
  if (isReal && info?.network !== "bc") {
    return warning(
      "The node is not on mainnet: customers would pay for real numbers with coins that are worth nothing",
      "Use a mainnet node before you open the shop",
    );
  }
  return ok(
    bound ? "the database in DATA_DIR belongs to this node" : "no database yet; the first start binds it to this node",
  );
}

async function balance({ node }: Bench): Promise<Finding> {
  const { outboundSats, inboundSats } = await node.balance();
  const can = `can send ${outboundSats} sat${inboundSats === null ? "" : `, can receive ${inboundSats} sat`}`;
  if (inboundSats !== null && inboundSats === 0) {
    return warning(`The node ${can}: nobody can pay it`, "Open or buy a channel with inbound capacity");
  }
  if (outboundSats === 0) {
    return warning(
      `The node ${can}: it could refund nothing, and what may need a refund is not sold`,
      "Leave some money in its channels; open orders set aside what their refunds would need",
    );
  }
  return ok(can);
}

async function invoice(bench: Bench): Promise<Finding> {
  const key = `check:${Buffer.from(bench.world.random(8)).toString("hex")}`;
  bench.invoice = await bench.node.createInvoice({
    key,
    amountSats: AMOUNT,
    description: DESCRIPTION,
    expirySeconds: EXPIRY_SECONDS,
  });
  return ok(`made one of ${AMOUNT} sat that runs out in two minutes`);
}

async function decode({ invoice, info }: Bench): Promise<Finding> {
  if (!invoice || !info) return skipped("no invoice to read");
  const read = readInvoice(invoice.bolt11, info.network);
  if (!read.ok)
    return bad(`The node's invoice is refused: ${read.reason}`, "Report this with the kind and version of the node");
  const { amountMsats, expiresAt, issuedAt, payee } = read.facts;
  const seconds = Math.round((expiresAt - issuedAt) / 1000);
  if (amountMsats !== AMOUNT * 1000 || seconds !== EXPIRY_SECONDS) {
    return bad(
      `The invoice asks for ${Number(amountMsats) / 1000} sat within ${seconds} s, instead of ${AMOUNT} sat within ${EXPIRY_SECONDS} s`,
      "Payers would be asked for the wrong thing: look for a rule of the wallet that changes invoices",
    );
  }
  return ok(`asks for ${AMOUNT} sat on ${NETWORKS[info.network]}, paid to ${short(payee)}`);
}

async function lookup({ node, invoice }: Bench): Promise<Finding> {
  if (!invoice) return skipped("no invoice to look up");
  const { kind } = await node.lookupInvoice(invoice.paymentHash);
  return kind === "open"
    ? ok("the node says that it is open")
    : bad(
        `The node says that an invoice it has just made is ${kind}`,
        "It would not be known who has paid: look at the node's own log",
      );
}

async function list({ node, world }: Bench): Promise<Finding> {
  const found = await node.settledSince(world.now() - 3_600_000);
  return ok(`${found.length} paid in the last hour`);
}

/** Most nodes say nothing until somebody pays: it stands if nobody has ended it. */
async function stream({ node, world }: Bench): Promise<Finding> {
  const stop = new AbortController();
  const events = node.settlements(null, stop.signal)[Symbol.asyncIterator]();
  const next = events.next();
  next.catch(() => {});
  try {
    await Promise.race([next, sleep(world, LISTEN_MS)]);
  } finally {
    stop.abort();
    await next.catch(() => {});
    await events.return?.(undefined).catch(() => {});
  }
  return ok("settlements would be heard at once");
}

async function refundState({ node, world }: Bench): Promise<Finding> {
  const hash = Buffer.from(world.random(32)).toString("hex");
  const state = await node.lookupPayment(hash);
  if (state.kind === "never_sent") return ok("the node knows of no payment that nobody made");
  if (state.kind === "unknown" && state.reason === "cannot_find_payments") {
    return warning(
      "The wallet does not find payments that it made, so what became of a refund could never be known",
      "A refund whose answer is lost would wait for a person: use another wallet, or ask its maker for lookup_invoice of outgoing payments",
    );
  }
  return bad(`The node says "${state.kind}" of a payment that nobody made`, "Look at the node's own log");
}

async function refundRight({ node }: Bench): Promise<Finding> {
  const may = await node.mayPay();
  return may.ok
    ? ok("the node would pay refunds")
    : warning(may.reason, "Until then nothing is sold that may need a refund, and refunds wait for a person");
}

async function cancel({ node, invoice }: Bench): Promise<Finding> {
  if (!invoice) return skipped("nothing to cancel");
  const { kind } = await node.cancelInvoice(invoice.paymentHash);
  if (kind === "settled") return ok("it is paid");
  return ok(
    kind === "open"
      ? "this kind of node cannot cancel; the invoice runs out by itself"
      : "the invoice cannot be paid any more",
  );
}

async function pay(bench: Bench): Promise<Finding> {
  const { node, invoice, info, world } = bench;
  if (bench.pay === null)
    return skipped("not tried; --pay pays 100 sat to itself, --pay INVOICE to an invoice without an amount");
  const isOwn = bench.pay === "own";
  if (!info || (isOwn && !invoice)) return skipped("no invoice to pay");
  let target = { bolt11: invoice?.bolt11 ?? "", paymentHash: invoice?.paymentHash ?? "" };
  if (!isOwn) {
    const { network, pubkey: ownPubkey } = info;
    const verdict = checkRefundInvoice({
      invoice: bench.pay,
      network,
      now: world.now(),
      minLifeSeconds: 60,
      ownPubkey,
    });
    if (!verdict.ok)
      return bad(`That invoice is refused: ${verdict.message}`, "Make one without an amount in another wallet");
    target = { bolt11: verdict.invoice, paymentHash: verdict.paymentHash };
  }
  const maxFeeSats = feeCapOf(node.traits.feeCap, AMOUNT);
  let outcome = await node.pay({ ...target, amountSats: AMOUNT, maxFeeSats, timeoutSeconds: PAY_SECONDS });
  if (outcome.kind === "unknown" || outcome.kind === "in_flight") {
    const state = await node.lookupPayment(target.paymentHash).catch((error) => {
      if (error instanceof NodeUnavailable) return outcome;
      throw error;
    });
    if (state.kind !== "never_sent") outcome = state;
  }
  switch (outcome.kind) {
    case "succeeded":
      return ok(`${AMOUNT} sat paid, with proof, for a fee of ${outcome.feeMsats / 1000} sat`);
    case "failed":
      return isOwn
        ? warning(
            `It does not pay itself (${outcome.reason}); most nodes do not, and nothing was sent`,
            "To try a real refund, make an invoice without an amount in another wallet: --pay INVOICE",
          )
        : bad(`The payment failed: ${outcome.reason}`, reasonFix(outcome.reason, maxFeeSats));
    case "in_flight":
      return warning(
        "The payment is on its way and not over yet",
        "Look at the node's own list of payments; do not pay it again",
      );
    case "unknown":
      return warning(
        `What became of the payment is not known (${outcome.reason})`,
        "Look at the node's own list of payments before you pay again",
      );
  }
}

function reasonFix(reason: string, maxFeeSats: number): string {
  switch (reason) {
    case "insufficient_balance":
      return "Its channels hold too little on this side";
    case "no_route":
      return `There is no route to that wallet for a fee of at most ${maxFeeSats} sat: the node needs better channels`;
    case "not_permitted":
      return "The credential may not pay; see the step before";
    case "quota_exceeded":
      return "The connection's budget is used up: raise it in the wallet";
    default:
      return "Look at the node's own log";
  }
}
