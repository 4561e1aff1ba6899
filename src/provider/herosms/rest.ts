/**
 * HeroSMS's REST v1, as far as it is worth using. It is not everywhere the compatible API is, so whoever asks it must be
 * able to do without: an absent v1 is remembered for ten minutes, so that doing without costs no extra request.
 */
import type { Millis, World } from "../../../actors/runtime/world.ts";
import type { Priority } from "../budget.ts";
import type { Client, Told } from "./client.ts";

const ABSENT_MS = 600_000;

export interface Rest {
  /** The answer, or null when v1 cannot be used: not there, or it does not take our key. */
  ask(path: string, query: Readonly<Record<string, string | number>>, priority: Priority): Promise<Told | null>;
}

export function createRest(world: World, client: Client): Rest {
  let absentUntil: Millis = 0;
  return {
    async ask(path, query, priority) {
      const now = world.now();
      if (now < absentUntil && absentUntil - now <= ABSENT_MS) return null;
      const told = await client.askRest(path, query, priority);
      if (!isAbsent(told)) return told;
      absentUntil = world.now() + ABSENT_MS;
      return null;
    },
  };
}

/** No such route, or the key was refused. Lost, blocked and failing answers are troubles of the moment. */
function isAbsent(told: Told): boolean {
  if (told.kind === "garbled") return told.status === 401 || told.status === 404 || told.status === 405;
  if (told.kind !== "error") return false;
  return told.status === 401 || told.word === "BAD_KEY" || (told.status === 404 && told.word !== "OFFER_NOT_FOUND");
}
