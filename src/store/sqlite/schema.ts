// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * `honey` is the log of truth: append-only, its first twelve columns those of the C program, readable by any SQLite
 * tool while we run. Everything else here is made from it and could be made again.
 *
 * `bad_actors` and `called_numbers` hold one row for each address and each dialled string, so that no list and no
 * lookup scans events. They are kept in the transaction that inserts the events. Rows that somebody else inserted (the
 * C program, a shell) are found by their ids: `counted_upto` is the last row that was counted in order, and a gap
 * above it becomes an interval in `uncounted` that is worked off in the background. `best_proof` is the index in
 * `PROOF_LEVELS` of the best proof of any event of the row. `proof_at` and `proof_by` are of the earliest event with it,
 * and NULL while there is none.
 */

/** `user_version` of the files this program writes; the C program's have 0. */
export const SCHEMA_VERSION = 1

/** For new files: fewer, larger pages write about 1.3 times as fast as the 4 KiB default. */
export const PAGE_BYTES = 8192

export const CREATE_HONEY = `
CREATE TABLE honey (honey_id INTEGER PRIMARY KEY, event_timestamp TEXT, event_uuid TEXT, collected_method TEXT,
 source_ip TEXT, called_number TEXT, transport_type TEXT, method TEXT, user_agent TEXT, sip_message TEXT,
 created_by_node_id TEXT, created_at DATETIME DEFAULT(STRFTIME('%Y-%m-%d %H:%M:%f','NOW')))`

/** Our columns, in order, for a new table as for an old one. Defaults make rows of the C program valid rows. */
export const OUR_COLUMNS = [
  'source_port INTEGER',
  'destination_ip TEXT',
  'destination_port INTEGER',
  'request_user TEXT',
  "proof TEXT NOT NULL DEFAULT 'none'",
  "origin TEXT NOT NULL DEFAULT 'observed'",
  'fault TEXT',
  'fingerprint TEXT',
  'tool TEXT',
  'proof_by TEXT',
  'auth_user TEXT',
  'auth_realm TEXT',
  'auth_nonce TEXT',
  'auth_response TEXT',
  'auth_algorithm TEXT',
  'auth_password TEXT',
  'retransmissions INTEGER NOT NULL DEFAULT 0',
] as const

/**
 * The names of the C program's own indexes are kept, so that it does not make a second set of them. `credentials_index`
 * is on the id, so that the newest rows with credentials are at its end. The indexes of proven rows are for lists with a
 * least proof: who forges addresses can make any number of unproven rows, and reading past 250,000 of them took 0.4 s.
 */
export const CREATE_REST = `
CREATE INDEX IF NOT EXISTS source_ip_index ON honey (source_ip);
CREATE INDEX IF NOT EXISTS called_number_index ON honey (called_number);
CREATE INDEX IF NOT EXISTS request_user_index ON honey (request_user) WHERE request_user IS NOT NULL;
CREATE INDEX IF NOT EXISTS credentials_index ON honey (honey_id) WHERE auth_user IS NOT NULL;
CREATE TABLE bad_actors (source_ip TEXT PRIMARY KEY, seen_count INTEGER NOT NULL, seen_first TEXT NOT NULL,
 seen_last TEXT NOT NULL, best_proof INTEGER NOT NULL, proof_at TEXT, proof_by TEXT) WITHOUT ROWID;
CREATE INDEX bad_actors_by_time ON bad_actors (seen_last, source_ip);
CREATE INDEX proven_bad_actors_by_time ON bad_actors (seen_last, source_ip) WHERE best_proof > 0;
CREATE TABLE called_numbers (called_number TEXT PRIMARY KEY, seen_count INTEGER NOT NULL, seen_first TEXT NOT NULL,
 seen_last TEXT NOT NULL, best_proof INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX called_numbers_by_time ON called_numbers (seen_last, called_number);
CREATE INDEX proven_called_numbers_by_time ON called_numbers (seen_last, called_number) WHERE best_proof > 0;
CREATE TABLE uncounted (from_id INTEGER PRIMARY KEY, upto_id INTEGER NOT NULL);
CREATE TABLE sentrypeer (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO sentrypeer VALUES ('counted_upto', 0);`

/** Digits with an optional plus: what counts as a called number. Longer ones are stored, and listed by nobody. */
export const CALLED_NUMBER = /^\+?[0-9]{1,128}$/
