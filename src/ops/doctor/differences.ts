/** Where two plain values differ, by path. Only paths are told: the values may be a phone number or an invoice. */

const MAX_PATHS = 5;

export function differences(a: unknown, b: unknown): string[] {
  const paths: string[] = [];
  compare(a, b, "", paths);
  return paths;
}

function compare(a: unknown, b: unknown, path: string, paths: string[]): void {
  if (paths.length >= MAX_PATHS || Object.is(a, b)) return;
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) {
    paths.push(path === "" ? "everything" : path);
    return;
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    compare(a[key], b[key], path === "" ? key : `${path}.${key}`, paths);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
