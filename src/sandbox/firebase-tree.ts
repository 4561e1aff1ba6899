/**
 * The value model of the Firebase Realtime Database: one JSON tree, addressed by path, in which a null value and an
 * empty object are the same as nothing at all.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Longest path, counted in keys (Firebase documents 32 as the depth limit). */
const MAX_DEPTH = 32;
const MAX_KEY_BYTES = 768;

/** The keys of `/a/b.json`, or null when one holds a character Firebase forbids (`. $ # [ ]` and control characters). */
export function parsePath(path: string): string[] | null {
  if (!path.endsWith(".json")) return null;
  const keys: string[] = [];
  for (const part of path.slice(0, -".json".length).split("/")) {
    if (part === "") continue;
    const key = decode(part);
    if (key === null || !isKey(key)) return null;
    keys.push(key);
  }
  return keys.length <= MAX_DEPTH ? keys : null;
}

/** The value at a path; null when there is none. */
export function valueAt(tree: Json, path: readonly string[]): Json {
  let value = tree;
  for (const key of path) {
    if (!isBranch(value) || !Object.hasOwn(value, key)) return null;
    value = value[key] ?? null;
  }
  return value;
}

/** The tree with `value` at a path. Whatever held no children on the way there gives way to the branch. */
export function withValue(tree: Json, path: readonly string[], value: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return prune(value);
  const branch = isBranch(tree) ? tree : {};
  const child = withValue(Object.hasOwn(branch, key) ? (branch[key] ?? null) : null, rest, value);
  const { [key]: _, ...others } = branch;
  return prune(child === null ? others : { ...others, [key]: child });
}

/** True when every key in a value may be stored. */
export function isStorable(value: Json, depth = 0): boolean {
  if (depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isStorable(item, depth + 1));
  if (!isBranch(value)) return true;
  return Object.entries(value).every(([key, child]) => isKey(key) && isStorable(child, depth + 1));
}

/** Without what counts as nothing, keys in order: equal values have equal texts. */
function prune(value: Json): Json {
  if (!isBranch(value)) return Array.isArray(value) && value.length === 0 ? null : value;
  const kept = Object.entries(value)
    .map(([key, child]) => [key, prune(child)] as const)
    .filter(([, child]) => child !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return kept.length > 0 ? Object.fromEntries(kept) : null;
}

function isBranch(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isKey(key: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Firebase forbids exactly these.
  return key !== "" && Buffer.byteLength(key) <= MAX_KEY_BYTES && !/[.$#[\]/\u0000-\u001f\u007f]/.test(key);
}

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
