"""After an erasure, no byte of any file holds the person's data, also after a backup was restored."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from cookieguard.features.records.erasure_journal import Erasures, due_erasures, erase_subject
from cookieguard.features.records.log_reader import read_record, read_subject
from cookieguard.features.records.store.open import open_subject_store
from cookieguard.features.records.store.protocol import LogDown, Stores
from cookieguard.features.records.store.subjects import KEY_FOR
from cookieguard.features.records.values.records import customer
from cookieguard.features.records.values.verification import Verdict
from cookieguard.features.records.writer import HANDLE_SECRET, handle_of
from cookieguard.storage.journal import Journal

from .conftest import NOW, World, record_of

PLANTED, STAYING = 200, 20


def found_in(directory: Path, needles: Iterable[bytes]) -> int:
    """Count how many of these stand in any file."""
    content = b"".join(path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file())
    return sum(one in content for one in needles)


def stored_key(stores: Stores, subject: bytes) -> bytes:
    """Return what the store of keys holds of a subject."""
    return bytes(stores.subjects._database.value(KEY_FOR, subject=subject))


def names(count: int, kind: str) -> list[str]:
    return [customer(f"{kind}-customer-{number:05d}") for number in range(count)]


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_nothing_of_an_erased_person_is_in_any_file_nor_after_restoring_yesterday(
    world: World, tmp_path: Path
) -> None:
    erased, staying = names(PLANTED, "erased"), names(STAYING, "staying")
    records = [record_of(subject, said=f"words of {subject}") for subject in erased + staying]
    world.write(*records)
    directory = Path(world.place.log).parent
    stores = world.stores()
    secret = stores.subjects.secret(HANDLE_SECRET)
    keys = [
        key for subject in erased if (key := stores.subjects.find(handle_of(subject, secret))) is not None
    ]
    needles = [stored_key(stores, key.subject) for key in keys]
    plain = [subject.encode() for subject in erased] + [b"words of"] + [key.key for key in keys]
    yesterday = tmp_path / "yesterday"
    yesterday.mkdir()
    for path in directory.iterdir():
        if path.is_file() and path.name != "erasures":
            shutil.copy(path, yesterday)

    assert found_in(directory, needles) == PLANTED  # the control: this search finds what is there
    assert found_in(directory, plain) == 0  # sealed from the first moment
    assert read_subject(stores, erased[0])
    for subject in erased:
        assert erase_subject(stores, subject, erasures=world.place.erasures, now=NOW) == 1
    assert found_in(directory, needles) == 0
    assert read_subject(stores, erased[0]) == []
    gone = read_record(stores, records[0].id)
    assert gone is not None
    assert not gone.record
    assert read_subject(stores, staying[0])
    stores.close()
    assert world.verify().verdict is Verdict.WHOLE

    for path in yesterday.iterdir():
        shutil.copy(path, directory)
    for name in ("log.db-wal", "log.db-shm", "subjects.db-wal", "subjects.db-shm"):
        if not (yesterday / name).exists():
            (directory / name).unlink(missing_ok=True)
    assert found_in(directory, needles) == PLANTED  # the control: the copy brought them back
    restored = open_subject_store(world.place, make=False)
    assert len(due_erasures(restored, world.place.erasures)) == PLANTED
    restored.close()
    world.write(record_of())  # whatever opens the log first
    assert found_in(directory, needles) == 0
    assert found_in(directory, plain) == 0
    assert world.verify().verdict is Verdict.WHOLE


def test_a_long_journal_of_erasures_is_gone_through_with_few_questions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(record_of(customer("1")), record_of(customer("2")))
    stores = world.stores()
    key = stores.subjects.find(handle_of(customer("1"), stores.subjects.secret(HANDLE_SECRET)))
    assert key is not None
    gone = [number.to_bytes(16, "big") for number in range(2500)]
    world.place.erasures.write([*gone, key.subject], NOW)
    questions = []
    for name in ("with_keys", "key_for"):
        ask = getattr(stores.subjects, name)
        monkeypatch.setattr(stores.subjects, name, lambda some, ask=ask: questions.append(1) or ask(some))

    assert due_erasures(stores.subjects, world.place.erasures) == [key.subject]

    assert len(questions) <= 3
    stores.close()


def test_erased_customer_who_returns_is_a_new_customer(world: World) -> None:
    world.write(record_of(customer("1"), n=1))
    stores = world.stores()
    erase_subject(stores, customer("1"), erasures=world.place.erasures, now=NOW)
    stores.close()
    world.write(record_of(customer("1"), n=2))

    stores = world.stores()
    assert len(read_subject(stores, customer("1"))) == 1
    stores.close()
    assert world.verify().size == 2


def test_half_a_line_in_the_journal_names_nobody_and_harms_no_other(world: World) -> None:
    world.write(record_of(customer("1")), record_of(customer("2")))
    world.place.erasures.write([bytes(16)], NOW)
    with world.place.erasures.journal.path.open("ab") as file:
        file.write(b"2 2026-11-28T12:00:00Z subject 0011223344556677")
    stores = world.stores()
    erase_subject(stores, customer("1"), erasures=world.place.erasures, now=NOW)

    assert len(world.place.erasures.read()) == 2
    assert read_subject(stores, customer("2"))
    stores.close()


def test_erasure_that_the_disk_took_half_of_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasures = Erasures(Journal(tmp_path, "", days=30), ())
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, text: write(descriptor, text[:30]))

    with pytest.raises(LogDown, match="No space left"):
        erasures.write([bytes(16)], NOW)

    monkeypatch.undo()
    erasures.write([bytes(range(16))], NOW)
    assert erasures.read() == {bytes(range(16))}


def test_erasure_that_a_reader_blocked_is_completed_at_the_next_try(world: World) -> None:
    world.write(record_of(customer("1")), record_of(customer("2")))
    stores = world.stores()
    key = stores.subjects.find(handle_of(customer("1"), stores.subjects.secret(HANDLE_SECRET)))
    assert key is not None
    stored = stored_key(stores, key.subject)
    with reading(world), pytest.raises(LogDown):  # a dump, say
        erase_subject(stores, customer("1"), erasures=world.place.erasures, now=NOW)
    assert read_subject(stores, customer("1")) == []
    assert stored in keys_on_disk(world)  # the control: this search finds what is there

    assert erase_subject(stores, customer("1"), erasures=world.place.erasures, now=NOW) == 0

    assert stored not in keys_on_disk(world)
    assert read_subject(stores, customer("2"))
    stores.close()


@contextmanager
def reading(world: World) -> Iterator[None]:
    """Keep a reader of the keys open until the block ends."""
    if world.place.log_file is None:
        with psycopg.connect(world.place.subjects) as dump:
            dump.execute("SELECT * FROM cg_subject")
            yield
        return
    with closing(sqlite3.connect(world.place.subjects, isolation_level=None)) as copy:
        copy.execute("BEGIN")
        copy.execute("SELECT * FROM subject").fetchall()
        yield


def keys_on_disk(world: World) -> bytes:
    """Return what lies on the disk of the keys."""
    if world.place.log_file is not None:
        paths = Path(world.place.subjects).parent.glob("subjects.db*")
        return b"".join(path.read_bytes() for path in paths)
    with psycopg.connect(world.place.subjects, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT pg_read_binary_file(pg_relation_filepath('cg_subject'))").fetchone()
    return b"" if row is None else bytes(row[0])
