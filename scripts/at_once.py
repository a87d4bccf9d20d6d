"""Run commands, so many at once, and print their lines as they come, each behind the name of its command.

    python scripts/at_once.py 2 "browsers: pytest tests/browser" "web: nice -n 5 pytest tests/web" "html: pytest ..."

They begin in their order, the next as soon as one ended: what takes longest stands first, and none is alone at the end.
Ends with 1 where one of them failed, after all have ended, and says which.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

NAME_ENDS = ": "


def run(named: str) -> int:
    """Run one command, print its lines, how long it took and what CPU, and return its exit code."""
    name, _, command = named.partition(NAME_ENDS)
    began = time.monotonic()
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
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took, cpu = time.monotonic() - began, used.ru_utime + used.ru_stime
    print(f"{name}{NAME_ENDS}ended after {took:.0f} s, {cpu:.0f} s of CPU", flush=True)
    return process.returncode


def main(at_once: str, *commands: str) -> int:
    """Run all; a failed one is named last, with what runs it alone."""
    with ThreadPoolExecutor(int(at_once)) as pool:
        codes = list(pool.map(run, commands))
    failed = [named for named, code in zip(commands, codes, strict=True) if code]
    for named in failed:
        name, _, command = named.partition(NAME_ENDS)
        print(f"\n{name} failed; alone it runs as\n  {command}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
