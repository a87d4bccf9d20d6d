"""Functions that write a command's answer: lines and tables for people, JSON for programs, and files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cookieguard.engines.doctor_settings import Finding
from cookieguard.errors import ConfigError

WIDE = 160  # columns of a table in a pipe or a file, which have no width: a program that reads it needs unfolded lines


def show_json(facts: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(f"{json.dumps(facts, indent=2)}\n")


def show_line(line: str) -> None:
    """Write a line unchanged; rich would read brackets in it as markup."""
    sys.stdout.write(f"{line}\n")


def write_file(option: str, file: Path, content: bytes) -> None:
    """Write the file that an option names; raises ConfigError if that fails."""
    try:
        file.write_bytes(content)
    except OSError as error:
        was = f"{file} ({error.strerror})"
        raise ConfigError(option, was=was, allowed="a file that can be written") from error


def show_answer(facts: Any, *lines: str, as_json: bool) -> None:
    """Write an answer as one JSON document or as lines."""
    if as_json:
        show_json(facts)
        return
    for line in lines:
        show_line(line)


def show_rows(facts: Any, heads: Sequence[str], rows: Iterable[Sequence[str]], *, as_json: bool) -> None:
    """Write an answer as one JSON document, or as a table with a line of headings ("none" without rows)."""
    if as_json:
        show_json(facts)
        return
    table = Table(*heads, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if not table.row_count:
        show_line("none")
        return
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def printable(text: str) -> str:
    """Return a stranger's text with line breaks, terminal controls and changes of writing direction escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


WRONG = 1


def show_findings(findings: Sequence[Finding], *, as_json: bool, strict: bool = False) -> None:
    """Show a line for each finding, and the counts. Exit with code 1 if one is wrong, or with `strict` a warning."""
    is_fine = all(finding.is_fine and not (strict and finding.advice) for finding in findings)
    if as_json:
        show_json({"is_fine": is_fine, "checks": [_facts(finding) for finding in findings]})
    else:
        for finding in findings:
            todo = "".join(f"; {what}" for what in (finding.mend, finding.advice) if what)
            mark = ("warn " if finding.advice else "ok   ") if finding.is_fine else "WRONG"
            show_line(f"{mark} {finding.check}: {finding.found}{todo}")
        wrong = sum(not finding.is_fine for finding in findings)
        warned = sum(finding.is_fine and bool(finding.advice) for finding in findings)
        show_line(f"{warned} warning{'s' * (warned != 1)}, {wrong or 'nothing'} wrong")
    if not is_fine:
        raise typer.Exit(WRONG)


def _facts(finding: Finding) -> dict[str, Any]:
    facts = {"check": finding.check, "is_fine": finding.is_fine, "found": finding.found}
    return facts | {"mend": finding.mend, "advice": finding.advice}
