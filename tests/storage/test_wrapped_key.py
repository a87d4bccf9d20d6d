"""A key that never rotates: each rotation of the keyring wraps it again, and no worker with an older one undoes it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.postgres import postgres

from cookieguard.features.records.store.subjects import TABLES
from cookieguard.features.records.values.log import LogDown
from cookieguard.keyring import Keyring, new_key
from cookieguard.storage.database import Database
from cookieguard.storage.open import open_database
from cookieguard.storage.wrapped_key import WrappedKey

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
TABLE = "cg_subject_secret"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as running:
        yield running.url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    place = tmp_path / "some.db" if request.param == "sqlite" else request.getfixturevalue("server")
    opened = open_database(place, TABLES)
    opened.write(f"DELETE FROM {TABLE}")
    yield opened
    opened.close()


@pytest.fixture
def kept(database: Database) -> WrappedKey:
    return WrappedKey(database, TABLE, "names")


def stored(key: WrappedKey) -> bytes:
    return bytes(key.database.value(f"SELECT value FROM {TABLE} WHERE name = :name", name=key.name))


def rotated(before: Keyring) -> tuple[Keyring, Keyring]:
    """Return the keyring with a key that does not sign yet, and the one in which it signs."""
    new = new_key(NOW)
    added = before.with_key(new)
    return added, added.promoted(new.id, now=LATER)


def test_key_is_made_once_and_never_stored_unwrapped(kept: WrappedKey) -> None:
    ring = Keyring.generate(NOW)

    assert kept.find(ring) is None
    key = kept.find_or_make(ring)

    assert len(key) == 32
    assert kept.find(ring) == kept.find_or_make(ring) == key
    assert key not in stored(kept)


def test_workers_that_make_it_together_get_one_key(tmp_path: Path) -> None:
    ring = Keyring.generate(NOW)
    open_database(tmp_path / "some.db", TABLES).close()

    def make(_: int) -> bytes:
        return WrappedKey(open_database(tmp_path / "some.db", TABLES), TABLE, "names").find_or_make(ring)

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(make, range(8)))) == 1


def test_key_outlives_every_key_of_the_keyring(kept: WrappedKey) -> None:
    ring = Keyring.generate(NOW)
    key = kept.find_or_make(ring)

    for _ in range(3):
        before = ring.signing.id
        _, ring = rotated(ring)
        kept.wrap_again(ring)
        ring = ring.retired(before, now=LATER, life=timedelta(), force=True)

        assert kept.find(ring) == key


def test_without_its_key_the_keyring_opens_nothing_and_makes_no_other_key(kept: WrappedKey) -> None:
    kept.find_or_make(Keyring.generate(NOW))
    before = stored(kept)
    stranger = Keyring.generate(NOW)

    for use in (kept.find, kept.find_or_make, kept.wrap_again):
        with pytest.raises(LogDown, match="bring the keyring back"):
            use(stranger)

    assert stored(kept) == before


def test_key_of_one_name_does_not_pass_for_another(kept: WrappedKey) -> None:
    ring = Keyring.generate(NOW)
    kept.find_or_make(ring)
    kept.database.write(f"UPDATE {TABLE} SET name = 'other'")

    with pytest.raises(LogDown):
        WrappedKey(kept.database, TABLE, "other").find(ring)


def test_worker_that_has_not_read_the_promoted_keyring_does_not_bring_the_old_key_back(
    kept: WrappedKey,
) -> None:
    before = Keyring.generate(NOW)
    kept.find_or_make(before)
    stale, promoted = rotated(before)
    kept.wrap_again(promoted)
    wrapped = stored(kept)

    kept.wrap_again(stale)

    assert stored(kept) == wrapped
    kept.find(promoted.retired(before.signing.id, now=LATER, life=timedelta(), force=True))


def test_key_that_signs_again_wraps_again(kept: WrappedKey) -> None:
    first = Keyring.generate(NOW)
    key = kept.find_or_make(first)
    _, second = rotated(first)
    kept.wrap_again(second)

    back = second.promoted(first.signing.id, now=LATER)
    kept.wrap_again(back)

    assert kept.find(back.retired(second.signing.id, now=LATER, life=timedelta(), force=True)) == key
