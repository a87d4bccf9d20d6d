"""What the shop promises, clause by clause, with the page on which each shows; read from the manual's table."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).parents[2] / "docs" / "policy-clauses.md"
PRIVACY, MAIL = "/_cg/privacy", "/_cg/mail/"
ROW = re.compile(r"\| (\d+) \| ([^|]+) \| [^|]+ \| `([^`]+)` \|.*")


class Clause(NamedTuple):
    """Hold one promise: its number, its words, and the page that shows it."""

    number: int
    promise: str
    page: str


@cache
def clauses() -> tuple[Clause, ...]:
    """Return the promises; none where the demo came without the manual."""
    if not TABLE.is_file():
        return ()
    found = map(ROW.fullmatch, TABLE.read_text("utf-8").splitlines())
    return tuple(Clause(int(one[1]), one[2], _page(one[3])) for one in found if one)


def _page(page: str) -> str:
    """Return where a reader sees it: a page behind a link in a mail answers to that link alone, and none is mailed."""
    return PRIVACY if page.startswith(MAIL) else page
