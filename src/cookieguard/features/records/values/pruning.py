"""Signed notes of pruned records. The note names their numbers; the tree keeps their hashes.

A missing row without a note counts as removed by an attacker, so only a signer of checkpoints can prune records. The
note names a checkpoint of its log, so it does not count for another log that has the same key and name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from cookieguard.features.records.values.notes import Checkpoint, NoteError, NoteKey, Signer, open_note
from cookieguard.features.records.values.records import to_text

# No log's name contains a space, so that a checkpoint is never read as such a note, or a note as a checkpoint.
PRUNED = "cookieguard pruned v2"
# These notes named no tree. They were written before version 0.1.0, in the first days of its development.
UNBOUND, UNBOUND_BEFORE = "cookieguard pruned v1", "2026-12-01"
FIELDS = {PRUNED: 5, UNBOUND: 3}
RUN = re.compile(r"(0|[1-9][0-9]{0,18})(?:-([1-9][0-9]{0,18}))?")
NO_NOTE = "this is not a note of removed records"
MOST_AT_ONCE = 1000  # numbers of a note: at most 14 KB of the 64 KB that a note may have


class PruningNote(NamedTuple):
    """Hold the contents of a note: the runs of pruned numbers, each as first and last, and a checkpoint of the tree."""

    runs: list[tuple[int, int]]
    tree: Checkpoint | None
    """None in notes from before version 0.1.0."""


def write_pruned(numbers: Iterable[int], tree: Checkpoint, signer: Signer, *, now: datetime) -> str:
    """Return the signed note that rows of these numbers are pruned; `tree` is a checkpoint over all of them."""
    runs = ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs_of(numbers))
    _, size, root = str(tree).splitlines()
    return signer.sign(f"{PRUNED}\n{signer.name}\n{to_text(now)}\n{runs}\n{size}\n{root}\n")


def read_pruned(note: str, keys: Sequence[NoteKey]) -> PruningNote:
    """Return the contents of a note that one of the keys signed; raises NoteError."""
    text, signed = open_note(note, keys)
    kind, *fields = text.split("\n")[:-1]
    if len(fields) != FIELDS.get(kind):
        raise NoteError(NO_NOTE)
    origin, time, runs, *tree = fields
    if all(key.name != origin for key in signed) or (not tree and time >= UNBOUND_BEFORE):
        raise NoteError(NO_NOTE)
    return PruningNote(_runs(runs), Checkpoint.parse("\n".join((origin, *tree, ""))) if tree else None)


def _runs(text: str) -> list[tuple[int, int]]:
    read = [RUN.fullmatch(run) for run in text.split(",")]
    found = [(int(match[1]), int(match[2] or match[1])) for match in read if match is not None]
    if len(found) < len(read):
        raise NoteError(NO_NOTE)
    if any(first > last for first, last in found):
        raise NoteError("a run of numbers ends before it begins")
    return found


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return numbers as runs, each with its first and its last number."""
    return merged((number, number) for number in numbers)


def merged(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return runs in order, with runs that touch or overlap merged."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


class Pruned:
    """The numbers of the rows that were pruned. Owns their runs, in order."""

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._runs = merged(runs)
        self._firsts = [first for first, _ in self._runs]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._runs[at][1]

    def between(self, first: int, end: int) -> list[int]:
        """Return the pruned numbers from `first` on, before `end`."""
        at = max(0, bisect_right(self._firsts, first) - 1)
        found: list[int] = []
        while at < len(self._runs) and self._runs[at][0] < end:
            begins, last = self._runs[at]
            found.extend(range(max(begins, first), min(last + 1, end)))
            at += 1
        return found
