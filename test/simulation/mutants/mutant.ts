/** A planted bug: a small patch that breaks one promise, to see that the tools notice. */
import type { InvariantNumber } from "../invariants/invariant.ts";

export const TOOLS = ["interleavings", "crashes", "simulation", "losses"] as const;
export type Tool = (typeof TOOLS)[number];

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** What is wrong, in a sentence. */
  readonly plants: string;
  /** Which of the invariants must be seen to break; one of them is enough. */
  readonly breaks: readonly InvariantNumber[];
  /** The tool that is asked first. */
  readonly first: Tool;
  readonly edits: readonly Edit[];
}

/** @returns how often the text to find occurs: the patch applies when it is once. */
export const occurrences = (text: string, { find }: Edit): number => text.split(find).length - 1;

/** @throws Error when the patch does not apply any more. */
export function patched(text: string, edit: Edit): string {
  const found = occurrences(text, edit);
  if (found !== 1) throw new Error(`"${edit.find}" occurs ${found} times in "${edit.file}"`);
  // A function, because a replacement text may hold dollar signs.
  return text.replace(edit.find, () => edit.replace);
}
