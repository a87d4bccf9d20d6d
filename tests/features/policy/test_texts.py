"""A policy's Markdown as HTML, the differences between two versions, and which changes ask visitors again."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import html5lib
import pytest
from harness.policies import NEW, OLD

from cookieguard import Config, Vendor
from cookieguard.config import StatsSettings
from cookieguard.features.policy.values.difference import Way, differences
from cookieguard.features.policy.values.markdown import render
from cookieguard.features.policy.values.matters import matters_of

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- x --><iframe src=//evil.example></iframe>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "[x](data:text/html,<script>)",
    "![x](https://tracker.example/p.gif)",
    '[x](/a "\\" onmouseover=alert(1)")',
    '<https://ok.example/"onclick=alert(1)>',
    "</main><base href=//evil.example>",
)

PLAIN = {"html", "head", "body", "p", "a"}


@pytest.mark.parametrize("markdown", HOSTILE)
def test_no_markup_of_a_text_reaches_the_page(markdown: str) -> None:
    page = html5lib.parse(render(markdown), namespaceHTMLElements=False)

    assert {one.tag for one in page.iter() if isinstance(one.tag, str)} <= PLAIN
    for one in page.iter("a"):
        assert set(one.attrib) <= {"href", "title", "rel"}
        assert one.attrib["href"].startswith(("/", "https://"))


def test_headings_lists_tables_and_links_are_rendered() -> None:
    html = render("# One\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n[us](/contact) & **you**")

    for needle in (
        "<h2>One</h2>",
        "<li>a</li>",
        "<td>1</td>",
        '<a href="/contact" rel="noreferrer">us</a>',
        "&amp;",
    ):
        assert needle in html


def test_changed_paragraph_is_told_word_by_word() -> None:
    changed, added = differences(OLD, NEW)

    assert changed.way is Way.CHANGED
    assert [(one.way, one.text) for one in changed.pieces if one.way is not Way.SAME] == [
        (Way.REMOVED, "ten"),
        (Way.ADDED, "six"),
    ]
    assert (added.way, added.pieces[0].text, added.heading) == (
        Way.ADDED,
        "Post tells nobody else.",
        "Who gets what",
    )


def test_changed_row_of_a_table_is_told_alone_and_without_its_bars() -> None:
    table = "| What | How long |\n|:--|---|\n| orders | ten years |\n| cart | 90 days |\n"

    (changed,) = differences(table, table.replace("ten", "six"))

    assert (
        "".join(piece.text for piece in changed.pieces if piece.way is not Way.REMOVED)
        == "orders · six years"
    )
    assert differences("a | b\n--|--\n1 | 2", "| a | b |\n|--|--|\n| 1 | 2 |") == []
    assert [one.pieces[0].text for one in differences("", "no table\n---- | here")] == [
        "no table ---- | here"
    ]


def test_difference_of_a_text_with_itself_is_none_and_of_two_others_is_both() -> None:
    assert differences(OLD, OLD) == []
    assert {one.way for one in differences("All old words here.", "Nothing like it came.")} == {
        Way.REMOVED,
        Way.ADDED,
    }


def test_difference_of_long_texts_takes_no_square_of_them() -> None:
    before = "\n\n".join(f"Paragraph {n} says this and that of {n * 7}." for n in range(2_000))
    after = before.replace("this", "something").replace("Paragraph 7 ", "Seven ")
    began = time.process_time()

    found = differences(before, after)

    assert len(found) == 2_000
    assert time.process_time() - began < 10


@pytest.mark.parametrize("gap", [" ", "\n\n"], ids=["words", "paragraphs"])
def test_each_doubling_of_a_text_that_repeats_itself_at_most_triples_the_cpu_time(gap: str) -> None:
    def took(count: int) -> float:
        began = time.process_time()
        differences(f"a{gap}" * count, f"b{gap}a{gap}" * (count // 2))
        return time.process_time() - began

    times = [min(took(count) for _ in range(3)) for count in (200, 400, 800)]

    assert all(after <= 3 * before + 0.05 for before, after in pairwise(times)), times


def test_each_doubling_of_a_text_of_cyclic_paragraphs_at_most_triples_the_cpu_time() -> None:
    def took(count: int) -> float:
        before, after = ("\n\n".join(f"p{at * step % 101}" for at in range(count)) for step in (1, 7))
        began = time.process_time()
        differences(before, after)
        return time.process_time() - began

    times = [min(took(count) for _ in range(2)) for count in (2_000, 4_000, 8_000)]

    assert all(after <= 3 * before + 0.05 for before, after in pairwise(times)), times


def test_texts_that_are_too_long_to_compare_are_shown_in_full() -> None:
    before = "# Same.\n\n" * 2_001
    after = f"{before}New."

    found = differences(before, after)

    assert [(one.way, one.pieces[0].text) for one in found] == [(Way.REMOVED, before), (Way.ADDED, after)]
    assert differences(before, before) == []


def test_link_that_leads_elsewhere_is_a_difference() -> None:
    before = "Read [the rules](/rules) *to*day, or <https://ok.example>."

    (change,) = differences(before, before.replace("/rules", "/terms"))

    assert "".join(one.text for one in change.pieces if one.way is not Way.REMOVED) == (
        "Read the rules (/terms) today, or https://ok.example."
    )


def test_one_word_of_a_long_paragraph_is_told_alone() -> None:
    text = " ".join(f"the word {n} of the text" for n in range(80))

    (changed,) = differences(text, text.replace("word 40 ", "name 40 "))

    assert [one.text for one in changed.pieces if one.way is not Way.SAME] == ["word", "name"]


ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
COUNT = Vendor(name="Count", purpose="statistics", hosts=("count.example",))


@pytest.mark.parametrize(
    ("changed", "purposes"),
    [
        ({"vendors": (replace(ADS, privacy_url="https://ads.example/p"), COUNT)}, set()),
        ({"vendors": (COUNT, ADS)}, set()),
        ({"vendors": (replace(ADS, name="Other Ads"), COUNT)}, {"marketing"}),
        ({"vendors": (replace(ADS, hosts=("ads.example", "more.example")), COUNT)}, {"marketing"}),
        ({"vendors": (ADS,)}, {"statistics"}),
        ({"vendors": (ADS, replace(COUNT, purpose="marketing"))}, {"marketing", "statistics"}),
        ({"undeclared": "block"}, {"marketing"}),
        ({"stats": StatsSettings(hit_days=60)}, {"statistics"}),
        ({"prefix": "/_x/"}, set()),
    ],
)
def test_only_what_matters_changes_a_digest(changed: dict[str, object], purposes: set[str]) -> None:
    before = matters_of(Config(vendors=(ADS, COUNT)))
    after = matters_of(Config(**({"vendors": (ADS, COUNT)} | changed)))  # type: ignore[arg-type]

    assert {one for one in before if before[one] != after[one]} == purposes
    assert "necessary" not in before


def test_underscores_that_are_no_marks_stay_in_a_difference() -> None:
    before = "Write to data_protection@shop.example about `_ga` and __utma."
    after = "Write to dataprotection@shop.example about `_gid` and __utma."
    (change,) = differences(before, after)
    old = "".join(one.text for one in change.pieces if one.way is not Way.ADDED)
    new = "".join(one.text for one in change.pieces if one.way is not Way.REMOVED)
    assert old == "Write to data_protection@shop.example about _ga and __utma."
    assert new == "Write to dataprotection@shop.example about _gid and __utma."
