-- The tables of releases that kept no number of their schemas, with a row of each; by part.

-- part: outbox
CREATE TABLE run (name TEXT PRIMARY KEY, secret TEXT NOT NULL, is_filled INTEGER NOT NULL);
CREATE TABLE mail (run TEXT NOT NULL, who TEXT NOT NULL, recipient TEXT NOT NULL, state INTEGER NOT NULL DEFAULT
    0, due INTEGER NOT NULL DEFAULT 0, lease TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0, uncertain
    INTEGER NOT NULL DEFAULT 0, reply TEXT NOT NULL DEFAULT '', PRIMARY KEY (run, who)) WITHOUT ROWID;
CREATE INDEX mail_due ON mail (run, due, who) WHERE state < 3;
INSERT INTO run VALUES ('r', 'secret', 1);
INSERT INTO mail (run, who, recipient) VALUES ('r', 'a', 'sealed');

-- part: queue
CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE request (id TEXT PRIMARY KEY, who TEXT NOT NULL, is_open INTEGER NOT NULL, sealed BLOB NOT NULL,
    version INTEGER NOT NULL, work_at INTEGER, lease TEXT NOT NULL DEFAULT '', lease_until INTEGER NOT NULL
    DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0);
CREATE INDEX request_who ON request (who);
CREATE INDEX request_work ON request (work_at) WHERE work_at IS NOT NULL;
CREATE TABLE file (id TEXT PRIMARY KEY, content BLOB NOT NULL);
INSERT INTO request (id, who, is_open, sealed, version, work_at) VALUES ('q', 'w', 1, x'01', 1, 0);

-- part: subjects
CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE subject (handle BLOB PRIMARY KEY, id BLOB NOT NULL, key BLOB NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX subject_id ON subject (id);
CREATE TABLE fading (id BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO subject VALUES (x'01', x'02', x'0303030303030303030303030303030303030303030303030303030303030303');

-- part: store
CREATE TABLE change (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT OR IGNORE INTO change VALUES (1, 0);
CREATE TABLE ending (what TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL, number
    INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (what, key))
    WITHOUT ROWID;
CREATE TABLE kept (shelf TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL, until
    INTEGER NOT NULL, PRIMARY KEY (shelf, key)) WITHOUT ROWID;
CREATE INDEX kept_until ON kept (until);
CREATE INDEX ending_change ON ending (what, number, key);
INSERT INTO ending VALUES ('session', 's', 5, 9000000000000, 1, 'c:17', 0);
INSERT INTO kept VALUES ('cart', 'c:17', x'7b7d', 3, 9000000000000);

-- part: log
CREATE TABLE record (place INTEGER PRIMARY KEY, number INTEGER, id BLOB NOT NULL, subject BLOB NOT NULL, about
    BLOB NOT NULL, entry BLOB NOT NULL, sealed BLOB NOT NULL, mac BLOB NOT NULL);
CREATE UNIQUE INDEX record_id ON record (id) WHERE number >= 0 AND id <> x'';
CREATE UNIQUE INDEX record_number ON record (number) WHERE number IS NOT NULL;
CREATE INDEX record_waiting ON record (place) WHERE number IS NULL;
CREATE UNIQUE INDEX record_waiting_id ON record (id) WHERE number IS NULL;
CREATE INDEX record_subject_kind ON record (subject, substr(about, 9)) WHERE number >= 0;
CREATE INDEX record_subject_time ON record (subject, substr(about, 1, 8)) WHERE number >= 0;
CREATE INDEX record_about ON record (about, number) WHERE number >= 0;
CREATE TABLE tile (level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, n))
    WITHOUT ROWID;
CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL);
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE public_key (key TEXT PRIMARY KEY);
CREATE TABLE shown (digest TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE job (place INTEGER PRIMARY KEY, id BLOB NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL);
CREATE TABLE pruned (place INTEGER PRIMARY KEY, note TEXT NOT NULL);
INSERT OR REPLACE INTO fact VALUES ('schema', '5');
INSERT INTO record (number, id, subject, about, entry, sealed, mac) VALUES (0, x'01', x'02', x'03', x'04', x'05',
    x'');
