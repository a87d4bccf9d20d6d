-- The tables of releases that kept no number of their schemas, with a row of each; by part.

-- part: outbox
CREATE TABLE cookieguard_mail_run (name TEXT PRIMARY KEY, secret TEXT NOT NULL, is_filled BOOLEAN NOT NULL DEFAULT
    false);
CREATE TABLE cookieguard_mail (run TEXT NOT NULL, who TEXT NOT NULL, recipient TEXT NOT NULL, state SMALLINT NOT
    NULL DEFAULT 0, due TIMESTAMPTZ NOT NULL DEFAULT '-infinity', lease TEXT NOT NULL DEFAULT '', tries INTEGER
    NOT NULL DEFAULT 0, uncertain INTEGER NOT NULL DEFAULT 0, reply TEXT NOT NULL DEFAULT '', PRIMARY KEY (run,
    who));
CREATE INDEX cookieguard_mail_due ON cookieguard_mail (due) WHERE state < 3;
INSERT INTO cookieguard_mail_run VALUES ('r', 'secret', true);
INSERT INTO cookieguard_mail (run, who, recipient) VALUES ('r', 'a', 'sealed');

-- part: queue
CREATE TABLE cookieguard_rights_fact (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
CREATE TABLE cookieguard_rights (id TEXT PRIMARY KEY, place BIGSERIAL, who TEXT NOT NULL, is_open BOOLEAN NOT
    NULL, sealed BYTEA NOT NULL, version BIGINT NOT NULL, work_at TIMESTAMPTZ, lease TEXT NOT NULL DEFAULT '',
    lease_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity', tries INTEGER NOT NULL DEFAULT 0);
CREATE INDEX cookieguard_rights_who ON cookieguard_rights (who);
CREATE INDEX cookieguard_rights_work ON cookieguard_rights (work_at) WHERE work_at IS NOT NULL;
CREATE TABLE cookieguard_rights_file (id TEXT PRIMARY KEY, content BYTEA NOT NULL);
INSERT INTO cookieguard_rights (id, who, is_open, sealed, version, work_at) VALUES ('q', 'w', true, '\x01', 1,
    '-infinity');

-- part: subjects
CREATE TABLE cg_subject_secret (name text PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE cg_subject (handle bytea PRIMARY KEY, id bytea NOT NULL UNIQUE, key bytea NOT NULL);
CREATE TABLE cg_subject_fading (id bytea PRIMARY KEY, since bigint NOT NULL);
INSERT INTO cg_subject VALUES ('\x01', '\x02', '\x0303030303030303030303030303030303030303030303030303030303030303');

-- part: store
CREATE TABLE cookieguard_change (one INTEGER PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL);
INSERT INTO cookieguard_change VALUES (1, 0) ON CONFLICT DO NOTHING;
CREATE TABLE cookieguard_ending (what TEXT NOT NULL, key TEXT NOT NULL, at BIGINT NOT NULL, until BIGINT NOT NULL,
    number BIGINT NOT NULL, owner TEXT NOT NULL DEFAULT '', since BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (what,
    key));
CREATE TABLE cookieguard_kept (shelf TEXT NOT NULL, key TEXT NOT NULL, value BYTEA NOT NULL, version BIGINT NOT
    NULL, until BIGINT NOT NULL, PRIMARY KEY (shelf, key));
CREATE INDEX cookieguard_kept_until ON cookieguard_kept (until);
CREATE INDEX cookieguard_ending_change ON cookieguard_ending (what, number, key);
INSERT INTO cookieguard_ending VALUES ('session', 's', 5, 9000000000000, 1, 'c:17', 0);
INSERT INTO cookieguard_kept VALUES ('cart', 'c:17', '\x7b7d', 3, 9000000000000);

-- part: log
CREATE TABLE cg_log_record (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint, id bytea NOT
    NULL, subject bytea NOT NULL, about bytea NOT NULL, entry bytea NOT NULL, sealed bytea NOT NULL, mac bytea NOT
    NULL);
CREATE UNIQUE INDEX cg_log_record_id ON cg_log_record (id) WHERE number >= 0 AND id <> '';
CREATE UNIQUE INDEX cg_log_record_number ON cg_log_record (number) WHERE number IS NOT NULL;
CREATE INDEX cg_log_record_waiting ON cg_log_record (place) WHERE number IS NULL;
CREATE UNIQUE INDEX cg_log_record_waiting_id ON cg_log_record (id) WHERE number IS NULL;
CREATE INDEX cg_log_record_subject_kind ON cg_log_record (subject, substr(about, 9), place) WHERE number >= 0;
CREATE INDEX cg_log_record_subject_time ON cg_log_record (subject, substr(about, 1, 8)) WHERE number >= 0;
CREATE INDEX cg_log_record_about ON cg_log_record (about, number) WHERE number >= 0;
CREATE TABLE cg_log_tile (level smallint NOT NULL, n bigint NOT NULL, hashes bytea NOT NULL, PRIMARY KEY (level, n));
CREATE TABLE cg_log_checkpoint (size bigint PRIMARY KEY, note text NOT NULL);
CREATE TABLE cg_log_fact (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE cg_log_public_key (key text PRIMARY KEY, place bigint GENERATED ALWAYS AS IDENTITY);
CREATE TABLE cg_log_shown (digest text PRIMARY KEY, content bytea NOT NULL);
CREATE TABLE cg_log_job (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea NOT NULL, due bigint NOT
    NULL, tries integer NOT NULL);
CREATE TABLE cg_log_pruned (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text NOT NULL);
INSERT INTO cg_log_fact VALUES ('schema', '5') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
INSERT INTO cg_log_record (number, id, subject, about, entry, sealed, mac) VALUES (0, '\x01', '\x02', '\x03',
    '\x04', '\x05', '');
