/**
 * `Accept-Payment: method/intent;q=...` tells which challenge a client wants (draft-httpauth-payment-00). L402 comes first unless a
 * client asks for this one: a client that reads the first challenge only finds its own.
 */

export type PaymentPlace = "first" | "after" | "never";

const MAX_HEADER = 1024;
const EXACT = "lightning/charge";

/** Where the `Payment` challenge goes beside the L402 one. Without the header: after it. */
export function placeOf(acceptPayment: string | null): PaymentPlace {
  if (acceptPayment === null) return "after";
  let best = { rank: 0, quality: 0 };
  for (const part of acceptPayment.slice(0, MAX_HEADER).toLowerCase().split(",")) {
    const [range = "", ...parameters] = part.split(";").map((word) => word.trim());
    const rank = Object.hasOwn(RANKS, range) ? RANKS[range] : undefined;
    if (rank === undefined || rank < best.rank) continue;
    best = { rank, quality: qualityOf(parameters) };
  }
  if (best.rank > 0 && best.quality === 0) return "never";
  return best.rank > 1 ? "first" : "after";
}

/** The more exact range counts (RFC 9110, section 12.5.1). */
const RANKS: Readonly<Record<string, number>> = { "*/*": 1, "lightning/*": 2, lightning: 2, [EXACT]: 3 };

function qualityOf(parameters: readonly string[]): number {
  const text = parameters.map((parameter) => /^q\s*=\s*([01](?:\.\d{0,3})?)$/.exec(parameter)?.[1]).find(Boolean);
  return text === undefined ? 1 : Math.min(1, Number(text));
}
