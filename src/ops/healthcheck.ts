/**
 * The container's health check: the program asks itself whether it is ready, so that the image needs neither a shell nor
 * curl (Dockerfile reference, `HEALTHCHECK`: 0 healthy, 1 unhealthy).
 */
import { RealWorld, type World } from "../../actors/runtime/world.ts";
import { AnswerLost, call } from "../wire.ts";

/** Below the limit that the Dockerfile gives the whole check, so that the answer is ours and not a kill. */
const TIMEOUT_MS = 4_000;
const MAX_BYTES = 16 * 1024;

export interface HealthcheckOptions {
  /** Where the server listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly world?: World;
}

/** @returns the exit code: 0 when `/readyz` answers 200 in time, else 1. */
export async function runHealthcheck({ url, world = new RealWorld() }: HealthcheckOptions): Promise<number> {
  try {
    const { status } = await call(world, {
      url: `${url.replace(/\/+$/, "")}/readyz`,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    });
    return status === 200 ? 0 : 1;
  } catch (error) {
    if (error instanceof AnswerLost) return 1;
    throw error;
  }
}
