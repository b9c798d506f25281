// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * `honey` is the log of truth: append-only, its first twelve columns those of the C program, readable by any SQLite
 * tool while we run. Everything else here is made from it and could be made again.
 *
 * `bad_actors` and `called_numbers` hold one row for each address and each dialled string, `runs` say which events an
 * address or a number has (runs.ts), so that no list and no lookup scans events. They are views that follow `honey`
 * (catch-up.ts): `views` says how far. `best_proof` is the index in `PROOF_LEVELS` of the best proof of any event of the
 * row. `proof_at` and `proof_by` are of the earliest event with it, and NULL while there is none.
 *
 * `views`, part `newest`: the rows of `honey` up to `from_id` are in the view, and those up to `upto_id` for keys up to
 * `done_key`. What is above is the tail, which readers add themselves (tail.ts). Many rows that nobody has counted (a
 * file of the C program, an import) would be too much for that: they are intervals in `uncounted`, below `from_id`,
 * worked off in the background; there the part `uncounted` says how far. `keys` is how many rows of the view each part
 * has made.
 */

/** `user_version` of the files this program writes; the C program's have 0. */
export const SCHEMA_VERSION = 2

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

/** `credentials_index` is on the id, so that the newest rows with credentials are at its end. */
export const CREATE_COUNTS = `
CREATE INDEX IF NOT EXISTS credentials_index ON honey (honey_id) WHERE auth_user IS NOT NULL;
CREATE TABLE bad_actors (source_ip TEXT PRIMARY KEY, seen_count INTEGER NOT NULL, seen_first TEXT NOT NULL,
 seen_last TEXT NOT NULL, best_proof INTEGER NOT NULL, proof_at TEXT, proof_by TEXT) WITHOUT ROWID;
CREATE TABLE called_numbers (called_number TEXT PRIMARY KEY, seen_count INTEGER NOT NULL, seen_first TEXT NOT NULL,
 seen_last TEXT NOT NULL, best_proof INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE uncounted (from_id INTEGER PRIMARY KEY, upto_id INTEGER NOT NULL);
CREATE TABLE sentrypeer (name TEXT PRIMARY KEY, value) WITHOUT ROWID;`

/**
 * The second of a time. Lists are in the order of `seen_last`, but their indexes say the second only, and then the key:
 * a fold adds keys in order, and so it changes the entries of one second side by side. With the whole time in them it
 * changed a page for each key, and rewrote those of 100,000 numbers again in every step.
 */
export const secondOf = (time: string) => `substr(${time}, 1, 19)`

/** What lists read. The ones of proven rows are for lists with a least proof: reading past 250,000 others took 0.4 s. */
export const CREATE_TIME_INDEXES = [
  ['bad_actors', 'source_ip'],
  ['called_numbers', 'called_number'],
]
  .map(([view, key]) => {
    const columns = `${view} (${secondOf('seen_last')}, ${key})`
    return `CREATE INDEX ${view}_by_time ON ${columns};
CREATE INDEX proven_${view}_by_time ON ${columns} WHERE best_proof > 0;`
  })
  .join('\n')

/** The earliest time of the events of a run: what was last seen before is not in it. Empty where nobody knows. */
export const RUN_FIRST_AT = "first_at TEXT NOT NULL DEFAULT ''"

/**
 * `index_key` is the key of the hash in `entries`. The index of `run_chunks` finds the chunk with an entry; a chunk
 * fills one page.
 */
export const CREATE_VIEWS = `
CREATE TABLE views (view TEXT, part TEXT, from_id INTEGER NOT NULL, upto_id INTEGER NOT NULL, done_key TEXT NOT NULL,
 keys INTEGER NOT NULL, PRIMARY KEY (view, part)) WITHOUT ROWID;
INSERT INTO views SELECT view.value, part.value, 0, 0, '', 0
 FROM json_each('["bad_actors", "called_numbers", "events"]') AS view, json_each('["newest", "uncounted"]') AS part;
CREATE TABLE runs (run INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, after_id INTEGER NOT NULL, upto_id INTEGER NOT NULL,
 entries INTEGER NOT NULL, state TEXT NOT NULL, ${RUN_FIRST_AT});
CREATE TABLE run_chunks (chunk INTEGER PRIMARY KEY, run INTEGER NOT NULL, first_hash INTEGER NOT NULL,
 first_offset INTEGER NOT NULL, entries BLOB NOT NULL);
CREATE UNIQUE INDEX run_chunks_in_order ON run_chunks (run, first_hash, first_offset);
INSERT INTO sentrypeer VALUES ('index_key', lower(hex(randomblob(8)))), ('changes', 0);`

/** When a row of `honey` was: what another program inserts need not say, and then it is when it was inserted. */
export const TIME_OF_ROW = "coalesce(nullif(event_timestamp, ''), created_at, '')"

/** What earlier files have and new rows must not pay for, the C program's own among them. */
export const DROP_ROW_INDEXES = `
DROP INDEX IF EXISTS source_ip_index; DROP INDEX IF EXISTS called_number_index;
DROP INDEX IF EXISTS request_user_index; DROP INDEX IF EXISTS event_uuid_index;`

/** Digits with an optional plus: what counts as a called number. Longer ones are stored, and listed by nobody. */
export const CALLED_NUMBER = /^\+?[0-9]{1,128}$/
