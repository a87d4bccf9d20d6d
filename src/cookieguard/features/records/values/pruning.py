"""What is left of records that were kept long enough: their hashes in the tree, and a signed note of their numbers.

Without the note a row that is gone is one that somebody removed. So only who signs checkpoints can let records go. The
note names a checkpoint of its log: another log of the same key and name is another tree, and its notes count there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from cookieguard.features.records.values.notes import Checkpoint, NoteError, NoteKey, Signer, open_note
from cookieguard.features.records.values.records import to_text

# Its blank is in no log's name, so that no checkpoint is ever read as this, and the other way round.
PRUNED = "cookieguard pruned v2"
# Named no tree. Version 0.1.0 writes none; the first days of its development did.
UNBOUND, UNBOUND_BEFORE = "cookieguard pruned v1", "2026-12-01"
FIELDS = {PRUNED: 5, UNBOUND: 3}
RUN = re.compile(r"(0|[1-9][0-9]{0,18})(?:-([1-9][0-9]{0,18}))?")
NO_NOTE = "this is not a note of removed records"
MOST_AT_ONCE = 1000  # numbers of a note: 14 KB at most, of the 64 a note may have


class LetGo(NamedTuple):
    """Hold what a note says: the runs of numbers that went, first and last, and a checkpoint of their tree."""

    runs: list[tuple[int, int]]
    tree: Checkpoint | None
    """None in the oldest notes."""


def write_pruned(numbers: Iterable[int], tree: Checkpoint, signer: Signer, *, now: datetime) -> str:
    """Write and sign the note that rows of these numbers go; `tree` is a checkpoint over all of them."""
    runs = ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs_of(numbers))
    _, size, root = str(tree).splitlines()
    return signer.sign(f"{PRUNED}\n{signer.name}\n{to_text(now)}\n{runs}\n{size}\n{root}\n")


def read_pruned(note: str, keys: Sequence[NoteKey]) -> LetGo:
    """Return what a note lets go; raises NoteError."""
    text, signed = open_note(note, keys)
    kind, *fields = text.split("\n")[:-1]
    if len(fields) != FIELDS.get(kind):
        raise NoteError(NO_NOTE)
    origin, time, runs, *tree = fields
    if all(key.name != origin for key in signed) or (not tree and time >= UNBOUND_BEFORE):
        raise NoteError(NO_NOTE)
    return LetGo(_runs(runs), Checkpoint.parse("\n".join((origin, *tree, ""))) if tree else None)


def _runs(text: str) -> list[tuple[int, int]]:
    read = [RUN.fullmatch(one) for one in text.split(",")]
    found = [(int(one[1]), int(one[2] or one[1])) for one in read if one is not None]
    if len(found) < len(read):
        raise NoteError(NO_NOTE)
    if any(first > last for first, last in found):
        raise NoteError("a run of numbers ends before it begins")
    return found


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return numbers as runs, each with its first and last one."""
    return merged((one, one) for one in numbers)


def merged(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return runs in order, those that touch as one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


class Pruned:
    """Say which rows were let go. Owns their runs, in order."""

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._runs = merged(runs)
        self._firsts = [first for first, _ in self._runs]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._runs[at][1]

    def between(self, first: int, end: int) -> list[int]:
        """Return the numbers from `first` on, before `end`."""
        at = max(0, bisect_right(self._firsts, first) - 1)
        found: list[int] = []
        while at < len(self._runs) and self._runs[at][0] < end:
            begins, last = self._runs[at]
            found.extend(range(max(begins, first), min(last + 1, end)))
            at += 1
        return found
