/**
 * One question to a server that a stranger named. Its name is resolved once, every address it has must be one of the open internet, and the
 * checked address is the one connected to; TLS makes sure that who answers there answers for the name. No redirects, little time, little data.
 */
import { isIP } from "node:net";
import { sleep, type World } from "../../actors/runtime/world.ts";
import { hostOf, isLoopback, isPublicAddress, type Resolve, systemResolve } from "../public-host.ts";
import { AnswerLost, call } from "../wire.ts";

export interface Asking {
  readonly world: World;
  readonly allowLoopback: boolean;
  /** Default: the system's resolver. */
  readonly resolve?: Resolve;
}

export type Said =
  | { readonly kind: "said"; readonly body: { readonly [name: string]: unknown } }
  /** `reason` is a word of ours. */
  | { readonly kind: "lost"; readonly reason: string };

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;

/** Asks a URL that passed `publicUrl`. Never throws: whatever goes wrong is `lost`. */
export async function askUrl(url: string, asking: Asking): Promise<Said> {
  const { world, allowLoopback } = asking;
  const parsed = new URL(url);
  const host = hostOf(parsed);
  const near = allowLoopback && isLoopback(host);
  const address = near ? host : await publicAddressOf(host, asking);
  if (address === null) return { kind: "lost", reason: "no_public_host" };
  const target = new URL(url);
  if (!near) target.hostname = isIP(address) === 6 ? `[${address}]` : address;
  try {
    const answer = await call(world, {
      url: target.href,
      headers: { host: parsed.host, accept: "application/json" },
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      // A connection of its own: a pooled one to the same address may belong to another name.
      once: true,
      ...(!near && { tls: { serverName: host } }),
    });
    if (answer.status >= 300 && answer.status < 400) return { kind: "lost", reason: "redirected" };
    const body = objectOf(answer.text);
    return body ? { kind: "said", body } : { kind: "lost", reason: `http_${answer.status}` };
  } catch (error) {
    if (error instanceof AnswerLost) return { kind: "lost", reason: error.why };
    throw error;
  }
}

/** One of a name's addresses, when all of them are public. */
async function publicAddressOf(host: string, { world, resolve = systemResolve }: Asking): Promise<string | null> {
  const tooLate = sleep(world, TIMEOUT_MS).then((): readonly string[] => []);
  const addresses = await Promise.race([resolve(host), tooLate]).catch((): readonly string[] => []);
  return addresses.every(isPublicAddress) ? (addresses[0] ?? null) : null;
}

function objectOf(text: string): { readonly [name: string]: unknown } | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
