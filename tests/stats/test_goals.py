"""Allowed names of goals, and how other names are reported."""

from __future__ import annotations

import pytest

from cookieguard.stats.goals import MAX_NAME, MOST_NAMES, Goals, fault_of
from cookieguard.stats.hits import OTHER


@pytest.mark.parametrize(
    "name",
    [
        "order placed",
        "newsletter: signed up",
        "Bestellung über 100 €uro".replace("€", ""),
        "A/B (2026)",
        "طلب",
    ],
)
def test_names_written_in_code_are_allowed_goals(name: str) -> None:
    assert fault_of(name) == ""


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (None, "is a NoneType"),
        (["order"], "is a list"),
        (b"order", "is a bytes"),
        ("", "is empty"),
        (" \t", "is empty"),
        ("x" * (MAX_NAME + 1), "has 61 characters"),
        ("order 1004217", "contains a long number"),
        ("order ada@shop.example", "contains a mail address"),
        ("from 198.51.100.7", "contains an IP address"),
        ("from 2001:db8::7", "contains an IP address"),
        ("cart 5f0c2a9be1d4", "contains a word that looks like a token"),
        ("order\nplaced", "contains other characters"),
        ("order <b>", "contains other characters"),
        ("order \ud800", "contains other characters"),
    ],
)
def test_other_names_are_refused_and_shown_nowhere(name: object, fault: str) -> None:
    assert fault_of(name) == fault

    told: list[str] = []
    goals = Goals(raises=False)
    assert [goals.named(name, told.append) for _ in range(2)] == ["", ""]
    (line,) = told
    assert line.startswith(f"the name of a goal {fault}; allowed: 1 to 60 letters")
    with pytest.raises(ValueError, match=f"the name of a goal {fault}"):
        Goals(raises=True).named(name, told.append)


def test_names_of_goals_beyond_the_limit_count_together() -> None:
    told: list[str] = []
    goals = Goals(raises=False)

    found = [goals.named(f"glaze {number}", told.append) for number in range(MOST_NAMES + 3)]

    assert found == [f"glaze {number}" for number in range(MOST_NAMES)] + [OTHER] * 3
    assert goals.named("glaze 0", told.append) == "glaze 0"
    assert told == ["more than 100 names of goals were used; further goals count as (other)"]
