"""Two workers that use one series at the same moment: the store lets one continue, and the other retries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from harness.stores import SqliteStore

from cookieguard.identity.remember_me import Outcome, Series, use
from cookieguard.identity.revocations import ended_series
from cookieguard.storage.store.protocol import StoreDown
from cookieguard.storage.store.remember_me import (
    MOST_BROWSERS,
    SERIES_NAMESPACE,
    TRIES,
    StoreUpdate,
    run,
    turn,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MOMENT = round(NOW.timestamp() * 1000)
ENDING = ended_series("s", now=NOW, longest=timedelta(days=90))
FIRST = Series(customer="17", authenticated=MOMENT, ends=MOMENT + 10**9, rotated=MOMENT)
take = partial(turn, key="s", revocation=ENDING)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[SqliteStore]]:
    """Open the store twice, with one series in it."""
    opened = [SqliteStore(tmp_path / "store.db") for _ in range(2)]
    run(opened[0], StoreUpdate({}, ("s", FIRST), None, None))
    yield opened
    for store in opened:
        store.close()


def test_two_workers_that_read_the_same_number_rotate_once_and_agree(
    stores: list[SqliteStore],
) -> None:
    others: list[Series | None] = []

    def step(series: Series) -> tuple[Outcome, Series]:
        if not others:  # between reading and writing here, the other worker does both
            others.append(take(stores[1], step=partial(use, number=1, now=NOW)).series)
        return use(series, 1, now=NOW)

    mine = take(stores[0], step=step)

    assert mine.outcome is Outcome.GOOD
    assert [mine.series] == others
    assert mine.series is not None
    assert mine.series.current == 2


def test_worker_that_loses_every_race_for_a_series_gives_up_and_the_series_stays_intact(
    stores: list[SqliteStore],
) -> None:
    numbers = iter(range(1, TRIES + 1))

    def step(series: Series) -> tuple[Outcome, Series]:
        take(stores[1], step=partial(use, number=next(numbers), now=NOW))
        return use(series, series.current, now=NOW)

    with pytest.raises(StoreDown):
        take(stores[0], step=step)
    assert take(stores[0], step=partial(use, number=TRIES + 1, now=NOW)).outcome is Outcome.GOOD


def test_a_copy_ends_before_its_series_goes_and_leaves_a_warning_until_it_was_shown(
    stores: list[SqliteStore],
) -> None:
    for number in (1, 2):
        take(stores[0], step=partial(use, number=number, now=NOW))

    assert take(stores[1], step=partial(use, number=1, now=NOW)).outcome is Outcome.COPY

    assert list(stores[0].changes(0)) == [ENDING._replace(owner="17")]
    assert take(stores[0], step=partial(use, number=3, now=NOW)).outcome is Outcome.OVER
    look = StoreUpdate({}, None, "17", None)
    assert run(stores[0], look).warned == ENDING.at
    assert run(stores[0], look._replace(shown=ENDING.at - 1)).warned == ENDING.at
    assert run(stores[0], look._replace(shown=ENDING.at)).warned is None
    assert run(stores[1], look).warned is None


def test_rows_of_repeated_logins_are_bounded_and_the_one_in_use_stays(
    stores: list[SqliteStore],
) -> None:
    keys = [f"s{number}" for number in range(10 * MOST_BROWSERS)]
    for number, key in enumerate(keys):
        run(stores[number % 2], StoreUpdate({}, (key, replace(FIRST, rotated=MOMENT + number)), None, None))
        used = take(stores[0], step=partial(use, number=number + 1, now=NOW + timedelta(days=1)))
        assert used.outcome is Outcome.GOOD

    left = [key for key in keys if stores[0].read(SERIES_NAMESPACE, key)]
    assert left == keys[1 - MOST_BROWSERS :]


def test_browsers_that_said_goodbye_take_no_room_of_those_that_did_not(stores: list[SqliteStore]) -> None:
    for number in range(10 * MOST_BROWSERS):
        key = f"s{number}"
        run(stores[0], StoreUpdate({}, (key, replace(FIRST, rotated=MOMENT + 1 + number)), None, None))
        run(stores[1], StoreUpdate({key: "17"}, None, None, None))

    assert take(stores[0], step=partial(use, number=1, now=NOW)).outcome is Outcome.GOOD


def test_one_customer_takes_no_room_of_another(stores: list[SqliteStore]) -> None:
    other = replace(FIRST, customer="18", rotated=MOMENT + 1)
    for number in range(2 * MOST_BROWSERS):
        run(stores[0], StoreUpdate({}, (f"s{number}", other), None, None))

    assert take(stores[0], step=partial(use, number=1, now=NOW)).outcome is Outcome.GOOD
