/** Invariants 14 to 17: privacy. */
import { type Evidence, type Invariant, Violation } from "./invariant.ts";

export const ownOrderOnly: Invariant = {
  says: "A credential opens exactly its own order; caveats only narrow",
  told(_, { orderId }, view) {
    if (view.orderId !== orderId) throw new Violation(14, `the credential of ${orderId} opened ${view.orderId}`);
  },
  probed(_, foreign) {
    if (opens(foreign)) throw new Violation(14, "a stranger's credential opened an order");
  },
};

/** What a stranger may never get: an order, or an answer that is none of the documented refusals. */
const opens = (answer: unknown): boolean =>
  typeof answer === "object" && answer !== null && ("orderId" in answer || "phoneNumber" in answer);

/**
 * Whatever could be a secret by its look, cut out of a text: runs of digits, hex, base64 and bech32. Each is looked up among the real
 * secrets, so that nothing is found by chance.
 */
const TOKENS = /[A-Za-z0-9+/=_]{8,}/g;

function* secretsIn({ secrets }: Evidence, text: string): Generator<string> {
  for (const [token] of text.matchAll(TOKENS)) {
    if (secrets.has(token)) yield token;
    // A phone number may be written with its "+" or without.
    else if (token.startsWith("+") && secrets.has(token.slice(1))) yield token;
  }
}

export const nothingLeaks: Invariant = {
  says: "No code, number, preimage, macaroon or invoice in logs, metrics or error bodies",
  log(evidence, line) {
    for (const _ of secretsIn(evidence, line)) throw new Violation(15, `a secret in the log: ${masked(line)}`);
  },
  refused(evidence, problem) {
    for (const _ of secretsIn(evidence, JSON.stringify(problem))) {
      throw new Violation(15, `a secret in a refusal: ${problem.problem}`);
    }
  },
  http(evidence, { status }, text) {
    // A 402 carries the invoice and its macaroon: that is what it is for.
    if (status < 400 || status === 402) return;
    for (const _ of secretsIn(evidence, text)) throw new Violation(15, `a secret in the body of a ${status}`);
  },
};

/** A violation is printed, and must not leak in its turn. */
const masked = (line: string): string => /"msg":"[^"]*"/.exec(line)?.[0] ?? "(a line without a message)";

export const erasedIsGone: Invariant = {
  says: "Erased means gone from the file",
  rest: (evidence) => gone(evidence, (id) => evidence.store.messages(id).length === 0),
  forgotten(evidence) {
    gone(evidence, () => true);
    const { db } = evidence;
    const left = db.query<{ n: number }, []>("SELECT count(*) AS n FROM messages").get()?.n ?? 0;
    if (left > 0) throw new Violation(16, `${left} messages are kept long after their time`);
  },
};

const HEX = /[0-9a-f]/;

/** Looks for codes in the bytes of the database, as a thief of the disk would. `erased` says of which orders nothing may be left. */
function gone({ db, sms, activations, orders, books }: Evidence, erased: (orderId: string) => boolean): void {
  const bytes = db.serialize().toString("latin1");
  // A number that was reactivated belonged to several orders; the text may be kept for any of them.
  const owners = new Map<string, string[]>();
  for (const [activation, order] of activations) {
    const phone = books
      .query<{ phone: string }, [number]>("SELECT phone FROM provider_activations WHERE id = ?")
      .get(Number(activation))?.phone;
    if (phone !== undefined) owners.set(`+${phone}`, [...(owners.get(`+${phone}`) ?? []), order]);
  }
  for (let at = bytes.indexOf(CODE_PREFIX); at >= 0; at = bytes.indexOf(CODE_PREFIX, at + 1)) {
    const code = bytes.slice(at, at + CODE_LENGTH);
    // Digits within a hash are no code.
    if (HEX.test(bytes[at - 1] ?? "") || HEX.test(bytes[at + CODE_LENGTH] ?? "")) continue;
    const possible = owners.get(sms.get(code) ?? "") ?? [];
    if (possible.length > 0 && possible.every((owner) => orders.get(owner) && erased(owner))) {
      throw new Violation(16, `${possible.join(", ")}: a code is erased, and still in the file`);
    }
  }
}

/** Codes of the simulated SMS are eight digits that begin like this. */
export const CODE_PREFIX = "7749";
const CODE_LENGTH = 8;

export const alikeToStrangers: Invariant = {
  says: '"No such order" and "not yours" cannot be told apart',
  probed(_, foreign, unknown) {
    const [one, other] = [foreign, unknown].map((answer) =>
      JSON.stringify(answer, (key, value: unknown) => (key === "requestId" ? undefined : value)),
    );
    if (one !== other) throw new Violation(17, `a stranger can tell a foreign order from none: ${one} and ${other}`);
  },
};
