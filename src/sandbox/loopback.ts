/**
 * Who may speak to the sandbox: this machine only. The address alone does not settle that, because a web page the user
 * has open can make the browser call a loopback port, under its own name for it (DNS rebinding) or across origins.
 */

const NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** True when socket, `Host` and, if a browser sent one, `Origin` are all of this machine. */
export function isFromHere(request: Request, address: string | undefined): boolean {
  if (!address || !/^(127\.|::1$|::ffff:127\.)/.test(address)) return false;
  const host = request.headers.get("host") ?? "";
  if (!NAMES.has(host.replace(/:\d+$/, "").toLowerCase())) return false;
  const origin = request.headers.get("origin");
  return origin === null || (URL.canParse(origin) && NAMES.has(new URL(origin).hostname));
}
