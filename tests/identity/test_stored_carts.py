"""Carts in the store: merging, minimum versions and places, as pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cookieguard.identity.carts.cart_versions import NO_LOWEST, LowestVersion
from cookieguard.identity.carts.stored_carts import Order, joined, merge_carts, read_orders
from cookieguard.identity.oversized import Place, pack, resolve
from cookieguard.identity.revocations import Revocations, outdated_carts
from cookieguard.identity.tokens import to_milliseconds

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

MERGES: list[tuple[Any, Any, Any]] = [
    ({}, {}, {}),
    ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    ({"a": 1}, {"a": 3}, {"a": 3}),
    ({"a": 1.5}, {"a": 1}, {"a": 1.5}),
    ({"a": True}, {"a": 3}, {"a": True}),
    ({"a": "x"}, {"a": "y"}, {"a": "x"}),
    ({"a": [1, 2]}, {"a": [2, 3]}, {"a": [1, 2, 3]}),
    ({"a": [{"n": 1, "m": 2}]}, {"a": [{"m": 2, "n": 1}, {"n": 1}]}, {"a": [{"n": 1, "m": 2}, {"n": 1}]}),
    ({"a": list(range(20_000))}, {"a": list(range(20_000, 40_000))}, {"a": list(range(40_000))}),
    ({"a": {"n": 1, "m": 2}}, {"a": {"n": 2, "k": 1}}, {"a": {"n": 2, "m": 2, "k": 1}}),
    ({"a": [1]}, {"a": {"n": 2}}, {"a": [1]}),
    ({"a": None}, {"a": 2}, {"a": None}),
]


@pytest.mark.parametrize(("here", "elsewhere", "merged"), MERGES)
def test_two_carts_become_one(here: Any, elsewhere: Any, merged: Any) -> None:
    assert merge_carts(here, elsewhere) == merged
    assert merge_carts(merged, elsewhere) == merged


def test_a_floor_keeps_version_and_time_and_the_later_of_two_is_the_larger_number() -> None:
    lowest_version = LowestVersion.at(7, NOW)

    assert LowestVersion.read(lowest_version.packed) == lowest_version
    assert LowestVersion.at(7, NOW).packed < LowestVersion.at(7, NOW + timedelta(seconds=1)).packed
    assert LowestVersion.at(7, NOW + timedelta(days=9_000)).packed < LowestVersion.at(8, NOW).packed
    assert LowestVersion.at(2**29, NOW).packed < 2**63


@pytest.mark.parametrize(("version", "seconds", "refused"), [(6, 59, False), (6, 60, True), (7, 999, False)])
def test_a_version_below_the_floor_counts_in_flight_only(version: int, seconds: int, refused: bool) -> None:
    assert LowestVersion.at(7, NOW).refuses(version, NOW + timedelta(seconds=seconds)) is refused


def test_too_many_carts_forget_the_oldest_and_refuse_no_session() -> None:
    revocations = Revocations(lambda: True, limit=2)
    until = NOW + timedelta(days=90)
    for number in range(4):
        lowest_version = LowestVersion.at(9 - number, NOW + timedelta(seconds=number))
        revocations.add([outdated_carts(f"s{number}", lowest_version, until=until)])
    assert revocations.is_crowded
    revocations.prune(NOW)

    assert [revocations.lowest_version(f"s{number}").version for number in range(4)] == [0, 0, 7, 6]
    assert revocations.cutoff == 0
    revocations.prune(until + timedelta(days=1))
    assert revocations.lowest_version("s3") == NO_LOWEST


def test_stored_cart_uses_the_newest_content_of_a_place_and_waits_for_a_pending_one() -> None:
    first = pack(b"{}", {"a": 1}, None, now=NOW)
    second = pack(b"{}", {"a": 2}, first.place, now=NOW - timedelta(seconds=50))
    key, number = second.place

    assert number == first.place.number + 1
    assert resolve([first.place], {key: second.value}, now=NOW).entries == {key: {"a": 2}}
    newer = Place(key, number + 1)
    assert resolve([newer], {key: second.value}, now=NOW).is_incomplete
    assert resolve([newer], {key: second.value}, now=NOW + timedelta(hours=2)).gone == {key}
    assert resolve([newer], None, now=NOW + timedelta(hours=2)).is_incomplete


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e308", "NaN"])
def test_stored_cart_with_an_infinite_number_counts_as_missing(number: str) -> None:
    value = f'{{"t":{number},"d":{{"a":1}},"o":[["o1",{number}]]}}'.encode()
    later = NOW + timedelta(hours=2)

    oversized = resolve([Place("k", to_milliseconds(NOW))], {"k": value}, now=later)

    assert (oversized.entries == {"k": {"a": 1}}) == (number == "1e308")
    assert (read_orders(value) != ()) == (number == "1e308")


def test_orders_are_joined_newest_first_and_each_once() -> None:
    one, two, again = Order("1", 5), Order("2", 7), Order("1", 9)

    assert joined([one], [two, again]) == (two, one)
