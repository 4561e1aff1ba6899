/**
 * Which relay URLs we connect to. A recipient's relay list is written by anybody, so without a check it would be a
 * way to make this server talk to hosts inside its own network (server-side request forgery).
 *
 * Only `wss://` with a public host name: no addresses in any notation, no local names, no credentials. What the name
 * resolves to is checked just before connecting; TLS then makes sure that the host answers for that name.
 */
import { hostOf, isLoopback, isPublicName } from "../public-host.ts";

export interface RelayUrlRules {
  /** Lets `ws://` and `wss://` to this host through: the sandbox's relay listens there. */
  readonly allowLoopback: boolean;
}

const MAX_URL = 256;
/** A recipient's relay URL in normal form, or null when we do not connect there. */
export function publicRelayUrl(text: string, rules: RelayUrlRules): string | null {
  const url = parse(text);
  if (!url) return null;
  const host = hostOf(url);
  if (rules.allowLoopback && isLoopback(host)) return url.href;
  if (url.protocol !== "wss:") return null;
  return isPublicName(host) ? url.href : null;
}

/** A relay URL of the operator's own configuration, which may be anywhere; null when it is none. */
export function configuredRelayUrl(text: string): string | null {
  return parse(text)?.href ?? null;
}

function parse(text: string): URL | null {
  if (text.length > MAX_URL || !/^wss?:\/\/[!-~]+$/i.test(text)) return null;
  try {
    const url = new URL(text);
    return url.username === "" && url.password === "" && url.hash === "" ? url : null;
  } catch {
    return null;
  }
}
