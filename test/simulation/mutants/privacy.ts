/** Planted bugs about what is nobody's business. */
import type { Edit, Mutant } from "./mutant.ts";

const ACCESS = "src/api/access.ts";
const FRONT = "src/orders/front.ts";

/** A credential is taken for one of whatever order is asked for. */
const ANY_PAID_ORDER_OPENS: readonly Edit[] = [
  {
    file: ACCESS,
    find: 'if (credential.orderId !== orderId) return credential.kind === "paid" && !credential.expired ? NOT_FOUND : INVALID;',
    replace: "credential.orderId satisfies string;",
  },
  {
    file: ACCESS,
    find: "  #judge(headers: HeaderSource, orderId: string | undefined): Credential {",
    replace:
      '  #judge(headers: HeaderSource, orderId: string | undefined): Credential {\n    const judged = this.#judged(headers, orderId);\n    return orderId !== undefined && "orderId" in judged ? { ...judged, orderId } : judged;\n  }\n\n  #judged(headers: HeaderSource, orderId: string | undefined): Credential {',
  },
];

export const PRIVACY: readonly Mutant[] = [
  {
    name: "log carries the code",
    plants: "The code of an SMS is logged, in a field whose name says nothing.",
    breaks: [15],
    first: "crashes",
    edits: [
      {
        file: "src/assembly.ts",
        find: "        observer.committed?.(order, events, before);\n",
        replace:
          '        observer.committed?.(order, events, before);\n        log.info({ newest: store.messages(order.id).at(-1)?.code ?? null }, "step committed");\n',
      },
    ],
  },
  {
    name: "events hold the text",
    plants: "The audit keeps the text of the messages, which nothing ever erases.",
    breaks: [15, 16],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/moves.ts",
        find: 'step.emit({ type: "MessagesReceived", ids: kept.map((message) => message.id), first, firstCode, due });',
        replace:
          'step.emit({ type: "MessagesReceived", ids: kept.map((message) => message.id), texts: kept.map((message) => message.text), first, firstCode, due } as never);',
      },
    ],
  },
  {
    name: "foreign credential opens",
    plants: "Whoever paid for any order may act on every order.",
    breaks: [14],
    first: "crashes",
    edits: [
      ...ANY_PAID_ORDER_OPENS,
      {
        file: FRONT,
        find: "return order?.terms.paymentHash === bearer.paymentHash ? order : null;",
        replace: "return order;",
      },
    ],
  },
  {
    name: "a foreign order answers differently",
    plants: "Whoever paid for any order can tell which other orders there are.",
    breaks: [17],
    first: "crashes",
    edits: [
      ...ANY_PAID_ORDER_OPENS,
      {
        file: FRONT,
        find: "    if (!order) return notFound();\n    const { kind } = order.state;",
        replace:
          '    if (!order && this.#options.supervisor.read(bearer.orderId as OrderId)) return problem("INVALID_MACAROON", "Not yours");\n    if (!order) return notFound();\n    const { kind } = order.state;',
      },
    ],
  },
  {
    name: "a narrowed credential is wide",
    plants: "A credential that may only read may do everything.",
    breaks: [14],
    first: "crashes",
    edits: [
      {
        file: ACCESS,
        find: "if (!allows(credential.capabilities, capability)) {",
        replace: 'if (!allows("all", capability)) {',
      },
    ],
  },
  {
    name: "code kept after completion",
    plants: "Texts and codes of orders that ended are never erased.",
    breaks: [16],
    first: "crashes",
    edits: [
      {
        file: "src/orders/retention.ts",
        find: "WHERE kind = 'done' AND ended_at < ? AND coalesce",
        replace: "WHERE kind = 'over' AND ended_at < ? AND coalesce",
      },
    ],
  },
  {
    name: "erased text left",
    plants: "What was erased can still be read in the bytes of the file.",
    breaks: [16],
    first: "crashes",
    edits: [{ file: "actors/runtime/schema.ts", find: '"secure_delete = ON",', replace: '"secure_delete = OFF",' }],
  },
];
