/** When to kill: anywhere, and above all where something was just acknowledged, is just being sent, or has happened unanswered. */
import type { Happening, Town } from "./town.ts";

export const MOMENTS = [
  "anywhere",
  "answered",
  "asked",
  "paying",
  "texting",
  "unanswered",
  "clock",
  "stopping",
] as const;
export type Moment = (typeof MOMENTS)[number];

const WEIGHTS: Readonly<Record<Moment, number>> = {
  anywhere: 0.2,
  answered: 0.24,
  asked: 0.1,
  paying: 0.13,
  texting: 0.12,
  unanswered: 0.12,
  clock: 0.06,
  stopping: 0.03,
};

/** How long it lives at least, and how long a moment is waited for, ms. */
const LIFE_MS = { least: 20, most: 500 } as const;
const WAIT_MS = 500;
/** Within this long after what was waited for. */
const AFTER_MS = 6;

/** Calls that take effect at the peer, whose answer then never comes; and some that take none. */
const UNANSWERED: readonly (readonly [peer: string, action: string, fault: string])[] = [
  ["provider", "getNumberV2", "hang_bought"],
  ["provider", "getNumberV2", "hang_not_bought"],
  ["provider", "getRentNumber", "hang_bought"],
  ["provider", "reactivate", "hang_bought"],
  ["provider", "setStatus", "hang_bought"],
  ["provider", "setStatus", "hang"],
  ["provider", "getAllSms", "hang"],
  ["node", "send", "hang_after"],
  ["node", "send", "hang"],
  ["node", "addinvoice", "hang_after"],
  ["node", "cancelinvoice", "hang_after"],
];

export function drawMoment({ chance }: Town): Moment {
  let draw = chance.next();
  for (const moment of MOMENTS) {
    draw -= WEIGHTS[moment];
    if (draw < 0) return moment;
  }
  return "anywhere";
}

/** Kills the service at such a moment, or anywhere when it does not come. */
export async function killAt(moment: Moment, town: Town): Promise<void> {
  const { chance, victim } = town;
  await Bun.sleep(LIFE_MS.least + chance.below(LIFE_MS.most));
  switch (moment) {
    case "anywhere":
      break;
    case "answered":
      await sprung(town, (happening) => happening.startsWith("answered "), 0);
      break;
    case "asked":
      await sprung(town, (happening) => happening.startsWith("asked "), chance.below(AFTER_MS));
      break;
    case "paying":
      await sprung(town, (happening) => happening === "paying" || happening === "paid", chance.below(AFTER_MS));
      break;
    case "texting":
      await sprung(town, (happening) => happening === "texting" || happening === "texted", chance.below(AFTER_MS));
      break;
    case "unanswered":
      await unanswered(town);
      break;
    case "clock":
      // The advance goes on alone, as time does.
      void town.clock.advance(chance.one([70, 200, 1_300])).catch(() => {});
      await Bun.sleep(chance.below(300));
      await town.clock.read();
      break;
    case "stopping":
      void victim.terminate();
      await Bun.sleep(chance.below(150));
      break;
  }
  victim.kill();
  await victim.buried();
  if (moment === "unanswered") await town.peers.control("DELETE", "/faults");
}

/** Kills in the very turn in which it happens when `afterMs` is 0. */
async function sprung(town: Town, on: (happening: Happening) => boolean, afterMs: number): Promise<void> {
  const happened = Promise.withResolvers<void>();
  const giveUp = town.trap(on, () => {
    if (afterMs === 0) town.victim.kill();
    happened.resolve();
  });
  await Promise.race([happened.promise, Bun.sleep(WAIT_MS)]);
  giveUp();
  if (afterMs > 0) await Bun.sleep(afterMs);
}

async function unanswered(town: Town): Promise<void> {
  const [peer, action, fault] = town.chance.one(UNANSWERED);
  await town.peers.fault(peer, action, fault);
  const giveUp = performance.now() + WAIT_MS;
  while (performance.now() < giveUp) {
    const { faults } = await town.peers.control<{ faults: readonly unknown[] }>("GET", "/faults");
    if (faults.length === 0) break;
    await Bun.sleep(4);
  }
  await Bun.sleep(town.chance.below(20));
}
