"""The store of the subjects' keys, separate from the records. A destroyed key is gone from its file and journal.

Each key is wrapped with one master key that never rotates, and the keyring wraps the master key. Without the keyring,
the store of keys opens no record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from os import urandom
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.sealing import KEY_BYTES, NONCE_BYTES, SUBJECT_BYTES
from cookieguard.keyring import Keyring
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database
from cookieguard.storage.sealing import Seal, SealBroken

# Acknowledged rows must be on the server's disk, whatever its default is.
DURABLE = "SET synchronous_commit = on"
MAKE = (
    "CREATE TABLE IF NOT EXISTS cg_subject_secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS cg_subject (
        handle BLOB PRIMARY KEY, id BLOB NOT NULL UNIQUE, key BLOB NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS cg_subject_fading (id BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID",
)
TABLES = Tables(
    main="cg_subject",
    steps=(Step(MAKE), Step(())),  # the second: keys are wrapped, so earlier releases cannot read them
    down=LogDown,
    short=(("cg_subject_secret", "secret"), ("cg_subject_fading", "fading"), ("cg_subject", "subject")),
    busy_seconds=2.0,  # enough, since each writer holds the lock for one small transaction
    statement_milliseconds=10_000,
    lock_milliseconds=5_000,
    settings=(DURABLE,),
)
SECRET = "SELECT value FROM cg_subject_secret WHERE name = :name"  # noqa: S105 - SQL
PUT_SECRET = "INSERT INTO cg_subject_secret (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"  # noqa: S105
FIND = "SELECT handle, id, key FROM cg_subject WHERE handle IN (:these)"
MAKE_KEY = "INSERT INTO cg_subject (handle, id, key) VALUES (:handle, :subject, :key) ON CONFLICT DO NOTHING"
KEY_FOR = "SELECT key FROM cg_subject WHERE id = :subject"
KEYS_FOR = "SELECT id, key FROM cg_subject WHERE id IN (:these)"
WITH_KEYS = "SELECT id FROM cg_subject WHERE id IN (:these)"
AFTER = "SELECT id FROM cg_subject WHERE id > :subject ORDER BY id LIMIT :count"
FORGET = "DELETE FROM cg_subject WHERE id IN (:these)"
IS_FADING = "SELECT 1 FROM cg_subject_fading LIMIT 1"
STAY = "DELETE FROM cg_subject_fading WHERE id IN (SELECT id FROM cg_subject WHERE handle IN (:these))"
FADE = """
    INSERT INTO cg_subject_fading (id, since) VALUES (:subject, :now)
    ON CONFLICT (id) DO UPDATE SET since = excluded.since
"""
FADED = "SELECT id FROM cg_subject_fading WHERE since < :before"
MASTER = "master"  # the secret that wraps the key of each subject
USE = b"keys of the log's subjects"
LOST = "no key of the keyring opens the keys of records: bring the keyring back from its backup"
SECRETS = "SELECT name, value FROM cg_subject_secret WHERE length(value) > 0"
SEAL_AGAIN = "UPDATE cg_subject_secret SET value = :value WHERE name = :name AND value = :before"
# Keys that an earlier release stored unwrapped.
CLEAR = """
    SELECT id, key FROM cg_subject WHERE id > :after AND length(key) = :length ORDER BY id LIMIT :count
"""
WRAP = "UPDATE cg_subject SET key = :key WHERE id = :subject AND key = :before"
WRAPPED_AT_ONCE = 5000  # keys of one transaction, which takes about 100 ms; new records wait for it
END_FADING = "DELETE FROM cg_subject_fading WHERE id IN (:these) AND since < :before RETURNING id"


class SubjectKey(NamedTuple):
    """Hold the random number by which rows name a subject, and the key that seals the subject's records."""

    subject: bytes
    key: bytes


def new_key() -> SubjectKey:
    """Return a random number and a random key for a new subject."""
    random = urandom(SUBJECT_BYTES + KEY_BYTES)
    return SubjectKey(random[:SUBJECT_BYTES], random[SUBJECT_BYTES:])


