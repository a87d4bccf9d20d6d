"""Keys that an older release stored unwrapped are all wrapped at a worker's start, even if workers are killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.subjects import WRAPPED_AT_ONCE, SubjectKey, new_key
from cookieguard.features.records.values.records import customer
from cookieguard.features.records.writer import HANDLE_SECRET, MAC_SECRET, handle_of, key_of

from .conftest import World, record_of

FEW = 2 * WRAPPED_AT_ONCE + 500
MANY = 100_000
SEARCHED = 500  # of all keys; each is looked for in all bytes
WRITTEN = 20

OLD = {
    "sqlite": (
        "CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE subject (handle BLOB PRIMARY KEY, id BLOB NOT NULL UNIQUE, key BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE fading (id BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID",
        "PRAGMA user_version = 1",
    ),
    "postgres": (
        "CREATE TABLE cg_subject_secret (name TEXT PRIMARY KEY, value BYTEA NOT NULL)",
        "CREATE TABLE cg_subject (handle BYTEA PRIMARY KEY, id BYTEA NOT NULL UNIQUE, key BYTEA NOT NULL)",
        "CREATE TABLE cg_subject_fading (id BYTEA PRIMARY KEY, since BIGINT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS cookieguard_schema (name TEXT PRIMARY KEY, number INTEGER NOT NULL)",
        "INSERT INTO cookieguard_schema VALUES ('cg_subject', 1) ON CONFLICT (name) DO UPDATE SET number = 1",
    ),
}


def execute(world: World, statement: str, rows: Sequence[Sequence[Any]] = ()) -> list[Any]:
    """Run a statement as releases before wrote them, once for each row."""
    if world.place.log_file is not None:
        with closing(sqlite3.connect(world.place.subjects)) as file, file:
            return (
                file.executemany(statement, rows).fetchall() if rows else file.execute(statement).fetchall()
            )
    for ours, theirs in (("secret", "cg_subject_secret"), ("INTO subject", "INTO cg_subject"), ("?", "%s")):
        statement = statement.replace(ours, theirs)
    with psycopg.connect(world.place.subjects, autocommit=True) as server, server.cursor() as cursor:
        cursor.executemany(statement, rows)
    return []


@pytest.fixture
def keys(world: World, request: pytest.FixtureRequest) -> list[SubjectKey]:
    """Make a store of an older release with so many subjects, and return their keys."""
    if world.place.log_file is not None:
        for statement in OLD["sqlite"]:
            execute(world, statement)
    else:
        with psycopg.connect(world.place.subjects, autocommit=True) as server:
            for statement in OLD["postgres"]:
                server.execute(statement.encode())
    secret = os.urandom(32)
    execute(
        world, "INSERT INTO secret VALUES (?, ?)", [(HANDLE_SECRET, secret), (MAC_SECRET, os.urandom(32))]
    )
    made = [new_key() for _ in range(request.param)]
    handles = [handle_of(customer(str(number)), secret) for number in range(len(made))]
    rows = [(handle, *key) for handle, key in zip(handles, made, strict=True)]
    execute(world, "INSERT INTO subject (handle, id, key) VALUES (?, ?, ?)", rows)
    return made


def found(world: World, keys: Sequence[SubjectKey]) -> int:
    """Count the keys whose first or last half is on the disk: in the tables, the free pages or a file's journal."""
    if world.place.log_file is not None:
        paths = sorted(Path(world.place.subjects).parent.glob("subjects.db*"))
        content = b"".join(path.read_bytes() for path in paths)
    else:
        with psycopg.connect(world.place.subjects, autocommit=True) as server:
            server.execute("CHECKPOINT")
            files = server.execute("""
                SELECT pg_read_binary_file(pg_relation_filepath(name))
                FROM unnest(ARRAY['cg_subject', 'cg_subject_secret']) AS name
            """).fetchall()
        content = b"".join(bytes(one) for (one,) in files)
    some = keys[:: max(1, len(keys) // SEARCHED)]
    return sum(one.key[:16] in content or one.key[16:] in content for one in some)


def job(world: World) -> None:
    """Do what the hourly job does with the store of keys."""
    with closing(world.stores()) as stores:
        stores.subjects.wrap_clear_keys()
        stores.subjects.forget(())


@pytest.mark.parametrize(
    "keys", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], indirect=True, ids=["few", "many"]
)
def test_first_worker_wraps_every_key_and_leaves_none_on_the_disk(
    world: World, keys: list[SubjectKey]
) -> None:
    assert found(world, keys) == len(keys[:: max(1, len(keys) // SEARCHED)])  # the control

    records = [record_of(customer(str(number)), n=number) for number in range(WRITTEN)]
    world.write(*records)
    if world.place.log_file is None:
        job(world)  # a file is clean at once; a server's table is rewritten by the hourly job

    assert found(world, keys) == 0
    with closing(world.stores()) as stores:
        assert [key_of(stores, customer(str(number))) for number in range(WRITTEN)] == keys[:WRITTEN]
        assert stores.subjects.keys_for([one.subject for one in keys]) == dict(keys)
        assert [len(read_subject(stores, customer(str(number)))) for number in range(WRITTEN)] == [
            1
        ] * WRITTEN


@pytest.mark.parametrize("keys", [50], indirect=True)
def test_key_that_a_worker_of_the_release_before_still_wrote_is_read_and_wrapped_later(
    world: World, keys: list[SubjectKey]
) -> None:
    world.write(record_of())
    late = new_key()
    execute(world, "INSERT INTO subject (handle, id, key) VALUES (?, ?, ?)", [(b"late", *late)])

    with closing(world.stores()) as stores:
        assert stores.subjects.key_for(late.subject) == late.key
    assert found(world, [late]) == 1  # the control
    job(world)

    assert found(world, [late, *keys]) == 0
    with closing(world.stores()) as stores:
        assert stores.subjects.key_for(late.subject) == late.key


KILLED = """
import os, signal, sys
from pathlib import Path
from cookieguard.features.records.store.open import Place, open_subject_store
from cookieguard.keyring import Keyring

subjects, keyring, count = sys.argv[1:]
keys = Keyring.loads(Path(keyring).read_text())
store = open_subject_store(Place(subjects, subjects, None, lambda: keys), make=True)
call, left = store._overwrite, int(count)
def dying(*args):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*args)
store._overwrite = dying
store.wrap_clear_keys()
"""


# Before the first secret; after both, before the first keys; after the first keys
@pytest.mark.parametrize(
    "count", [pytest.param(0, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 3]
)
@pytest.mark.parametrize("keys", [FEW], indirect=True)
def test_worker_that_is_killed_while_it_wraps_loses_no_key(
    world: World, keys: list[SubjectKey], tmp_path: Path, count: int
) -> None:
    (tmp_path / "keyring").write_text(world.keyring.dumps())
    arguments = (world.place.subjects, str(tmp_path / "keyring"), str(count))

    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    world.write(record_of(customer("1")))
    job(world)

    assert killed.returncode == -signal.SIGKILL
    assert found(world, keys) == 0
    with closing(world.stores()) as stores:
        assert stores.subjects.keys_for([one.subject for one in keys]) == dict(keys)


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
@pytest.mark.parametrize("keys", [50], indirect=True)
def test_keys_of_a_restored_backup_from_before_the_upgrade_are_wrapped_too(
    world: World, keys: list[SubjectKey], tmp_path: Path
) -> None:
    shutil.copy(world.place.subjects, tmp_path / "yesterday")
    world.write(record_of())
    shutil.copy(tmp_path / "yesterday", world.place.subjects)
    assert found(world, keys) == len(keys)  # the control

    world.write(record_of())

    assert found(world, keys) == 0
