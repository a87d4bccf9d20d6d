"""The floor of all commands: one application, one way to end, one line for each error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import lru_cache
from importlib.metadata import version
from typing import Annotated

import typer

from cookieguard.cli.check import check
from cookieguard.cli.doctor import doctor, retention
from cookieguard.cli.explain import explain
from cookieguard.cli.export import export
from cookieguard.cli.init import init
from cookieguard.cli.keys import keys
from cookieguard.cli.log import log
from cookieguard.cli.migration.convert import convert
from cookieguard.cli.output import show_line
from cookieguard.cli.people.access import access
from cookieguard.cli.people.letter import letter
from cookieguard.cli.people.vault import reveal, vault
from cookieguard.cli.policy import policy
from cookieguard.cli.receipt import receipt
from cookieguard.cli.report import report
from cookieguard.cli.rights.queue import requests
from cookieguard.cli.rights.work import processing, work
from cookieguard.cli.scan import scan
from cookieguard.cli.staff import staff
from cookieguard.engines.people.break_glass import BreakGlassRefused
from cookieguard.errors import (
    AnnouncementRefused,
    ConfigError,
    CookieGuardError,
    FileKept,
    KeyRefused,
    KeyringFixed,
    RevealRefused,
    ScanRefused,
    StaffRefused,
)
from cookieguard.rights.requests import RequestRefused


class ExitCode(IntEnum):
    """Say how a command ended; part of what scripts may rely on."""

    DONE = 0
    WRONG = 1
    USAGE = 2
    UNUSABLE = 3
    REFUSED = 4
    FIXED = 5
    INTERRUPTED = 130


EXIT_CODES: dict[type[CookieGuardError], ExitCode] = {
    ConfigError: ExitCode.UNUSABLE,
    KeyRefused: ExitCode.REFUSED,
    AnnouncementRefused: ExitCode.REFUSED,
    KeyringFixed: ExitCode.FIXED,
    StaffRefused: ExitCode.REFUSED,
    RevealRefused: ExitCode.REFUSED,
    BreakGlassRefused: ExitCode.REFUSED,
    ScanRefused: ExitCode.REFUSED,
    FileKept: ExitCode.REFUSED,
    RequestRefused: ExitCode.REFUSED,
}
EXPLAINED = (
    "Exit codes: 0 done; 1 something is wrong, as shown; 2 the command line is wrong; 3 configuration, keyring or "
    "installation cannot be used; "
    "4 a rule refuses it (the message says until when, or how to insist); 5 it cannot be changed from here "
    "(environment, rights, another command); 130 interrupted."
)

app = typer.Typer(
    name="cookieguard",
    help="Look after a shop behind cookieguard.",
    epilog=EXPLAINED,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local values, and those may be keys
)
app.add_typer(keys, name="keys")
app.add_typer(staff, name="staff")
app.add_typer(access, name="access")
app.add_typer(policy, name="policy")
app.add_typer(requests, name="requests")
app.add_typer(vault, name="vault")
app.add_typer(retention, name="retention")
app.add_typer(log, name="log")
app.add_typer(receipt, name="receipt")
app.command("work")(work)
app.command("processing")(processing)
app.command("reveal")(reveal)
app.command("init")(init)
app.command("check")(check)
app.command("doctor")(doctor)
app.command("report")(report)
app.command("export")(export)
app.command("scan")(scan)
app.command("letter")(letter)
app.command("explain")(explain)
app.command("convert")(convert)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if is_asked:
        show_line(f"cookieguard {version('cookieguard')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Look after a shop behind cookieguard."""
    if context.invoked_subcommand is None:
        show_line(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error is one line on stderr, JSON where `--json` was asked."""
    try:
        ended = _command()(list(arguments), prog_name="cookieguard", standalone_mode=False)
    except CookieGuardError as error:
        return _fail(str(error), EXIT_CODES.get(type(error), ExitCode.UNUSABLE), arguments)
    except typer.TyperException as error:
        return _fail(_usage(error), ExitCode.USAGE, arguments)
    except typer.Abort:
        return _fail("interrupted", ExitCode.INTERRUPTED, arguments)
    return ended if isinstance(ended, int) else ExitCode.DONE  # `log verify` has codes of its own


@lru_cache(maxsize=1)
def _command() -> Callable[..., object]:
    """Build all commands once: reading their fifty signatures takes 0.1 s, most of what a short one takes."""
    return typer.main.get_command(app)


def _usage(error: typer.TyperException) -> str:
    message = " ".join(error.format_message().split())
    return f"{message.rstrip('.')}; see --help"


def _fail(message: str, code: ExitCode, arguments: Sequence[str]) -> ExitCode:
    as_json = "--json" in arguments
    line = json.dumps({"error": message, "exit_code": code}) if as_json else f"cookieguard: {message}"
    sys.stderr.write(f"{line}\n")
    return code
