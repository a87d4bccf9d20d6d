"""Random pages: no parser finds a live held element in the rewriter's output.

turbohtml reads by today's standard, parse5 still has the "in select" mode; both with scripts and without. What no
reading of the raw page had alive is alive in none afterwards, and what is inserted is always an element. The one
exception: where it is not sure what is text, a comment is closed where that text may end
(html/tokenizer/tree_state.py).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from harness.grammar import Author
from harness.node import MISSING, Parse5, has_node
from harness.oracle import Contacts, Oracle, turbo_elements
from harness.rewriting import ORIGIN, every_byte, rewrite

from cookieguard.html import Rules

MARK = b"<i id=cg-mark></i>"
PAGES_PER_SEED = 500
# `make test` draws 1,000 pages; the slow run as many as COOKIEGUARD_FUZZ_PAGES says.
FEW = range(2)
MANY = int(os.environ.get("COOKIEGUARD_FUZZ_PAGES", "20000")) // PAGES_PER_SEED
SEEDS = [*FEW, *(pytest.param(1000 + seed, marks=pytest.mark.slow) for seed in range(MANY))]

pytestmark = pytest.mark.skipif(not has_node(), reason=MISSING)
NOBODY = Rules(lambda url: None, ORIGIN)  # holds nobody: it changes only what has to be closed
Readings = dict[tuple[str, bool], Contacts]


@pytest.fixture(scope="module")
def oracles() -> Iterator[dict[str, Oracle]]:
    with Parse5() as parse5:
        yield {
            "turbohtml": Oracle(turbo_elements, parse5),
            "parse5": Oracle(lambda page, scripting: parse5.elements(page, scripting=scripting), parse5),
        }


def readings(oracles: dict[str, Oracle], page: bytes) -> Readings:
    text = page.decode("utf-8", "replace")
    return {
        (name, scripting): oracle.contacts(text, scripting=scripting)
        for name, oracle in oracles.items()
        for scripting in (True, False)
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_no_parser_finds_anything_held_alive(oracles: dict[str, Oracle], seed: int) -> None:
    rnd = random.Random(seed)
    author = Author(rnd)
    alive = woken = 0
    for _ in range(PAGES_PER_SEED):
        page = author.page().encode()
        before = readings(oracles, page)
        is_unsure = rewrite(page, rules=NOBODY) != page
        out = rewrite(page, insert=lambda context: MARK)
        known = set().union(*(contacts.alive for contacts in before.values()))

        for reading, contacts in readings(oracles, out).items():
            assert not contacts.held, (reading, page, out)
            assert contacts.alive <= known or is_unsure, (reading, page, out)
            woken += len(contacts.alive - known)
            assert contacts.marks == out.count(MARK) or contacts.hides_marks, (reading, page, out)
        alive += sum(len(contacts.held) for contacts in before.values())
        for cuts in (sorted(rnd.sample(range(len(page)), min(len(page), 3))), every_byte(page)):
            assert rewrite(page, cuts, insert=lambda context: MARK) == out, (page, cuts)

    assert alive > 2 * PAGES_PER_SEED  # the control: unguarded, these pages do contact others
    assert woken < alive / 200


SHEET = '{}a{b:url("//ads.example/t")}'
FOUND = [
    f"<noscript><select><style></noscript>{SHEET}",
    f"<noscript><select><style></noscript>{SHEET}</style>",
    f"<select><noscript><style></noscript>{SHEET}</style></select>",
    "<use href='//\"ads.example'>",
]


@pytest.mark.parametrize("page", FOUND)
def test_what_the_fuzz_once_found_stays_held(oracles: dict[str, Oracle], page: str) -> None:
    out = rewrite(page.encode())

    assert any(contacts.held for contacts in readings(oracles, page.encode()).values())
    assert not any(contacts.held for contacts in readings(oracles, out).values())
    for cut in range(len(page)):
        assert rewrite(page.encode(), [cut]) == out


VECTORS = [
    '<img src="//ads.example/a">',
    "<img srcset='/own 1x, //ads.example/a 2x'>",
    '<link rel="x preconnect" href=//ads.example>',
    "<svg><image xlink:href=//ads.example/a></svg>",
    "<p style='background:url(&#34;//ads.example/a&#34;)'>",
    "<style>@import'//ads.example/a'</style>",
    '<meta http-equiv=REFRESH content="0; url=//ads.example/a">',
    '<iframe srcdoc="<img src=&quot;//ads.example/a&quot;>"></iframe>',
    '<iframe src="data:text/html,<img src=https://ads.example/a>"></iframe>',
    "<base href=//ads.example/x/><img src=a>",
    "<template><img src=//ads.example/a></template>",
    "<div><template shadowrootmode=open><img src=//ads.example/a></template></div>",
    "<a ping='/own //ads.example/a'>",
]


@pytest.mark.parametrize("page", VECTORS)
@pytest.mark.parametrize("scripting", [True, False])
def test_the_oracles_see_what_is_alive(oracles: dict[str, Oracle], page: str, scripting: bool) -> None:
    for oracle in oracles.values():
        assert len(oracle.contacts(page, scripting=scripting).held) == 1
        assert not oracle.contacts(f"<!-- {page} -->", scripting=scripting).held
        inside = oracle.contacts(f"<noscript>{page}</noscript>", scripting=scripting).held
        assert len(inside) == (0 if scripting else 1)


def test_the_parsers_differ_where_the_standard_changed(oracles: dict[str, Oracle]) -> None:
    page = "<select><img src=//ads.example/a></select>"

    seen = {name: len(oracle.contacts(page, scripting=True).held) for name, oracle in oracles.items()}

    assert seen == {"turbohtml": 1, "parse5": 0}
