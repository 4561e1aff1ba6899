/**
 * Events and filters of NIP-01 as they come off the wire: checked field by field, because nobody vouches for them.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

const hex = (digits: number) => Type.String({ pattern: `^[0-9a-f]{${digits}}$` });
const seconds = Type.Integer({ minimum: 0, maximum: 2 ** 40 });
const kind = Type.Integer({ minimum: 0, maximum: 65_535 });

const Event = Type.Object(
  {
    id: hex(64),
    pubkey: hex(64),
    created_at: seconds,
    kind,
    tags: Type.Array(Type.Array(Type.String(), { minItems: 1 }), { maxItems: 2_000 }),
    content: Type.String(),
    sig: hex(128),
  },
  { additionalProperties: false },
);

const list = <T extends TSchema>(item: T) => Type.Optional(Type.Array(item, { maxItems: 500 }));
const Filter = Type.Object({
  ids: list(hex(64)),
  authors: list(hex(64)),
  kinds: list(kind),
  since: Type.Optional(seconds),
  until: Type.Optional(seconds),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
});
const TagValues = Type.Array(Type.String(), { maxItems: 500 });

const MAX_FILTERS = 10;

export type NostrEvent = Static<typeof Event>;
export type NostrFilter = Static<typeof Filter> & { [tag: `#${string}`]: string[] };

/** The event, its signature still unchecked; null when a field is missing, wrong or too many. */
export function asEvent(value: unknown): NostrEvent | null {
  return Value.Check(Event, value) ? value : null;
}

/** The filters of one REQ; null when there is none, too many, or one makes no sense. */
export function asFilters(values: unknown[]): NostrFilter[] | null {
  return values.length >= 1 && values.length <= MAX_FILTERS && values.every(isFilter) ? values : null;
}

function isFilter(value: unknown): value is NostrFilter {
  if (!Value.Check(Filter, value)) return false;
  return Object.entries(value).every(([name, values]) => !name.startsWith("#") || Value.Check(TagValues, values));
}
