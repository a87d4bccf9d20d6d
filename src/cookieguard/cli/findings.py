"""How `cookieguard doctor` and `cookieguard check` show what they found, and end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from cookieguard.cli.output import show_json, show_line
from cookieguard.engines.doctor_settings import Finding

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
