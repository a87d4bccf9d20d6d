"""The command line's application: the table of commands, their exit codes, and one line for each error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from cookieguard import errors
from cookieguard.cli.output import show_line
from cookieguard.features import FEATURES
from cookieguard.features.people.break_glass import BreakGlassRefused
from cookieguard.features.rights.values.requests import RequestRefused


class ExitCode(IntEnum):
    """Say how a command ended. Scripts may rely on these numbers."""

    DONE = 0
    WRONG = 1
    USAGE = 2
    UNUSABLE = 3
    REFUSED = 4
    FIXED = 5
    INTERRUPTED = 130
    UNREAD = 141


EXIT_CODES: dict[type[errors.CookieGuardError], ExitCode] = {
    errors.ConfigError: ExitCode.UNUSABLE,
    errors.KeyRefused: ExitCode.REFUSED,
    errors.AnnouncementRefused: ExitCode.REFUSED,
    errors.KeyringFixed: ExitCode.FIXED,
    errors.StaffRefused: ExitCode.REFUSED,
    errors.RevealRefused: ExitCode.REFUSED,
    BreakGlassRefused: ExitCode.REFUSED,
    errors.ScanRefused: ExitCode.REFUSED,
    errors.FileKept: ExitCode.REFUSED,
    RequestRefused: ExitCode.REFUSED,
}
EXPLAINED = (
    "Exit codes: 0 done; 1 something is wrong, as shown; 2 the command line is wrong; 3 configuration, keyring or "
    "installation cannot be used; "
    "4 a rule refuses it (the message says until when, or how to insist); 5 it cannot be changed from here "
    "(environment, rights, another command); 130 interrupted; 141 the reader of the output has left."
)

# Command -> the module that defines it, in a function or group of the same name; in the order of `--help`.
COMMANDS = {
    "init": "init",
    "scan": "scan",
    "check": "check",
    "doctor": "doctor",
    "explain": "explain",
    "convert": "convert",
    "letter": "people.letter",
    "keys": "keys",
    "retention": "doctor",
    **{command: module for feature in FEATURES for command, module in feature.commands.items()},
}


def _show_version(is_asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if is_asked:
        show_line(f"cookieguard {version('cookieguard')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Run and check a shop behind cookieguard."""
    if context.invoked_subcommand is None:
        show_line(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. An error is one line on stderr, in JSON with `--json`."""
    try:
        result = _built(_named(arguments))(list(arguments), prog_name="cookieguard", standalone_mode=False)
    except errors.CookieGuardError as error:
        return _fail(str(error), EXIT_CODES.get(type(error), ExitCode.UNUSABLE), arguments)
    except typer.TyperException as error:
        return _fail(_usage(error), ExitCode.USAGE, arguments)
    except typer.Abort:
        return _fail("interrupted", ExitCode.INTERRUPTED, arguments)
    except SystemExit:  # typer exits when the reader of the output has closed it
        return ExitCode.UNREAD
    return result if isinstance(result, int) else ExitCode.DONE  # `log verify` returns codes of its own


def app_of(*names: str) -> typer.Typer:
    """Return the application with these commands."""
    app = typer.Typer(
        name="cookieguard",
        help="Run and check a shop behind cookieguard.",
        epilog=EXPLAINED,
        add_completion=False,
        pretty_exceptions_enable=False,  # its tracebacks show local values, and those may be keys
    )
    app.callback(invoke_without_command=True)(_root)
    for name in names:
        command = getattr(import_module(f"cookieguard.cli.{COMMANDS[name]}"), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _named(arguments: Sequence[str]) -> Sequence[str]:
    """Return the command named on the command line, or all commands if none is: help and errors list them."""
    first = arguments[0] if arguments else ""
    return (first,) if first in COMMANDS else tuple(COMMANDS)


@lru_cache(maxsize=len(COMMANDS) + 1)
def _built(names: Sequence[str]) -> Callable[..., object]:
    """Return the application with these commands alone: building `keys` takes a third of the time of all commands."""
    command = typer.main.get_command(app_of(*names))
    _hide_types_of_flags(command)
    return command


def _hide_types_of_flags(command: object) -> None:
    """Remove the type `<bool>`, which typer's help writes after an option that takes no value."""
    if not isinstance(command, typer.core.TyperCommand | typer.core.TyperGroup):
        return
    for option in command.get_params(typer.Context(command)):
        if isinstance(option, typer.core.TyperOption) and option.is_flag:
            option.metavar = ""
    for inner in command.commands.values() if isinstance(command, typer.core.TyperGroup) else ():
        _hide_types_of_flags(inner)


def _usage(error: typer.TyperException) -> str:
    message = " ".join(error.format_message().split())
    return f"{message.rstrip('.')}; see --help"


def _fail(message: str, code: ExitCode, arguments: Sequence[str]) -> ExitCode:
    as_json = "--json" in arguments
    line = json.dumps({"error": message, "exit_code": code}) if as_json else f"cookieguard: {message}"
    sys.stderr.write(f"{line}\n")
    return code
