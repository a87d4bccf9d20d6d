"""Bounded figures: nobody adds more to a table than its sensitivity says, whatever they do all day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stats.traffic import MIDNIGHT, PLAIN, draw_hits, people, recount, with_entries

from cookieguard.stats.contribution_bounds import BOUNDABLE, FIGURES, TOTAL, bounded, sensitivity
from cookieguard.stats.hits import Dimension, Hit
from cookieguard.stats.k_anonymity import Cell

Drawn = st.builds(
    lambda second, key, page, source, entry, language: PLAIN._replace(
        time=MIDNIGHT + second,
        key=key,
        page=page,
        source=source,
        entry=entry,
        language=language,
        medium=source,
    ),
    st.integers(0, 86_399),
    st.integers(0, 3),
    st.sampled_from([f"/{number}" for number in range(15)]),
    st.sampled_from(["", "a.example", "b.example", "c.example"]),
    st.integers(0, 1),
    st.sampled_from(["en", "de"]),
)


def change(before: Sequence[Cell], after: Sequence[Cell]) -> dict[str, int]:
    """Return by how much the numbers of a table differ, all together."""
    pairs: Mapping[str, tuple[int, ...]] = {cell.value: cell.counts for cell in after}
    nothing = (0,) * len(FIGURES)
    return {
        figure: sum(abs(cell.counts[at] - pairs.get(cell.value, nothing)[at]) for cell in before)
        for at, figure in enumerate(FIGURES)
    }


@given(st.lists(Drawn, max_size=120).map(sorted), st.integers(1, 3))
def test_taking_one_visitor_out_changes_no_table_by_more_than_its_sensitivity(
    hits: list[Hit], key: int
) -> None:
    whole = bounded(hits, BOUNDABLE)

    without = bounded([hit for hit in hits if hit.key != key], BOUNDABLE)

    for table, cells in whole.items():
        for figure, size in change(cells, without[table]).items():
            assert size <= sensitivity(table, figure), (table, figure)


@pytest.mark.parametrize(
    ("table", "figure", "most"),
    [
        (TOTAL, "views", 10),
        (TOTAL, "visits", 2),
        (TOTAL, "visitors", 1),
        (Dimension.PAGE, "views", 10),
        (Dimension.PAGE, "visitors", 10),
        (Dimension.SOURCE, "views", 2),
        (Dimension.SOURCE, "visitors", 2),
        (Dimension.COUNTRY, "visitors", 1),
    ],
)
def test_somebody_who_does_everything_reaches_the_sensitivity(table: str, figure: str, most: int) -> None:
    hits = [
        PLAIN._replace(time=MIDNIGHT + number, key=7, page=f"/{number}", source=f"s{number}", entry=1)
        for number in range(50)
    ]

    cells = bounded(hits, BOUNDABLE)[table]

    assert change(cells, [])[figure] == most == sensitivity(table, figure)


def test_who_stays_below_the_bound_is_counted_as_always() -> None:
    drawn = [hit for hit in with_entries(draw_hits(150, seed=3, days=1)) if hit.kind == "view"]
    visits = Counter(hit.key for hit in drawn if hit.entry)
    hits = [hit for hit in drawn if not hit.key or visits[hit.key] <= 2]

    pages = bounded(hits, [Dimension.PAGE])[Dimension.PAGE]

    expected = recount(people(hits), "page")
    assert sorted(pages, key=lambda cell: (-cell.counts[0], cell.value)) == [
        Cell(value, max(visitors, visits // 2, views // 10), (views, visits, visitors))
        for value, views, visits, visitors in expected
    ]
    assert sum(cell.counts[2] for cell in pages) > 10


def test_hits_without_a_key_are_not_taken_for_one_person() -> None:
    hits = [PLAIN._replace(time=MIDNIGHT + number) for number in range(40)]

    (total,) = bounded(hits, [])[TOTAL]

    assert total.counts == (40, 0, 0)
