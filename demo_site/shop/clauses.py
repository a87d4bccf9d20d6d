"""The promises of the shop's policy, each with the page that shows it, read from the table in the manual."""

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
    """Return the promises; none if the demo came without the manual."""
    if not TABLE.is_file():
        return ()
    found = map(ROW.fullmatch, TABLE.read_text("utf-8").splitlines())
    return tuple(Clause(int(row[1]), row[2], _page(row[3])) for row in found if row)


def _page(page: str) -> str:
    """Return the page to link: the privacy page in place of one that opens only by a link in a mail."""
    return PRIVACY if page.startswith(MAIL) else page
