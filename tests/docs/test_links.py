"""Every link and picture of the docs leads to an existing file and heading."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
LINK = re.compile(r"\]\(([^()\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
HEADING = re.compile(r"^#+ (.*)$", re.M)
MOST_BYTES = 150_000  # of a picture, as scripts/pictures.py holds
ELSEWHERE = ("http:", "https:", "mailto:")


def links(page: Path) -> list[str]:
    """Return where the page leads within the repository."""
    found = (one[1] or one[2] for one in LINK.finditer(CODE.sub("", page.read_text("utf-8"))))
    return [link for link in found if not link.startswith(ELSEWHERE)]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the names that a page's headings have where Markdown is shown."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return frozenset(re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page

        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_pictures_are_small_and_come_in_both_schemes() -> None:
    pictures = sorted((ROOT / "docs" / "_static" / "pictures").glob("*.png"))

    assert [path.name for path in pictures if path.stat().st_size > MOST_BYTES] == []
    assert {path.stem.rpartition("-")[0] for path in pictures} == {"banner", "dashboard", "officer"}
    assert len([path for path in pictures if path.stem.endswith(("-light", "-dark"))]) == 6


def test_pages_have_links() -> None:
    assert sum(len(links(page)) for page in PAGES) > 200
