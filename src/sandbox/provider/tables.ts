/**
 * Objects of objects, the form in which the provider writes every price list.
 */

export type Tables = Record<string | number, Record<string | number, unknown>>;

/** Sets `tables[outer][inner]`, with the outer object made when it is new. */
export function setIn(tables: Tables, outer: string | number, inner: string | number, value: unknown): void {
  const table = tables[outer] ?? {};
  table[inner] = value;
  tables[outer] = table;
}
