/** The server's own base URL, as its documents show it. */
import type { ApiConfig } from "./config.ts";
import type { Call } from "./gate.ts";

/** A DNS name, IPv4 address or bracketed IPv6 address, with a port or without: nothing that could leave a URL's host. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** Without a slash at the end; "" when it is neither configured nor told by a sane Host, so that paths remain. */
export function baseUrl(config: Pick<ApiConfig, "publicUrl">, { request, client }: Call): string {
  if (config.publicUrl !== "") return config.publicUrl;
  const host = request.headers.get("host") ?? "";
  if (!HOST.test(host)) return "";
  const secure = client.proxied && request.headers.get("x-forwarded-proto")?.split(",").at(-1)?.trim() === "https";
  return `${secure ? "https" : "http"}://${host}`;
}

/** A document that repeats the Host it was asked under must not be kept for others. */
export const documentCaching = (config: Pick<ApiConfig, "publicUrl">): string =>
  config.publicUrl === "" ? "no-store" : "public, max-age=300";
