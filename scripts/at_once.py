"""Run commands, so many at once, and print their lines as they come, each behind the name of its command.

    python scripts/at_once.py 2 "browsers: pytest tests/browser" "web: nice -n 5 pytest tests/web" "html: pytest ..."

They begin in their order, the next as soon as one ended: what takes longest stands first, and none is alone at the end.
Ends with 1 where one of them failed, after all have ended. Then it says which, and repeats the last lines of each: they
stand far above by then, and some logs keep only their end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

NAME_ENDS = ": "
# pytest ends with a summary, and before it stands why the last test failed.
REPEATED_LINES = 40


def run(named: str) -> tuple[int, deque[str]]:
    """Run one command, print its lines, how long it took and what CPU; return its exit code and its last lines."""
    name, _, command = named.partition(NAME_ENDS)
    began = time.monotonic()
    last: deque[str] = deque(maxlen=REPEATED_LINES)
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
            last.append(line)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took, cpu = time.monotonic() - began, used.ru_utime + used.ru_stime
    print(f"{name}{NAME_ENDS}ended after {took:.0f} s, {cpu:.0f} s of CPU", flush=True)
    return process.returncode, last


def main(at_once: str, *commands: str) -> int:
    """Run all; the failed ones are named last, with how they ended and what runs them alone."""
    with ThreadPoolExecutor(int(at_once)) as pool:
        ends = list(pool.map(run, commands))
    failed = [(named, code, last) for named, (code, last) in zip(commands, ends, strict=True) if code]
    for named, code, last in failed:
        name, _, command = named.partition(NAME_ENDS)
        print(f"\n{''.join(last)}\n{name} failed (exit code {code}); alone it runs as\n  {command}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
