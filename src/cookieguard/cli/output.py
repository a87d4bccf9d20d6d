"""How commands show things: lines and tables for people, JSON for programs, both on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cookieguard.engines.doctor_settings import Finding

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


def show_rows(facts: Any, heads: Sequence[str], rows: Iterable[Sequence[str]], *, as_json: bool) -> None:
    """Write what was found: as one JSON document, or as a table."""
    if as_json:
        show_json(facts)
    else:
        show_table(heads, rows)


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


WRONG = 1


def show_findings(findings: Sequence[Finding], *, as_json: bool, strict: bool = False) -> None:
    """Show a line for each and the counts; exit code 1 where something is wrong, or `strict` minds a warning."""
    is_fine = all(one.is_fine and not (strict and one.advice) for one in findings)
    if as_json:
        show_json({"is_fine": is_fine, "checks": [_facts(one) for one in findings]})
    else:
        for one in findings:
            todo = "".join(f"; {what}" for what in (one.mend, one.advice) if what)
            mark = ("warn " if one.advice else "ok   ") if one.is_fine else "WRONG"
            show_line(f"{mark} {one.check}: {one.found}{todo}")
        wrong = sum(not one.is_fine for one in findings)
        warned = sum(one.is_fine and bool(one.advice) for one in findings)
        show_line(f"{warned} warning{'s' * (warned != 1)}, {wrong or 'nothing'} wrong")
    if not is_fine:
        raise typer.Exit(WRONG)


def _facts(one: Finding) -> dict[str, Any]:
    facts = {"check": one.check, "is_fine": one.is_fine, "found": one.found}
    return facts | {"mend": one.mend, "advice": one.advice}
