"""Records past their time are deleted and their hashes kept, so the log still verifies; other deletions are found."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from cookieguard.config.proof import KeptKind, ProofSettings
from cookieguard.features.records.erasure_journal import erase_subject
from cookieguard.features.records.log_reader import make_receipt, read_record, read_subject
from cookieguard.features.records.store.open import signer_of
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.store.subjects import SubjectKey
from cookieguard.features.records.upkeep import pruning
from cookieguard.features.records.upkeep.pruning import SEALS_FOR, has_overdue, prune, ran_out
from cookieguard.features.records.values.receipts import verify_receipt
from cookieguard.features.records.values.records import Record, customer
from cookieguard.features.records.values.verification import Verdict
from cookieguard.features.records.writer import HANDLE_SECRET, handle_of

from .conftest import NAME, NOW, World

LIFE = timedelta(days=180)
DAYS = ProofSettings().kept_days
LATER = NOW + timedelta(days=DAYS["consent"])


def consent(who: str, topic: str = "grant", *, after: float = 0) -> Record:
    time = NOW + timedelta(days=after)
    return Record(kind="consent", topic=topic, subject=customer(who), time=time, facts={"cg:gpc": False})


def agreement(who: str, *, given: bool, topic: str = "newsletter", after: float = 0) -> Record:
    time = NOW + timedelta(days=after)
    return Record(kind="agreement", topic=topic, subject=customer(who), time=time, facts={"cg:given": given})


def pruned(world: World, now: datetime, days: dict[str, int] | None = None) -> int:
    stores = world.stores()
    try:
        return prune(stores, days or DAYS, LIFE, signer_of(world.keyring, NAME), now=now)
    finally:
        stores.close()


def there(world: World, records: Iterable[Record]) -> list[bool]:
    stores = world.stores()
    found = [read_record(stores, one.id) is not None for one in records]
    stores.close()
    return found


def key_of(stores: Stores, who: str) -> object:
    return stores.subjects.find(handle_of(customer(who), stores.subjects.secret(HANDLE_SECRET)))


def test_a_consent_goes_three_years_after_it_ended_and_no_day_before(world: World) -> None:
    records = [
        consent("ran-out"),
        consent("withdrawn"),
        consent("withdrawn", "withdrawal", after=10),
    ]
    world.write(*records)

    assert pruned(world, LATER + timedelta(days=9)) == 0
    assert pruned(world, LATER + timedelta(days=11)) == 1  # it ended by the withdrawal
    assert there(world, records) == [True, False, True]
    assert pruned(world, LATER + timedelta(days=179)) == 0
    assert pruned(world, LATER + timedelta(days=181)) == 1
    assert pruned(world, LATER + timedelta(days=191)) == 1  # the withdrawal has run out too
    report = world.verify()
    assert (report.verdict, report.size, report.rows, report.pruned) == (Verdict.WHOLE, 3, 0, 3)


@pytest.mark.parametrize("kind", ["agreement", "mail-list"])
def test_an_agreement_in_force_is_kept_as_long_as_it_is(world: World, kind: str) -> None:
    made = [
        agreement("in-force", given=True),
        agreement("refused", given=False),
        agreement("ended", given=True),
        agreement("ended", given=True, topic="terms", after=1),
        agreement("ended", given=False, after=30),
    ]
    records = [replace(one, kind=kind) for one in made]
    world.write(*records)

    assert pruned(world, LATER + timedelta(days=29)) == 1
    assert there(world, records) == [True, False, True, True, True]
    pruned(world, LATER + timedelta(days=2000))
    assert there(world, records) == [True, False, False, True, False]
    assert world.verify().verdict is Verdict.WHOLE


def test_what_was_imported_ends_no_consent_that_the_shop_asked_for(world: World) -> None:
    records = [
        consent("both", after=900),
        consent("both", "import", after=901),  # of the tool before, which ran beside for a while
        consent("old-tool", "import"),
        consent("old-tool", "import", after=900),
    ]
    world.write(*records)

    assert pruned(world, LATER + timedelta(days=1000)) == 1
    assert there(world, records) == [True, True, False, True]
    stores = world.stores()
    ran = [ran_out(stores.log, (NOW + LIFE).date() + timedelta(days=days), LIFE) for days in (900, 901)]
    stores.close()
    assert ran == [{"grant": 1}, {}]


def test_agreements_in_force_are_opened_once_not_at_every_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(
        agreement("in-force", given=True),
        agreement("erased", given=True),
        agreement("ends", given=True),
        agreement("new", given=True, after=10),
        agreement("ends", given=False, after=12),
    )
    opened: list[object] = []
    is_given = pruning.opened
    monkeypatch.setattr(pruning, "opened", lambda *asked: opened.append(asked) or is_given(*asked))
    at = LATER + timedelta(days=5)

    assert pruned(world, at) == 0
    assert len(opened) == 3
    world.write(agreement("late", given=False, after=1))  # into the log after that look, of a time before it
    stores = world.stores()
    erase_subject(stores, customer("erased"), erasures=world.place.erasures, now=at)
    stores.close()
    assert pruned(world, at + timedelta(hours=1)) == 2  # the late one, and the one of nobody
    assert len(opened) == 4
    assert pruned(world, at + timedelta(days=9)) == 2  # what ended by now, and what ended it
    assert len(opened) == 6  # the new one, and what ended
    assert world.verify().verdict is Verdict.WHOLE


def test_keys_that_a_restored_copy_brought_back_go_if_no_record_needs_them(world: World) -> None:
    world.write(consent("gone"), consent("stays", after=900))
    stores = world.stores()
    handle = handle_of(customer("gone"), stores.subjects.secret(HANDLE_SECRET))
    key = stores.subjects.find(handle)
    stores.close()
    at = LATER + LIFE + timedelta(days=1)
    pruned(world, at)
    pruned(world, at + SEALS_FOR + timedelta(seconds=1))
    stores = world.stores()
    assert key is not None
    restore_key(world, handle, key)
    stores.close()

    for hours in (3, 6):
        pruned(world, at + timedelta(hours=hours))
    stores = world.stores()
    assert key_of(stores, "gone") is None
    assert key_of(stores, "stays") is not None
    stores.close()


def restore_key(world: World, handle: bytes, key: SubjectKey) -> None:
    """Put a key back, as an older copy of the store does."""
    if world.place.log_file is None:
        with psycopg.connect(world.place.subjects, autocommit=True) as connection:
            connection.execute("INSERT INTO cg_subject (handle, id, key) VALUES (%s, %s, %s)", (handle, *key))
        return
    with sqlite3.connect(world.place.subjects) as connection:
        connection.execute("INSERT INTO subject (handle, id, key) VALUES (?, ?, ?)", (handle, *key))


def test_other_kinds_are_kept_for_good_unless_the_shop_says_how_long(world: World) -> None:
    record = Record(kind="disclosure", subject=customer("1"), time=NOW, facts={})
    world.write(record)
    settings = ProofSettings(keep=(KeptKind(kind="disclosure", days=10), KeptKind(kind="consent", days=0)))

    assert pruned(world, NOW + timedelta(days=36500)) == 0
    assert settings.kept_days == {"agreement": 1096, "mail-list": 1096, "disclosure": 10}
    assert pruned(world, NOW + timedelta(days=11), settings.kept_days) == 1


def test_log_verifies_after_pruning_and_takes_new_records(world: World) -> None:
    old = [consent(f"old-{number}") for number in range(300)]
    new = [consent(f"new-{number}", after=700) for number in range(300)]
    mixed = [one for pair in zip(old, new, strict=True) for one in pair]
    world.write(*mixed)
    stores = world.stores()
    before = make_receipt(stores, old[7].id)
    stores.close()

    assert pruned(world, LATER + LIFE + timedelta(days=1)) == 300
    world.write(consent("later", after=1300))

    report = world.verify()
    assert (report.verdict, report.size, report.rows, report.pruned) == (Verdict.WHOLE, 601, 301, 300)
    stores = world.stores()
    for one in new[::50]:
        text = make_receipt(stores, one.id)
        assert text is not None
        verify_receipt(text)
    assert make_receipt(stores, old[7].id) is None
    assert before is not None
    verify_receipt(before)  # what the visitor has holds on
    stores.close()


def test_a_row_removed_without_the_logs_key_is_missing_all_the_same(world: World) -> None:
    records = [consent(f"c{number}", after=0 if number < 3 else 900) for number in range(6)]
    world.write(*records)
    pruned(world, LATER + LIFE + timedelta(days=1))
    world.edit("DELETE FROM record WHERE number = 4")

    report = world.verify()
    assert [one.what for one in report.faults] == ["row 4 is missing"]
    stores = world.stores()
    forged = stores.log.pruned()[0].replace("\n0-2\n", "\n0-4\n")
    stores.log.remove([], forged)
    stores.close()
    faults = [one.what for one in world.verify().faults]
    assert "row 4 is missing" in faults
    assert any("removed records" in one for one in faults)


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("note", "counts"),
    [
        (f"cookieguard pruned v1\n{NAME}\n2026-11-28T12:00:00.000Z\n1\n", True),
        (f"cookieguard pruned v1\n{NAME}\n2026-12-28T12:00:00.000Z\n1\n", False),
        (f"cookieguard pruned v2\n{NAME}\n2026-11-28T12:00:00.000Z\n1\n", False),
        (f"cookieguard pruned v2\n{NAME}\n2026-11-28T12:00:00.000Z\n1\n3\n{'A' * 43}=\n", False),
    ],
    ids=["of the first days", "of later, without a tree", "of no tree", "of another tree"],
)
def test_a_note_lets_go_of_the_rows_of_the_tree_it_names(world: World, note: str, counts: bool) -> None:
    world.write(*[consent(f"c{number}") for number in range(3)])
    stores = world.stores()
    stores.log.remove([1], signer_of(world.keyring, NAME).sign(note))
    stores.close()

    report = world.verify()
    assert (report.verdict is Verdict.WHOLE) is counts
    assert ("row 1 is missing" in [one.what for one in report.faults]) is not counts


def test_the_key_of_somebody_without_records_goes_an_hour_later(world: World) -> None:
    world.write(consent("gone"), consent("stays"), consent("stays", after=900))
    at = LATER + LIFE + timedelta(days=1)
    assert pruned(world, at) == 2
    stores = world.stores()
    assert key_of(stores, "gone") is not None
    stores.close()

    pruned(world, at + SEALS_FOR + timedelta(seconds=1))
    stores = world.stores()
    assert key_of(stores, "gone") is None
    assert key_of(stores, "stays") is not None
    assert len(read_subject(stores, customer("stays"))) == 1
    stores.close()


def test_person_who_returns_within_the_sealing_hour_keeps_their_key(world: World) -> None:
    world.write(consent("back"))
    at = LATER + LIFE + timedelta(days=1)
    pruned(world, at)
    stores = world.stores()
    handle = handle_of(customer("back"), stores.subjects.secret(HANDLE_SECRET))
    key = stores.subjects.keys_of([handle])[handle]  # a worker that is about to seal with it
    pruned(world, at + SEALS_FOR + timedelta(seconds=1))

    assert stores.subjects.find(handle) == key
    stores.close()


KILLED = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.store.open import Place, open_stores, signer_of
from cookieguard.storage.journal import Journal
from cookieguard.features.records.upkeep import pruning
from cookieguard.keyring import Keyring

log, subjects, journal, keyring, now, step, count = sys.argv[1:]
keys = Keyring.loads(Path(keyring).read_text())
erasures = Erasures(Journal(Path(journal), "", days=30), ())
stores = open_stores(Place(log, subjects, erasures, lambda: keys), make=False)
owner = stores.subjects if step in ("fade", "end_fading") else stores.log
call, left = getattr(type(owner), step), int(count)
def dying(*args, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*args, **options)
setattr(type(owner), step, dying)
pruning.MOST_AT_ONCE = 20
signer = signer_of(keys, "shop.example/_cg/log")
at = datetime.fromisoformat(now)
pruning.prune(stores, {"consent": 1096}, timedelta(days=180), signer, now=at)
"""


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_a_run_that_is_killed_is_done_to_the_end_by_the_next(world: World, tmp_path: Path) -> None:
    kill_a_run(world, tmp_path, "remove", 2)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "count"), [("fade", 0), ("remove", 0), ("remove", 2), ("end_fading", 0)])
