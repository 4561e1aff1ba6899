/** One credential judged from its text, and one challenge minted, in this process: processor time, the best of several runs. */
import { createHash } from "node:crypto";
import { RealWorld } from "../../actors/runtime/world.ts";
import { presentedIn } from "../../src/l402/authorization.ts";
import { mintMacaroon } from "../../src/l402/challenge.ts";
import { readCredential } from "../../src/l402/credential.ts";
import { RootKeys } from "../../src/l402/keys.ts";
import { threadMs } from "../../test/support/cpu.ts";
import type { Row } from "../report.ts";
import { type Spread, spread } from "../statistics.ts";

const AIM_CHECK_US = 8;
const AIM_MINT_US = 6;
const CREDENTIALS = 500;
const DAY_MS = 86_400_000;

/** Microseconds of processor time of one call. */
export function micros(runs: number, calls: number, work: (n: number) => unknown): Spread {
  const once = (): number => {
    const before = threadMs();
    for (let n = 0; n < calls; n++) work(n);
    return ((threadMs() - before) * 1_000) / calls;
  };
  once();
  return spread(Array.from({ length: runs }, once));
}

export async function macaroon({ quick }: { readonly quick: boolean }): Promise<Row> {
  const world = new RealWorld();
  const keys = new RootKeys([{ kid: 1, key: world.random(32) }]);
  const now = world.now();
  const mint = (paymentHash: string): string =>
    mintMacaroon({ keys, world, paymentHash, orderId: "0123456789abcdef0123456789abcdef", validUntil: now + DAY_MS });
  const headers = Array.from({ length: CREDENTIALS }, () => {
    const preimage = world.random(32);
    const hash = createHash("sha256").update(preimage).digest("hex");
    const value = `L402 ${mint(hash)}:${preimage.toHex()}`;
    return { get: (name: string) => (name === "authorization" ? value : null) };
  });
  const hash = "ab".repeat(32);
  const calls = quick ? 4_000 : 20_000;
  const runs = quick ? 5 : 15;
  const check = micros(runs, calls, (n) => {
    const source = headers[n % CREDENTIALS];
    const judged = source && readCredential(presentedIn(source), { keys, now });
    if (judged?.kind !== "paid") throw new Error("A good credential was refused");
  });
  const minting = micros(runs, calls, () => mint(hash));
  return {
    id: "macaroon",
    work: "A credential checked from its header, uncached, and a macaroon minted",
    figures: [
      { name: "check", value: check.min, unit: "us", range: [check.min, check.max], aim: { atMost: AIM_CHECK_US } },
      { name: "mint", value: minting.min, unit: "us", range: [minting.min, minting.max], aim: { atMost: AIM_MINT_US } },
    ],
  };
}
