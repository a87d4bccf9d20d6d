"""How commands show things: lines and tables for people, JSON for programs, both on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 160  # what is no terminal has no width: a pipe must not get folded lines


def show_json(facts: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(f"{json.dumps(facts, indent=2)}\n")


def show_line(line: str) -> None:
    """Write a line as it is; rich would read brackets in it as markup."""
    sys.stdout.write(f"{line}\n")


def show_answer(facts: Any, *lines: str, as_json: bool) -> None:
    """Write what was found or done: as one JSON document, or as lines."""
    if as_json:
        show_json(facts)
        return
    for line in lines:
        show_line(line)


def printable(text: str) -> str:
    """Return a text that a stranger wrote as one line in which no character moves the cursor or turns the line."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def show_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table with a line of heads; of no rows say that there are none."""
    table = Table(*heads, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if not table.row_count:
        show_line("none")
        return
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)
