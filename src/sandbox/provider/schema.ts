/** The tables of the provider's own books. All are named `provider_...`: the books of all peers lie in one file. */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS provider_account (id INTEGER PRIMARY KEY CHECK (id = 1), balance INTEGER NOT NULL CHECK (balance >= 0));
CREATE TABLE IF NOT EXISTS provider_activations (
  id INTEGER PRIMARY KEY, phone TEXT NOT NULL, service TEXT NOT NULL, country INTEGER NOT NULL, operator TEXT NOT NULL,
  cost INTEGER NOT NULL, subtype INTEGER NOT NULL, tier INTEGER, status INTEGER NOT NULL,
  boughtAt INTEGER NOT NULL, endsAt INTEGER NOT NULL, endedAt INTEGER);
CREATE UNIQUE INDEX IF NOT EXISTS provider_active_phone ON provider_activations (phone) WHERE endedAt IS NULL;
CREATE INDEX IF NOT EXISTS provider_active_end ON provider_activations (endsAt) WHERE endedAt IS NULL;
CREATE INDEX IF NOT EXISTS provider_bought ON provider_activations (boughtAt);
CREATE TABLE IF NOT EXISTS provider_messages (
  id INTEGER PRIMARY KEY, activationId INTEGER NOT NULL, phoneFrom TEXT NOT NULL, code TEXT, text TEXT NOT NULL,
  receivedAt INTEGER NOT NULL, seen INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS provider_messages_of ON provider_messages (activationId);
CREATE TABLE IF NOT EXISTS provider_taken (
  country INTEGER NOT NULL, service TEXT NOT NULL, tier INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (country, service, tier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS provider_pending_sms (activationId INTEGER PRIMARY KEY, dueAt INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS provider_pending_sms_due ON provider_pending_sms (dueAt);
CREATE TABLE IF NOT EXISTS provider_webhooks (
  id INTEGER PRIMARY KEY, url TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, dueAt INTEGER);
CREATE INDEX IF NOT EXISTS provider_webhooks_due ON provider_webhooks (dueAt);
`;
