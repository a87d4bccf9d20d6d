"""The command line: `cookieguard keys ...`, `cookieguard staff ...`, `cookieguard doctor` and so on.

Rule: a command only reads its options, asks an engine, and shows the answer; what is right or wrong is decided
below.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


def main() -> None:
    """Be the entry point `cookieguard`."""
    # Here, since typer and rich take 0.2 s: who imports the package need not wait.
    from cookieguard.cli.app import ExitCode, run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that lacks a character is shown its number
            stream.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # as `head` leaves, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for Python, which flushes once more on its way out
        code = ExitCode.UNREAD
    sys.exit(code)
