"""The key that wraps the keys of records never changes; each rotation of the keyring seals it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.postgres import postgres

from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.store.open import Place, open_subject_store
from cookieguard.features.records.store.protocol import SubjectStore
from cookieguard.features.records.values.log import LogDown
from cookieguard.keyring import Keyring, new_key
from cookieguard.storage.journal import Journal

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
Opener = Callable[[Keyring], SubjectStore]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as running:
        yield running.url


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Give what opens an empty store of keys with a keyring."""
    place = str(tmp_path / "keys.db") if request.param == "sqlite" else request.getfixturevalue("server")
    made: list[SubjectStore] = []

    def open_with(ring: Keyring) -> SubjectStore:
        erasures = Erasures(Journal(tmp_path, "", days=30), ())
        made.append(open_subject_store(Place(place, place, erasures, lambda: ring), make=True))
        return made[-1]

    open_with(Keyring.generate(NOW))._database.write("DELETE FROM cg_subject_secret")
    yield open_with
    for store in made:
        store.close()


def stored(store: SubjectStore) -> list[bytes]:
    rows = store._database.rows("SELECT value FROM cg_subject_secret ORDER BY name")
    return [bytes(value) for (value,) in rows]


def rotated(before: Keyring) -> tuple[Keyring, Keyring]:
    """Return the keyring with a key that does not sign yet, and the one in which it signs."""
    new = new_key(NOW)
    added = before.with_key(new)
    return added, added.promoted(new.id, now=LATER)


def without(ring: Keyring, key_id: str) -> Keyring:
    return ring.retired(key_id, now=LATER, life=timedelta(), force=True)


def test_secret_is_made_once_and_never_stored_unwrapped(opened: Opener) -> None:
    ring = Keyring.generate(NOW)
    store = opened(ring)
    with ThreadPoolExecutor(4) as threads:
        stores = [opened(ring) for _ in range(4)]
        secrets = set(threads.map(lambda one: one.secret("handles"), stores))

    assert secrets == {store.secret("handles")}
    assert not any(store.secret("handles") in value for value in stored(store))


def test_secret_outlives_every_key_of_the_keyring(opened: Opener) -> None:
    ring = Keyring.generate(NOW)
    secret = opened(ring).secret("handles")

    for _ in range(3):
        before = ring.signing.id
        _, ring = rotated(ring)
        opened(ring).seal_anew(ring)
        ring = without(ring, before)

        assert opened(ring).secret("handles") == secret


def test_another_keyring_opens_nothing_and_changes_nothing(opened: Opener) -> None:
    store = opened(Keyring.generate(NOW))
    store.secret("handles")
    before, stranger = stored(store), Keyring.generate(NOW)

    with pytest.raises(LogDown, match="bring the keyring back"):
        opened(stranger).secret("handles")
    with pytest.raises(LogDown, match="bring the keyring back"):
        opened(stranger).seal_anew(stranger)

    assert stored(store) == before


def test_secret_does_not_pass_for_another(opened: Opener) -> None:
    store = opened(Keyring.generate(NOW))
    store.secret("handles")
    store._database.write("UPDATE cg_subject_secret SET name = 'marks' WHERE name = 'handles'")

    with pytest.raises(LogDown, match="bring the keyring back"):
        store.secret("marks")


def test_worker_that_has_not_read_the_promoted_keyring_does_not_bring_the_old_key_back(
    opened: Opener,
) -> None:
    before = Keyring.generate(NOW)
    secret = opened(before).secret("handles")
    stale, promoted = rotated(before)
    opened(promoted).seal_anew(promoted)

    opened(stale).seal_anew(stale)

    assert opened(without(promoted, before.signing.id)).secret("handles") == secret


def test_key_that_signs_again_wraps_again(opened: Opener) -> None:
    first = Keyring.generate(NOW)
    secret = opened(first).secret("handles")
    _, second = rotated(first)
    opened(second).seal_anew(second)

    back = second.promoted(first.signing.id, now=LATER)
    opened(back).seal_anew(back)

    assert opened(without(back, second.signing.id)).secret("handles") == secret
