/**
 * The tables, and the steps that brought them here. A migration is never edited once released; a new one is added.
 * STRICT tables, so that SQLite refuses a value of the wrong type instead of storing it.
 */
import type { Database } from "bun:sqlite";

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- One row per order. "state" is the whole order as JSON and the truth for running; the other columns repeat parts of it
  -- for the queries that need an index.
  CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    payment_hash TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    invoice_expires_at INTEGER NOT NULL,
    due INTEGER,
    activation_id TEXT,
    ended_at INTEGER,
    attention_since INTEGER,
    -- Bucket of the client that opened it, keyed and hashed; bounds unpaid orders per address. Scrubbed with the order.
    opened_by TEXT
  ) STRICT;
  CREATE INDEX orders_due ON orders (due) WHERE due IS NOT NULL;
  CREATE INDEX orders_unpaid ON orders (invoice_expires_at) WHERE kind = 'unpaid';
  CREATE INDEX orders_lapsed ON orders (ended_at) WHERE kind = 'lapsed';
  CREATE INDEX orders_opened_by ON orders (opened_by) WHERE kind = 'unpaid';
  CREATE INDEX orders_activation ON orders (activation_id) WHERE activation_id IS NOT NULL;
  CREATE INDEX orders_attention ON orders (attention_since) WHERE attention_since IS NOT NULL;
  CREATE INDEX orders_to_scrub ON orders (ended_at) WHERE kind = 'done' AND opened_by IS NOT NULL;

  -- The audit: the fold of an order's events is its state.
  CREATE TABLE events (
    order_id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, v INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (order_id, seq)
  ) STRICT, WITHOUT ROWID;

  -- Effects that were committed and have not come back.
  CREATE TABLE effects (key TEXT PRIMARY KEY, order_id TEXT NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX effects_order ON effects (order_id);

  -- A buy that is about to be sent, with the activations of its lane that were there before.
  CREATE TABLE intents (key TEXT PRIMARY KEY, sent_at INTEGER NOT NULL, known TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE postings (
    order_id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, account TEXT NOT NULL, unit TEXT NOT NULL, amount INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX postings_order ON postings (order_id);

  -- Facts that at most one order may own.
  CREATE TABLE claims (
    kind TEXT NOT NULL, value TEXT NOT NULL, order_id TEXT NOT NULL, detail TEXT, at INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claims_at ON claims (kind, at);

  -- SMS text lives here and nowhere else.
  CREATE TABLE messages (
    order_id TEXT NOT NULL, id TEXT NOT NULL, n INTEGER NOT NULL, code TEXT, text TEXT, sender TEXT, received_at INTEGER, stored_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, id)
  ) STRICT;
  CREATE INDEX messages_stored ON messages (stored_at);

  -- Lapsed orders that are gone, kept so that late money still finds its order.
  CREATE TABLE tombstones (payment_hash TEXT PRIMARY KEY, order_id TEXT NOT NULL, state TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstones_until ON tombstones (until);

  -- News from the provider about activations that no order of ours holds yet.
  CREATE TABLE hints (activation_id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- The last believed BTC/USD rate, so that a restart can sell at once.
  CREATE TABLE rate (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;

  CREATE TABLE cursors (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE quarantine (order_id TEXT PRIMARY KEY, since INTEGER NOT NULL, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- The keys of an unpaid order go with its row.
  CREATE INDEX claims_keys ON claims (order_id) WHERE kind = 'idempotency_key';
  `,
  `
  -- How numbers did, by service, country and the hour of their buy; '*' and 0 for all together. The provider bans for bad ones.
  CREATE TABLE pair_hours (
    service TEXT NOT NULL, country INTEGER NOT NULL, hour INTEGER NOT NULL, bought INTEGER NOT NULL, delivered INTEGER NOT NULL,
    PRIMARY KEY (service, country, hour)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX pair_hours_hour ON pair_hours (hour);

  -- The newest number of each pair, and until when the provider sells us none.
  CREATE TABLE pairs (
    service TEXT NOT NULL, country INTEGER NOT NULL, last_at INTEGER, last_activation TEXT, last_delivered INTEGER NOT NULL DEFAULT 0,
    barred_until INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (service, country)
  ) STRICT, WITHOUT ROWID;

  -- A client's paid orders, newest first: who only ever cancels is told to wait.
  CREATE INDEX orders_given_back ON orders (opened_by, created_at)
    WHERE opened_by IS NOT NULL AND kind IN ('closing', 'refunding', 'refundUnknown', 'refundStuck', 'done');
  `,
  `
  -- "pad" fills the first page of each row, so that code and text lie in overflow pages. Those belong to one row and are wiped whole
  -- when it goes; the pages of the tree are rearranged among rows, and secure_delete leaves copies in the gaps (ADR 22).
  CREATE TABLE messages_2 (
    order_id TEXT NOT NULL, id TEXT NOT NULL, n INTEGER NOT NULL, pad BLOB AS (zeroblob(4096)) STORED,
    code TEXT, text TEXT, sender TEXT, received_at INTEGER, stored_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, id)
  ) STRICT;
  INSERT INTO messages_2 SELECT order_id, id, n, code, text, sender, received_at, stored_at FROM messages;
  DROP TABLE messages;
  ALTER TABLE messages_2 RENAME TO messages;
  CREATE INDEX messages_stored ON messages (stored_at);
  `,
  `
  -- Requests to pay whose wallet may act on them late: while one is fresh, only the same one is sent again.
  CREATE TABLE outbox (payment_hash TEXT PRIMARY KEY, request TEXT NOT NULL, sent_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- Who gave a number back and has a refund address asked for an invoice has given it back like everybody else.
  DROP INDEX orders_given_back;
  CREATE INDEX orders_given_back ON orders (opened_by, created_at)
    WHERE opened_by IS NOT NULL AND kind IN ('closing', 'resolving', 'refunding', 'refundUnknown', 'refundStuck', 'done');
  `,
  `
  -- What the orders that are not over come to, by kind (actors/order/stake.ts): written with each step, so that a start reads these few
  -- rows instead of every order.
  CREATE TABLE stakes (
    kind TEXT PRIMARY KEY, orders INTEGER NOT NULL, micro_usd INTEGER NOT NULL, sats INTEGER NOT NULL, held_sats INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- A row that makes no sense takes no step, and counts for nothing. MATERIALIZED, or whole states would be sorted by kind.
  INSERT INTO stakes
    WITH live AS MATERIALIZED (
      SELECT kind, state ->> '$.terms.good.type' AS type, state ->> '$.terms.good.maxCost' AS max_cost,
        iif(kind = 'unpaid', state ->> '$.terms.priceSats', (state ->> '$.owedMsats') / 1000) AS owed
      FROM orders WHERE kind NOT IN ('lapsed', 'done') AND json_valid(state))
    SELECT kind, count(*), cast(total(iif(kind IN ('unpaid', 'buying', 'buyUnknown'), max_cost, 0)) AS INTEGER),
      cast(total(iif(type = 'receive-sms', owed, 0)) AS INTEGER), cast(total(iif(kind = 'refundUnknown', owed, 0)) AS INTEGER)
    FROM live GROUP BY kind;
  -- Whose numbers are looked for in the provider's list, and whose buys may be under way.
  CREATE INDEX orders_watched ON orders (activation_id) WHERE kind IN ('waiting', 'delivered', 'renting');
  CREATE INDEX orders_buying ON orders (kind) WHERE kind IN ('buying', 'buyUnknown');
  `,
  `
  -- With a rowid. Without one a row of more than 1,002 bytes takes an overflow page of its own (SQLite file format, 1.6), and the event
  -- that opens an order is longer: each was 4 kB more to log, to sync and to move into the file.
  CREATE TABLE events_2 (
    order_id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, v INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (order_id, seq)
  ) STRICT;
  INSERT INTO events_2 SELECT order_id, seq, at, v, type, body FROM events;
  DROP TABLE events;
  ALTER TABLE events_2 RENAME TO events;
  `,
  `
  -- Unpaid orders of a client are counted in memory. With many clients each order that opened or lapsed wrote a page of this for nobody.
  DROP INDEX orders_opened_by;
  `,
  `
  -- A client's orders of an hour are counted at each new one: from the index alone, or up to a thousand states would be read for it.
  DROP INDEX orders_given_back;
  CREATE INDEX orders_given_back ON orders (opened_by, created_at)
    WHERE opened_by IS NOT NULL AND (kind IN ('closing', 'resolving', 'refunding', 'refundUnknown', 'refundStuck')
      OR (kind = 'done' AND iif(json_valid(state), state ->> '$.state.as', NULL) = 'refunded'));
  CREATE INDEX orders_served ON orders (opened_by, created_at)
    WHERE opened_by IS NOT NULL AND kind = 'done' AND iif(json_valid(state), state ->> '$.state.as', NULL) <> 'refunded';
  `,
  `
  -- When a purchase was sent by the provider's own clock, null where it told no time: ours may be wrong, or set before the search (ADR 34).
  ALTER TABLE intents ADD COLUMN told_at INTEGER;
  `,
  `
  -- Payment hashes are random: an index of them is read and written all over, a page for each order. With 8 bytes of each in place of 64
  -- digits it has a fifth of the pages. Of two orders whose hashes begin alike the second is refused; among a million the chance of any such is 3 in 10^8.
  -- What is no hex stands in it as it is.
  -- The constraint of the column can only go with the table (SQLite, "ALTER TABLE", section 7).
  CREATE TABLE orders_2 (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, payment_hash TEXT NOT NULL, created_at INTEGER NOT NULL,
    invoice_expires_at INTEGER NOT NULL, due INTEGER, activation_id TEXT, ended_at INTEGER, attention_since INTEGER, opened_by TEXT
  ) STRICT;
  INSERT INTO orders_2 SELECT id, seq, kind, state, payment_hash, created_at, invoice_expires_at, due, activation_id, ended_at, attention_since,
    opened_by FROM orders;
  DROP TABLE orders;
  ALTER TABLE orders_2 RENAME TO orders;
  CREATE UNIQUE INDEX orders_payment ON orders (coalesce(unhex(substr(payment_hash, 1, 16)), payment_hash));
  CREATE INDEX orders_due ON orders (due) WHERE due IS NOT NULL;
  CREATE INDEX orders_unpaid ON orders (invoice_expires_at) WHERE kind = 'unpaid';
  CREATE INDEX orders_lapsed ON orders (ended_at) WHERE kind = 'lapsed';
  CREATE INDEX orders_activation ON orders (activation_id) WHERE activation_id IS NOT NULL;
  CREATE INDEX orders_attention ON orders (attention_since) WHERE attention_since IS NOT NULL;
  CREATE INDEX orders_to_scrub ON orders (ended_at) WHERE kind = 'done' AND opened_by IS NOT NULL;
  CREATE INDEX orders_watched ON orders (activation_id) WHERE kind IN ('waiting', 'delivered', 'renting');
  CREATE INDEX orders_buying ON orders (kind) WHERE kind IN ('buying', 'buyUnknown');
  CREATE INDEX orders_given_back ON orders (opened_by, created_at)
    WHERE opened_by IS NOT NULL AND (kind IN ('closing', 'resolving', 'refunding', 'refundUnknown', 'refundStuck')
      OR (kind = 'done' AND iif(json_valid(state), state ->> '$.state.as', NULL) = 'refunded'));
  CREATE INDEX orders_served ON orders (opened_by, created_at)
    WHERE opened_by IS NOT NULL AND kind = 'done' AND iif(json_valid(state), state ->> '$.state.as', NULL) <> 'refunded';
  `,
  `
  -- The same indexes in other words. For IN with three kinds or more SQLite fills a table of its own at each write of an order, for the old row and for the
  -- new one: a fifth of what a life writes.
  DROP INDEX orders_given_back;
  DROP INDEX orders_watched;
  CREATE INDEX orders_given_back ON orders (opened_by, created_at)
    WHERE opened_by IS NOT NULL AND (kind = 'closing' OR kind = 'resolving' OR kind = 'refunding' OR kind = 'refundUnknown' OR kind = 'refundStuck'
      OR (kind = 'done' AND iif(json_valid(state), state ->> '$.state.as', NULL) = 'refunded'));
  CREATE INDEX orders_watched ON orders (activation_id) WHERE kind = 'waiting' OR kind = 'delivered' OR kind = 'renting';
  `,
  `
  -- 1 for an order that nobody has paid yet: its hash is known in memory, and comes into the index when it is paid or lapses (ADR 35). A column of its own,
  -- because an index with a condition on "kind" would be written with every step.
  ALTER TABLE orders ADD COLUMN unindexed INTEGER;
  DROP INDEX orders_payment;
  CREATE UNIQUE INDEX orders_payment ON orders (coalesce(unhex(substr(payment_hash, 1, 16)), payment_hash)) WHERE unindexed IS NULL;
  `,
  `
  -- Rows of paid orders forget their invoice. From here on a policy is written in part (ADR 36), which older programs would take for a whole one.
  UPDATE orders SET state = json_set(state, '$.terms.invoice', '')
    WHERE iif(json_valid(state), state ->> '$.payment' IS NOT NULL AND state ->> '$.terms.invoice' <> '', FALSE);
  `,
  `
  -- From here on the row of an order that has only opened has no state (ADR 38), which older programs could not read. Rows that have one keep it.
  SELECT 1;
  `,
];

/** The order in the index of payment hashes (`payment-hashes.ts`) whose hash begins like the statement's first parameter. */
export const INDEXED_ALIKE =
  "unindexed IS NULL AND coalesce(unhex(substr(payment_hash, 1, 16)), payment_hash) = coalesce(unhex(substr(?1, 1, 16)), ?1)";

/**
 * Keys of `meta`. `backup`: this is a copy of that time, and what happened since is not known (`{takenAt}`). `restored`: it was, and has been
 * compared with node and provider (`{takenAt, matchedAt}`).
 */
export const META_BACKUP = "backup";
export const META_RESTORED = "restored";

export const SCHEMA_VERSION = MIGRATIONS.length;

/** The version of a database. @throws Error when it was written by a newer version of the program. */
export function knownSchema(db: Database): number {
  const found = (db.query("PRAGMA user_version").get() as { user_version: number }).user_version;
  if (found > SCHEMA_VERSION) throw new Error(`Database has schema ${found}, this program knows ${SCHEMA_VERSION}`);
  return found;
}

/**
 * Brings a database to the present schema, each step in its own transaction.
 * @param told hears of the schema of an older one before it begins: with millions of orders it takes minutes.
 * @throws Error when the database was written by a newer version of the program.
 */
export function migrate(db: Database, told: (from: number) => void = () => {}): void {
  const found = knownSchema(db);
  if (found > 0 && found < SCHEMA_VERSION) told(found);
  for (let version = found; version < SCHEMA_VERSION; version++) {
    db.transaction(() => {
      db.run(MIGRATIONS[version] as string);
      db.run(`PRAGMA user_version = ${version + 1}`);
    }).immediate();
  }
}

/** Backups and the doctor read in processes of their own; a write may have to wait for them for a moment. */
export const BUSY_TIMEOUT_MS = 5_000;

/**
 * About the pages that a full group of commits touches, so that none leaves before its commit. More would be memory that fills with the
 * database: what is read past it comes from the system's cache, for a few microseconds.
 */
const CACHE_KIB = 16 * 1024;

/**
 * Settings that bun:sqlite does not default to. FULL: an acknowledged step survives a power cut.
 * @throws Error when the database was written by a newer version of the program; then not a byte of it is changed
 */
export function configure(db: Database): void {
  // First: whoever closes it last, a doctor or a backup, has it alone for a moment.
  db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  // Before the mode of its log, which is written into the file.
  knownSchema(db);
  for (const pragma of [
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
    "temp_store = MEMORY",
    `cache_size = -${CACHE_KIB}`,
  ]) {
    db.run(`PRAGMA ${pragma}`);
  }
}
