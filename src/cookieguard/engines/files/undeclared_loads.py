"""The undeclared hosts that browsers reported, by day, in a file to which every worker appends.

A line has the host, the vendor whose script loaded it, page, day and whether it was held, but no data of a visitor.
`engines/retention.py` drops old lines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from cookieguard.storage.state_directory import StateDirectory

UNDECLARED_LOADS_FILE = "beyond"
KEEP_DAYS = 90
MOST_BYTES = 512 * 1024  # two weeks of 200 lines a day; real shops have a few lines a day
# Anyone can send false reports of held hosts, so they leave half of the file for hosts that were loaded.
HELD_BYTES = MOST_BYTES // 2


@dataclass(frozen=True, slots=True)
class UndeclaredLoad:
    """Hold an undeclared host that pages load, with the first and last day."""

    host: str
    by: str
    """The vendor whose script loaded it, or the script's host; empty for the page's own markup or script."""
    page: str
    since: date
    last: date
    is_held: bool = False
    """Whether the policy blocked it; otherwise it was loaded."""

    @property
    def line(self) -> str:
        """Return the load as a sentence for the owner."""
        whose = self.by or "the shop's own page"
        still = "" if self.last == self.since else f", last on {self.last}"
        did = "has asked for" if self.is_held else "has loaded"
        held = "; it was held" if self.is_held else ""
        return f"{whose} {did} {self.host} ({self.page}) since {self.since:%A} {self.since}{still}{held}"


class UndeclaredLoadsFile:
    """Append reports to the file; it has no other state than the file's path."""

    def __init__(self, state: StateDirectory) -> None:
        self._path = state.path / UNDECLARED_LOADS_FILE

    def add(self, host: str, by: str, page: str, day: date, *, is_held: bool = False) -> bool:
        """Append one line; return False if the file is full or cannot be opened."""
        line = _line(day, host, by, page, is_held)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            return False
        with open(descriptor, "ab", buffering=0) as file:
            if os.fstat(descriptor).st_size > (HELD_BYTES if is_held else MOST_BYTES):
                return False
            file.write(line)  # a single write, so that lines of workers do not mix
        return True


def drop_old_loads(state: StateDirectory, *, today: date) -> int:
    """Drop lines older than KEEP_DAYS days, and return how many. A line that a worker adds meanwhile may be lost."""
    lines = list(_lines(state.path / UNDECLARED_LOADS_FILE))
    left = [line for line in lines if line[0] >= today - timedelta(days=KEEP_DAYS)]
    if len(left) < len(lines):
        state.replace(UNDECLARED_LOADS_FILE, b"".join(_line(*line) for line in left))
    return len(lines) - len(left)


def read_undeclared_loads(state: Path) -> list[UndeclaredLoad]:
    """Return the hosts that were loaded, the newest first; empty if there is no file."""
    return [load for load in read_reports(state) if not load.is_held]


def read_reports(state: Path) -> list[UndeclaredLoad]:
    """Return the hosts that were loaded or held, the newest first."""
    found: dict[tuple[str, str, bool], UndeclaredLoad] = {}
    for day, host, by, page, is_held in _lines(state / UNDECLARED_LOADS_FILE):
        known = found.get((host, by, is_held), UndeclaredLoad(host, by, page, day, day, is_held))
        found[host, by, is_held] = replace(known, since=min(known.since, day), last=max(known.last, day))
    return sorted(found.values(), key=lambda load: (load.last, load.since), reverse=True)


def _line(day: date, host: str, by: str, page: str, is_held: bool) -> bytes:  # noqa: FBT001 - a field of a row
    facts = {"day": day.isoformat(), "host": host, "by": by, "page": page, "held": is_held}
    return f"{json.dumps(facts)}\n".encode()


def _lines(path: Path) -> Iterator[tuple[date, str, str, str, bool]]:
    try:
        text = path.read_bytes()[: 2 * MOST_BYTES].decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        with suppress(ValueError, TypeError, KeyError):  # a line that a full disk cut off
            facts = json.loads(line)
            host, by, page = (str(facts[name]) for name in ("host", "by", "page"))
            yield date.fromisoformat(facts["day"]), host, by, page, bool(facts.get("held"))
