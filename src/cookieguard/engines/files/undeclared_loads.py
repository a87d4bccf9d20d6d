"""What allowed scripts loaded beyond their declaration, by day, in a file that every worker appends to.

A line is host, whose script asked, page and day: nothing of a visitor. Lines of LONGEST_DAYS ago go at the next start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from cookieguard.engines.files.state_directory import StateDirectory

UNDECLARED_LOADS_FILE = "beyond"
LONGEST_DAYS = 90
MOST_BYTES = 512 * 1024  # 200 lines a day of some 200 bytes fill it in two weeks; real shops have a few


@dataclass(frozen=True, slots=True)
class UndeclaredLoad:
    """Say since when somebody loads a host that is not declared."""

    host: str
    by: str
    """The vendor whose script asked, or its host; empty where a page's own markup or script did."""
    page: str
    since: date
    last: date

    @property
    def line(self) -> str:
        """Say it in words."""
        whose = self.by or "the shop's own page"
        still = "" if self.last == self.since else f", last on {self.last}"
        return f"since {self.since:%A} {self.since} {whose} loads {self.host} ({self.page}){still}"


class UndeclaredLoadsFile:
    """Write what was seen. Owns nothing but the file's path."""

    def __init__(self, state: StateDirectory, today: date) -> None:
        self._path = state.path / UNDECLARED_LOADS_FILE
        self._drop_old(state, today)

    def add(self, host: str, by: str, page: str, day: date) -> bool:
        """Append one line; say whether there was room, and a disk."""
        line = json.dumps({"day": day.isoformat(), "host": host, "by": by, "page": page})
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            return False
        with open(descriptor, "ab", buffering=0) as file:
            if os.fstat(descriptor).st_size > MOST_BYTES:
                return False
            file.write(f"{line}\n".encode())  # one write: lines of workers do not mix
        return True

    def _drop_old(self, state: StateDirectory, today: date) -> None:
        first = today - timedelta(days=LONGEST_DAYS)
        lines = list(_lines(self._path))
        kept = [one for one in lines if one[0] >= first]
        if len(kept) < len(lines):
            text = "".join(
                json.dumps({"day": day.isoformat(), "host": host, "by": by, "page": page}) + "\n"
                for day, host, by, page in kept
            )
            with suppress(OSError):
                state.replace(UNDECLARED_LOADS_FILE, text.encode())


def read_undeclared_loads(state: Path) -> list[UndeclaredLoad]:
    """Return what was seen, the newest first; nothing where nobody wrote anything."""
    found: dict[tuple[str, str], UndeclaredLoad] = {}
    for day, host, by, page in _lines(state / UNDECLARED_LOADS_FILE):
        known = found.get((host, by))
        if known is None:
            found[host, by] = UndeclaredLoad(host, by, page, day, day)
        else:
            found[host, by] = UndeclaredLoad(
                host, by, known.page, min(known.since, day), max(known.last, day)
            )
    return sorted(found.values(), key=lambda one: (one.last, one.since), reverse=True)


def _lines(path: Path) -> Iterator[tuple[date, str, str, str]]:
    try:
        text = path.read_bytes()[: 2 * MOST_BYTES].decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        with suppress(ValueError, TypeError, KeyError):  # one that a full disk cut off
            facts = json.loads(line)
            yield date.fromisoformat(facts["day"]), str(facts["host"]), str(facts["by"]), str(facts["page"])
