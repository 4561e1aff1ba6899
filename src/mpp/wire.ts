/** The encodings that every part of the `Payment` scheme shares: canonical JSON (RFC 8785) in base64url without padding. */
import canonicalize from "canonicalize";

/** @throws Error for what JSON cannot hold; the callers' own values always can. */
export function encodeJson(value: object): string {
  const text = canonicalize(value);
  if (text === undefined) throw new Error("A value has no JSON");
  return Buffer.from(text, "utf8").toString("base64url");
}

/** The object behind base64url (either alphabet, padded or not), or null when there is none. */
export function decodeJson(text: string): { readonly [name: string]: unknown } | null {
  if (!/^[A-Za-z0-9_/+-]+={0,2}$/.test(text)) return null;
  try {
    const bytes = Buffer.from(text, "base64url");
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
