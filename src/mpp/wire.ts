/** The encodings that every part of the `Payment` scheme shares: canonical JSON (RFC 8785) in base64url without padding. */

/**
 * Canonical as long as the members of `value` stand in the order of their names, which its callers see to: all else about it is how JSON
 * is written anyway.
 */
export const encodeJson = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

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