def test_wherever_a_run_is_killed_the_next_does_the_rest(
    world: World, tmp_path: Path, step: str, count: int
) -> None:
    kill_a_run(world, tmp_path, step, count)


def kill_a_run(world: World, tmp_path: Path, step: str, count: int) -> None:
    old = [consent(f"old-{number}") for number in range(60)]
    world.write(*old, consent("new", after=900))
    (tmp_path / "keyring").write_text(world.keyring.dumps())
    at = LATER + LIFE + timedelta(days=1)
    if step == "end_fading":
        pruned(world, at - timedelta(hours=2))
    arguments: Sequence[str] = (
        world.place.log,
        world.place.subjects,
        str(world.place.erasures.journal.path.parent),
        str(tmp_path / "keyring"),
        at.isoformat(),
        step,
        str(count),
    )
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, env={**os.environ})
    assert killed.returncode == -signal.SIGKILL
    assert world.verify().verdict is Verdict.WHOLE

    pruned(world, at)
    pruned(world, at + SEALS_FOR + timedelta(seconds=1))
    report = world.verify()
    assert (report.verdict, report.rows, report.pruned) == (Verdict.WHOLE, 1, 60)
    stores = world.stores()
    assert [key_of(stores, f"old-{number}") for number in range(60)] == [None] * 60
    assert not has_overdue(stores, DAYS, LIFE, now=at)
    stores.close()


def test_consents_that_ran_out_on_a_day_are_counted_once_and_not_those_replaced(world: World) -> None:
    replaced = consent("again")
    world.write(
        consent("a"),
        consent("b", "partial"),
        consent("c", "refusal"),
        consent("e", "import"),  # perhaps a refusal, and how long it counts nobody here said
        replaced,
        replace(consent("again", after=100)),
        consent("d", after=1),
    )
    stores = world.stores()
    day = (NOW + LIFE).date()
    counts = [ran_out(stores.log, day + timedelta(days=after), LIFE) for after in (-1, 0, 1)]
    stores.close()

    assert [json.loads(json.dumps(one)) for one in counts] == [{}, {"grant": 1, "partial": 1}, {"grant": 1}]
