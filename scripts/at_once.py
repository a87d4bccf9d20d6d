"""Run commands at once and print their lines as they come, each behind the name of its command.

    python scripts/at_once.py "browsers: pytest tests/browser" "others: nice -n 5 pytest tests/web"

Ends with 1 where one of them failed, after all have ended, and says which.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

NAME_ENDS = ": "


def run(named: str) -> int:
    """Run one command, print its lines, and return its exit code."""
    name, _, command = named.partition(NAME_ENDS)
    with subprocess.Popen(
        ["sh", "-c", command],
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{name}{NAME_ENDS}{line}", end="", flush=True)
    return process.returncode


def main(commands: list[str]) -> int:
    """Run all; a failed one is named last, with what runs it alone."""
    with ThreadPoolExecutor(len(commands)) as pool:
        codes = list(pool.map(run, commands))
    failed = [named for named, code in zip(commands, codes, strict=True) if code]
    for named in failed:
        name, _, command = named.partition(NAME_ENDS)
        print(f"\n{name} failed; alone it runs as\n  {command}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
