/** Comparing what a caller sent with a secret, without telling by the time how much of it was right. */
import { sha256 } from "../sha256.ts";

/** Digests of equal length are compared to their end, so neither length nor content shows in the time taken. */
export function isSameSecret(given: string, secret: string): boolean {
  const a = sha256(given);
  const b = sha256(secret);
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}
