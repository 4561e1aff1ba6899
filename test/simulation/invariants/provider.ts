/** Invariants 11 to 13: the provider's side. */
import type { Order } from "../../../actors/order/state.ts";
import type { Good } from "../../../actors/order/terms.ts";
import { type Evidence, type Invariant, Violation } from "./invariant.ts";

interface ActivationRow {
  readonly id: number;
  readonly service: string;
  readonly country: number;
  readonly status: number;
  readonly endedAt: number | null;
}

const activationsOf = ({ books }: Evidence): ActivationRow[] =>
  books.query<ActivationRow, []>("SELECT id, service, country, status, endedAt FROM provider_activations").all();

const isLane = ({ service, country }: Good, row: ActivationRow): boolean =>
  service === row.service && country === row.country;

export const oneOwner: Invariant = {
  says: "Every activation of ours belongs to one order, and ends delivered, cancelled or accounted",
  event({ activations }, { order, held }, event) {
    if (event.type === "BuyStarted" && held) throw new Violation(11, `${order.id}: a buy while a number is held`);
    if (event.type !== "NumberBought" && event.type !== "LooseFound") return;
    if (event.type === "NumberBought" && held) throw new Violation(11, `${order.id}: a second number`);
    const { activationId } = event.number;
    const owner = activations.get(activationId) ?? order.id;
    if (owner !== order.id) throw new Violation(11, `activation ${activationId} belongs to ${owner} and ${order.id}`);
    activations.set(activationId, order.id);
  },
  rest(evidence) {
    for (const row of activationsOf(evidence)) {
      const owner = evidence.orders.get(evidence.activations.get(String(row.id)) ?? "");
      // A rental that was served is given back by nobody: it runs out, a moment later by the provider's clock than by ours.
      const runsOut = owner?.terms.good.type === "rent-number" && owner.state.kind === "done";
      const isThoughtOver = owner?.messageIds.length !== 0 && evidence.misreported.has(String(row.id));
      if (row.endedAt === null && owner && !owner.attention && !runsOut && !isThoughtOver)
        throw new Violation(11, `activation ${row.id} is open, its order rests`);
    }
  },
};

/** A buy of this order may have happened without our knowing: it is asked, looked for, or given up and told to a person. */
function mayHaveBought({ state, loose }: Order): boolean {
  return state.kind === "buyUnknown" || (state.kind === "buying" && state.step === "asking") || loose !== null;
}

export const boughtIsFound: Invariant = {
  says: "A crash between buy and commit is found at the next start",
  died(evidence) {
    unexplained(evidence, 12, () => true);
  },
  rest(evidence) {
    unexplained(evidence, 12, ({ loose, attention }) => loose !== null && attention !== null);
  },
};

/** Activations that no order knows must be covered, lane by lane, by orders that may have bought them. */
function unexplained(evidence: Evidence, invariant: 12, covers: (order: Order) => boolean): void {
  const strangers = activationsOf(evidence).filter(
    ({ id, status }) =>
      !evidence.activations.has(String(id)) && !evidence.strangers.has(String(id)) && status !== 8 && status !== 10,
  );
  if (strangers.length === 0) return;
  const buyers = [...evidence.orders.all()].filter((order) => mayHaveBought(order) && covers(order));
  for (const row of strangers) {
    const index = buyers.findIndex(({ terms }) => isLane(terms.good, row));
    if (index < 0)
      throw new Violation(invariant, `no order explains activation ${row.id} of ${row.service}/${row.country}`);
    buyers.splice(index, 1);
  }
}

export const oneSmsOnce: Invariant = {
  says: "One SMS is delivered once, however many ways it came",
  step(_, { id, messageIds }, before) {
    if (before?.messageIds.length === messageIds.length) return;
    if (new Set(messageIds).size !== messageIds.length) throw new Violation(13, `${id}: a message is recorded twice`);
  },
  told(_, __, view) {
    if (view.messages.length < 2) return;
    const texts = view.messages.map(({ code, text }) => code ?? text);
    if (new Set(texts).size !== texts.length) throw new Violation(13, `${view.orderId}: an SMS is shown twice`);
  },
  rest({ books, orders, activations, store }) {
    const received = new Map(
      books
        .query<{ id: number; n: number }, []>(
          "SELECT activationId AS id, count(*) AS n FROM provider_messages GROUP BY 1",
        )
        .all()
        .map(({ id, n }) => [String(id), n]),
    );
    const most = new Map<string, number>();
    for (const [activation, order] of activations) {
      most.set(order, (most.get(order) ?? 0) + (received.get(activation) ?? 0));
    }
    for (const { id, messageIds } of orders.all()) {
      if (messageIds.length > (most.get(id) ?? 0)) throw new Violation(13, `${id} has more messages than came`);
      const stored = store.messages(id).length;
      if (stored !== 0 && stored !== messageIds.length)
        throw new Violation(13, `${id}: stored and recorded messages differ`);
    }
  },
};
