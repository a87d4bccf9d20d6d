"""The command line: `cookieguard keys ...`, `cookieguard staff ...`, `cookieguard doctor` and so on.

Rule: a command reads its options, calls the layers below and shows the answer. The decisions are made in those layers.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command `cookieguard` and exit with its code."""
    # Imported here because typer and rich take 0.2 s to load, which an import of the package should not cost.
    from cookieguard.cli.app import ExitCode, run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # escapes characters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output closed it early, like `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes stdout once more as it exits
        code = ExitCode.UNREAD
    sys.exit(code)
