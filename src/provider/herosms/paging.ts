/**
 * Lists that come in pages. A list is returned complete or not at all: HeroSMS documents largest page sizes but does not
 * say that a page is always filled, so a page that is not full ends nothing. The list ends where its `total` says, or,
 * without one, with a page that brings nothing new or is smaller than any page anybody would serve.
 */
import { ProviderUnavailable } from "../port.ts";

/** The smallest page seen documented anywhere is 25. A lone short page is the common case: one request. */
const SMALLEST_PAGE = 10;

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** How many rows the whole list has, when the provider says so. */
  readonly total: number | null;
}

export interface Paged<Row> {
  /** The action, for the error. */
  readonly name: string;
  readonly maxPages: number;
  readonly idOf: (row: Row) => string;
  /** Reads one page: `index` counts from 0, `offset` is the number of rows read so far. */
  readonly read: (index: number, offset: number) => Promise<Page<Row>>;
  /** Ends the reading early: the row was what was looked for. */
  readonly until?: (row: Row) => boolean;
}

/** @throws ProviderUnavailable when a page fails, when rows are missing, or when there are more than `maxPages`. */
export async function readPages<Row>({ name, maxPages, idOf, read, until }: Paged<Row>): Promise<Row[]> {
  const found = new Map<string, Row>();
  let offset = 0;
  let barren = 0;
  for (let index = 0; index < maxPages; index++) {
    const { rows, total } = await read(index, offset);
    const before = found.size;
    for (const row of rows) found.set(idOf(row), row);
    offset += rows.length;
    if (until && rows.some(until)) return [...found.values()];
    // The first page alone is counted by its rows: rows without an id of their own may be alike.
    if (total !== null && (found.size >= total || (index === 0 && rows.length >= total))) return [...found.values()];
    if (total === null && (rows.length < SMALLEST_PAGE || found.size === before)) return [...found.values()];
    if (found.size > before) continue;
    // One page may repeat what is known: not all lists say whether pages count from 0 or from 1.
    if (++barren > 1) break;
  }
  throw new ProviderUnavailable(`${name}: incomplete list`);
}