class SubjectStore:
    """Keep the keys of subjects in a file, or with `PostgresSubjects` in a server's database. Raises LogDown.

    `keyring` is called when the first key is read or made. Calls that need no key work without a keyring.
    """

    def __init__(self, place: Path | str, keyring: Callable[[], Keyring], *, make: bool = True) -> None:
        self._database = open_database(place, TABLES, make=make)
        self._keyring = keyring

    def secret(self, name: str) -> bytes:
        """Return a secret by its name: 32 random bytes, made at the first call and sealed by the keyring."""
        seal, value = Seal(self._keyring(), USE), self._database.value(SECRET, name=name)
        if value is None:
            sealed = seal.close(urandom(KEY_BYTES), about=name)
            self._database.write(PUT_SECRET, name=name, value=sealed)
            value = self._database.value(SECRET, name=name)
        return _unsealed(seal, name, value)

    def wrapped(self, key: SubjectKey) -> SubjectKey:
        """Return a key wrapped with the master key, as its row stores it."""
        nonce = urandom(NONCE_BYTES)
        return SubjectKey(key.subject, nonce + self._cipher.encrypt(nonce, key.key, key.subject))

    def seal_anew(self, keyring: Keyring) -> None:
        """Seal the secrets with the keyring's current key, so that the keyring can retire the previous one."""
        seal = Seal(keyring, USE)
        for name, before in self._database.rows(SECRETS):
            if not seal.is_current(before):
                value = seal.close(_unsealed(seal, name, before), about=name)
                self._overwrite(SEAL_AGAIN, [{"name": name, "value": value, "before": before}])

    def wrap_clear_keys(self) -> None:
        """Wrap the keys that an earlier release stored unwrapped, in batches. After a kill, the next call continues.

        A file keeps no byte of the unwrapped keys, unless a reader holds the journal, which the next `forget` empties.
        """
        self.seal_anew(self._keyring())
        after = b""
        while rows := self._database.rows(CLEAR, after=after, length=KEY_BYTES, count=WRAPPED_AT_ONCE):
            after = rows[-1][0]
            keys = [{**self.wrapped(SubjectKey(*row))._asdict(), "before": row[1]} for row in rows]
            self._overwrite(WRAP, keys)
        if after:
            with suppress(LogDown):
                self._database.empty_journal()

    def keys_of(self, handles: Iterable[bytes]) -> dict[bytes, SubjectKey]:
        """Return the key of each handle; missing keys are made, and on disk on return."""
        handles = list(handles)
        if self._database.value(IS_FADING):  # for an hour after records were pruned
            self._database.write_in(STAY, handles)
        found = self._found(handles)
        new = {handle: new_key() for handle in handles if handle not in found}
        if new:
            rows = ({"handle": handle, **self.wrapped(key)._asdict()} for handle, key in new.items())
            if self._database.write_each(MAKE_KEY, rows) == len(new):
                return found | new
            found |= self._found(list(new))  # another worker was first
        return found

    def find(self, handle: bytes) -> SubjectKey | None:
        """Return the key of a handle, None if there is none or it was destroyed."""
        return self._found([handle]).get(handle)

    def key_for(self, subject: bytes) -> bytes | None:
        """Return the key of a subject, named as in its rows; None if it was destroyed."""
        key = self._database.value(KEY_FOR, subject=subject)
        return None if key is None else self._key(key, subject)

    def keys_for(self, subjects: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the keys of subjects, named as in their rows; subjects without a key are left out."""
        rows = self._database.rows_in(KEYS_FOR, list(subjects))
        return {id_: self._key(key, id_) for id_, key in rows}

    def with_keys(self, subjects: Sequence[bytes]) -> set[bytes]:
        """Return those of the subjects that have a key."""
        return {subject for (subject,) in self._database.rows_in(WITH_KEYS, subjects)}

    def after(self, subject: bytes, count: int) -> list[bytes]:
        """Return the next `count` subjects with a key, in the order of their numbers, after a given one."""
        return [id_ for (id_,) in self._database.rows(AFTER, subject=subject, count=count)]

    def forget(self, subjects: Sequence[bytes]) -> int:
        """Destroy keys, so that no file holds them; return how many there were.

        Each call, even one without subjects, also clears the bytes that an earlier call left because of a reader.
        """
        gone = self._database.write_in(FORGET, subjects)
        self._database.empty_journal()
        return gone

    def fade(self, subjects: Sequence[bytes], now: int) -> None:
        """Note at a time (in milliseconds) that subjects may have lost their last rows. `keys_of` deletes the note."""
        self._database.write_each(FADE, ({"subject": subject, "now": now} for subject in subjects))

    def faded(self, before: int) -> list[bytes]:
        """Return the subjects that `fade` noted before a time."""
        return [subject for (subject,) in self._database.rows(FADED, before=before)]

    def end_fading(self, subjects: Sequence[bytes], before: int, *, forgets: bool) -> int:
        """Delete the notes that `fade` made before a time, with `forgets` also the keys; return the number of notes."""
        with self._database.transaction():
            ended = [subject for (subject,) in self._database.rows_in(END_FADING, subjects, before=before)]
            if forgets:
                self._database.write_in(FORGET, ended)
        return len(ended)

    def close(self) -> None:
        self._database.close()

    def _found(self, handles: Sequence[bytes]) -> dict[bytes, SubjectKey]:
        rows = self._database.rows_in(FIND, handles)
        return {handle: SubjectKey(id_, self._key(key, id_)) for handle, id_, key in rows}

    def _key(self, value: bytes, subject: bytes) -> bytes:
        """Return a subject's key. If somebody changed it in the store, return one that opens no record."""
        if len(value) == KEY_BYTES:  # from an earlier release; a worker's start or the hourly job wraps it
            return bytes(value)
        try:
            return self._cipher.decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], subject)
        except (InvalidTag, ValueError):
            return urandom(KEY_BYTES)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self.secret(MASTER))

    def _overwrite(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        self._database.write_each(statement, rows)


def _unsealed(seal: Seal, name: str, sealed: bytes) -> bytes:
    if len(sealed) == KEY_BYTES:  # stored unsealed by an earlier release
        return bytes(sealed)
    try:
        return seal.open(sealed, about=name)
    except SealBroken as error:
        raise LogDown(LOST) from error
