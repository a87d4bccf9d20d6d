"""What is left of records that were kept long enough: their hashes in the tree, and a signed note of their numbers.

Without the note a row that is gone is one that somebody removed. So only who signs checkpoints can let records go.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime

from cookieguard.proof.notes import NoteError, NoteKey, Signer, open_note
from cookieguard.proof.records import to_text

# Its blank is in no log's name, so that no checkpoint is ever read as this, and the other way round.
PRUNED = "cookieguard pruned v1"
RUN = re.compile(r"(0|[1-9][0-9]{0,18})(?:-([1-9][0-9]{0,18}))?")
MOST_AT_ONCE = 1000  # numbers of a note: 14 KB at most, of the 64 a note may have


def write_pruned(numbers: Iterable[int], signer: Signer, *, now: datetime) -> str:
    """Write and sign the note that rows of these numbers go."""
    runs = ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs_of(numbers))
    return signer.sign(f"{PRUNED}\n{signer.name}\n{to_text(now)}\n{runs}\n")


def read_pruned(note: str, keys: Sequence[NoteKey]) -> list[tuple[int, int]]:
    """Return the runs of numbers that a note lets go, first and last; raises NoteError."""
    text, signed = open_note(note, keys)
    kind, _, rest = text.partition("\n")
    origin, _, rest = rest.partition("\n")
    runs = [RUN.fullmatch(one) for one in rest.partition("\n")[2].rstrip("\n").split(",")]
    if kind != PRUNED or all(key.name != origin for key in signed) or None in runs:
        raise NoteError("this is no note of records that were let go")
    found = [(int(one[1]), int(one[2] or one[1])) for one in runs if one is not None]
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
