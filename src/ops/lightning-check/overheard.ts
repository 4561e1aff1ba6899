/**
 * What a node said when it refused. Adapters compare the words of a node and never pass them on, because they would end in logs; whoever looks
 * for a mistake at a terminal wants to read them.
 */
import type { Fetch, World } from "../../../actors/runtime/world.ts";

/** A refusal, as far as a terminal should see it. */
export interface Said {
  readonly status: number;
  /** One line of plain letters, cut. */
  readonly words: string;
}

const MAX_READ = 4_096;
const MAX_WORDS = 160;

export interface Overheard {
  readonly world: World;
  /** The last refusal since it was last asked for, or null. */
  take(): Said | null;
}

/** The same world, whose answers that are no success are read along. */
export function overhear(world: World): Overheard {
  let said: Said | null = null;
  const fetch: Fetch = async (...call) => {
    const response = await world.fetch(...call);
    if (response.ok) return response;
    const text = (await response.text()).slice(0, MAX_READ);
    said = { status: response.status, words: wordsOf(text) };
    return new Response(text, { status: response.status, headers: response.headers });
  };
  return {
    world: {
      now: () => world.now(),
      random: (length) => world.random(length),
      at: (time, run) => world.at(time, run),
      soon: (run) => world.soon(run),
      hold: (what, patienceMs) => world.hold(what, patienceMs),
      fetch,
      connect: (...call) => world.connect(...call),
    },
    take() {
      const taken = said;
      said = null;
      return taken;
    },
  };
}

/** The message of a JSON error, or the text; without what a terminal might obey. */
function wordsOf(text: string): string {
  const plain = (words: string) =>
    words
      .replace(/[^\x20-\x7e]+/g, " ")
      .trim()
      .slice(0, MAX_WORDS);
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: { message?: unknown } | string };
    const found = message ?? (typeof error === "object" ? error?.message : error);
    return typeof found === "string" ? plain(found) : "";
  } catch {
    return /^\s*</.test(text) ? "a page of HTML" : plain(text);
  }
}
