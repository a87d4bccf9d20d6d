"""The command line: `cookieguard keys ...`, `cookieguard staff ...`, `cookieguard doctor` and so on.

Rule: a command only reads its options, asks an engine, and shows the answer; what is right or wrong is decided
below. This module alone must load without the extra `cli`.
"""

from __future__ import annotations

import sys

EXTRA = frozenset({"typer", "rich"})
MISSING = "cookieguard: the command line needs typer and rich; install them: pip install 'cookieguard[cli]'"
UNUSABLE = 3  # as in cookieguard.cli.app


def main() -> None:
    """Be the entry point `cookieguard`."""
    try:
        from cookieguard.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        sys.stderr.write(f"{MISSING}\n")
        sys.exit(UNUSABLE)
    sys.exit(run(sys.argv[1:]))
