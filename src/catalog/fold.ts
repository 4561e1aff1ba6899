/**
 * Folds names so that what people and agents type meets what the provider wrote: case, accents, spaces and punctuation
 * do not count, and Cyrillic letters that look Latin are Latin (the provider's "1хbet" begins with a Cyrillic "х").
 */

/** Longest name anybody may ask for; also bounds the cost of the search for similar ones. */
export const MAX_INPUT = 64;

const CYRILLIC = "авекмнорстухіјѕ";
const LATIN = "abekmhopctyxijs";

/** @returns letters and digits only, lower case, at most 64 of them; empty when nothing of the kind was there. */
export function fold(text: string): string {
  const bare = text
    .slice(0, MAX_INPUT)
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "")
    .slice(0, MAX_INPUT);
  return bare.replace(/\p{Script=Cyrillic}/gu, (letter) => LATIN[CYRILLIC.indexOf(letter)] ?? letter);
}
