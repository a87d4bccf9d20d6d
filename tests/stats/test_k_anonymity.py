"""Figures shown to analysts reveal no hidden one, tested against every input that could have led to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.stats.hits import OTHER
from cookieguard.stats.k_anonymity import (
    Cell,
    K,
    Shown,
    at_least,
    column,
    leaves_few,
    people_of,
    rounded,
    suppress,
)

NAMES = "abcde"


def cells(people: Iterable[int]) -> list[Cell]:
    return [Cell(name, count, (count,)) for name, count in zip(NAMES, people, strict=False)]


def test_days_that_are_alike_are_not_all_hidden_for_a_small_one() -> None:
    steady = cells((60, 61, 62, 63, 4))

    assert suppress(steady).rows == ()  # who had the exact sum of 4 and 60 beside a shown 61 would know both
    assert [one.value for one in suppress(steady, is_exact=False).rows] == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("people", "shown", "other"),
    [
        ((9, 8, 7), "abc", None),
        ((99, 8, 4), "a", 12),  # one hidden cell alone would be the total less the others
        ((99, 4, 3), "a", 7),
        ((99, 8, 1, 1), "a", 10),  # a fold of two people is too small itself
        ((99, 6, 6, 4), "a", 16),  # beside a shown 6 the fold of 4 and 6 has no other explanation
        ((4, 0, 9), "", 13),
        ((2, 2), "", None),  # fewer than five in all: nothing at all
        ((), "", None),
    ],
)
def test_small_cells_are_folded(people: Sequence[int], shown: str, other: int | None) -> None:
    found = suppress(cells(people))

    assert "".join(row.value for row in found.rows) == shown
    assert (found.other.people if found.other else None) == other


def test_figures_that_arrive_folded_stay_folded() -> None:
    found = suppress([Cell("a", 20, (20,)), Cell(OTHER, 9, (9,)), Cell("b", 7, (7,))])

    assert found == Shown((Cell("a", 20, (20,)),), Cell(OTHER, 16, (16,)))
    assert suppress([Cell("a", 20, (20,)), Cell(OTHER, 900, (900,)), Cell("b", 2, (2,))]).values == {"a"}


def tables(total: int, size: int) -> Iterator[tuple[int, ...]]:
    """Give every way to part a total among so many values; a value may have nothing."""
    if size == 1:
        yield (total,)
        return
    for first in range(total + 1):
        yield from ((first, *rest) for rest in tables(total - first, size - 1))


def derivable(found: Iterable[tuple[object, Sequence[Cell]]], k: int) -> list[tuple[int, ...]]:
    """Return tables of which a small cell follows for certain from all that can be seen of them.

    Whoever looks knows the rules and the total, and can try every table as these tests do.
    """
    seen: dict[object, list[Sequence[Cell]]] = defaultdict(list)
    for shown, table in found:
        seen[shown].append(table)
    return [
        tuple(cell.people for cell in like[0])
        for like in seen.values()
        if any(0 < cell.people < k and len({t[at] for t in like}) == 1 for at, cell in enumerate(like[0]))
    ]


@pytest.mark.parametrize(("k", "size", "most"), [(5, 3, 30), (5, 4, 22), (3, 3, 22), (3, 5, 14), (2, 5, 10)])
def test_no_hidden_count_follows_from_rows_and_total(k: int, size: int, most: int) -> None:
    for total in range(k, most):
        possible = [cells(people) for people in tables(total, size)]

        assert derivable(((suppress(table, k=k), table) for table in possible), k) == []


@pytest.mark.parametrize(("k", "size", "most"), [(5, 3, 30), (3, 5, 14)])
def test_none_follows_where_every_name_is_known_but_from_the_total_itself(
    k: int, size: int, most: int
) -> None:
    for total in range(k, most):
        possible = [cells(people) for people in tables(total, size) if all(people)]

        found = derivable(((suppress(table, k=k), table) for table in possible), k)

        assert found == ([(1,) * size] if total == size else [])


def test_no_hidden_pair_of_people_and_views_follows_from_rows_and_totals() -> None:
    for total, views in product(range(3, 9), range(3, 12)):
        possible = [
            [
                Cell(name, *pair)
                for name, pair in zip(NAMES, zip(people, ((v,) for v in seen), strict=True), strict=False)
            ]
            for people in tables(total, 3)
            for seen in tables(views, 3)
            if all(bool(one) == bool(other) and one <= other for one, other in zip(people, seen, strict=True))
        ]

        assert derivable(((suppress(table, k=3), table) for table in possible), 3) == []


def test_hiding_small_cells_and_one_more_would_be_found_out() -> None:
    """The control: what the tests above look for is there under the rule that is usual."""

    def usual(table: Sequence[Cell]) -> object:
        ascending = sorted(table, key=lambda cell: (cell.people, cell.value))
        small = sum(cell.people < 5 for cell in table)
        gone = {cell.value for cell in ascending[: max(2, small) if small else 0]}
        return tuple(None if cell.value in gone else cell for cell in table)

    possible = [cells(people) for people in tables(14, 3) if all(people)]

    assert (5, 5, 4) in derivable(((usual(table), table) for table in possible), 5)


@given(st.lists(st.integers(0, 30), max_size=20))
def test_suppression_keeps_totals_and_shows_no_small_figure(people: list[int]) -> None:
    table = [Cell(str(at), count, (3 * count,)) for at, count in enumerate(people)]

    found = suppress(table)

    every = [*found.rows, *([found.other] if found.other else [])]
    assert all(cell.people >= 5 for cell in every)
    if every:
        assert len(people) - people.count(0) - len(found.rows) != 1
        assert sum(cell.counts[0] for cell in every) == 3 * sum(people)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5))
def test_column_in_another_order_hides_the_same(pairs: list[tuple[int, int]]) -> None:
    """The page has sources by visits, an export by views: of equal numbers both must hide the same one."""
    orders = [sorted(zip(NAMES, pairs, strict=False), key=lambda one: one[1][by]) for by in (0, 1)]
    first, second = (
        dict(zip(dict(order), column({name: pair[0] for name, pair in order}), strict=True))
        for order in orders
    )

    assert first == second


def test_column_hides_a_second_figure_beside_a_small_one() -> None:
    assert column({"a": 0, "b": 7, "c": 3, "d": 9}) == [0, None, None, 9]
    assert column({"a": 1, "b": 2}) == [None, None]
    assert [at_least(count) for count in (0, 4, 5)] == [0, None, 5]


def test_people_without_a_key_are_counted_carefully() -> None:
    assert people_of(visitors=6, visits=2, views=6) == 6
    assert people_of(visitors=0, visits=10, views=12) == 5
    assert people_of(visitors=0, visits=0, views=49) == 4
    assert people_of(visitors=1, visits=1, views=520) == 1  # one who agreed and reads on
    assert people_of(visitors=0, visits=1, views=520, by_views=False) == 0


@given(st.integers(0, 10_000))
def test_each_rounded_count_leaves_ten_possible(count: int) -> None:
    """Next to each other, so what is possible does not fit between one and four."""
    possible = [one for one in range(max(0, count - 30), count + 30) if rounded(one) == rounded(count)]

    assert possible == list(range(max(0, rounded(count) - 5), rounded(count) + 5))
    assert rounded(count) >= 10 or count < K


def test_value_that_would_give_others_away_is_folded_and_never_alone() -> None:
    disclosure = [Cell("DE", 18, (36, 18, 18)), Cell("FR", 9, (18, 9, 9)), Cell("AT", 7, (14, 7, 7))]

    found = suppress(disclosure, tied={"DE"})

    assert found.values == {"FR"}
    assert found.other == Cell("(other)", 25, (50, 25, 25))


@pytest.mark.parametrize(
    ("part", "is_few"),
    [
        ((20, 10, 10), False),
        ((18, 9, 9), True),
        ((17, 10, 10), True),
        ((12, 6, 6), True),
        ((10, 5, 5), False),
    ],
)
def test_few_are_left_unless_it_is_nobody_or_five(part: tuple[int, ...], is_few: bool) -> None:
    assert leaves_few(Cell("", 0, part), Cell("", 10, (20, 10, 10))) is is_few


def test_visitors_of_a_part_whose_keys_are_gone_do_not_count_as_left() -> None:
    whole = Cell("", 20, (100, 50, 20))

    assert leaves_few(Cell("", 9, (97, 48, 0)), whole)
    assert leaves_few(Cell("", 0, (200, 20, 0)), Cell("", 0, (206, 21, 21)))  # six views of one person
    assert not leaves_few(Cell("", 9, (90, 40, 0)), whole)
    assert not leaves_few(Cell("", 10, (100, 50, 0)), whole)  # nobody is left
