"""Verification of a whole log: rows against the tree, the tree against signed checkpoints, and these against anchors.

The verifier trusts the public keys and the anchors, but not the store. Each edit of the store is reported with its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import merge
from itertools import chain, islice, pairwise

from cookieguard.features.records.values.hashing import hash_pairs, hash_rows
from cookieguard.features.records.values.merkle import HASH_BYTES, fold, node_hash
from cookieguard.features.records.values.notes import (
    NO_KEY_SIGNED,
    NoteError,
    NoteKey,
    open_signed,
    read_checkpoint,
)
from cookieguard.features.records.values.pruning import Pruned, read_pruned
from cookieguard.features.records.values.signed_roots import Claim, SignedRoots, size_of
from cookieguard.features.records.values.tiles import FULL_BYTES, WIDTH, ReadTile

RowTuple = tuple[int, bool, bytes]
"""Number, whether each field has its length, and the joined fields: entry, id, subject, about and sealed bytes."""
MOST_FAULTS = 1000  # listed one by one; further faults are only counted
NOTE_OF_PRUNED = "a note of removed records"
LONGEST_NAME = 200  # of a log, as in `notes.NAME`
END = -1, ""  # follows the newest checkpoint


class Verdict(IntEnum):
    """The result of a verification, and the exit code of `cookieguard log verify`."""

    WHOLE = 0
    BROKEN = 1
    CUT = 2
    NO_KEY = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what is wrong, and at which entry."""

    verdict: Verdict
    number: int | None
    what: str


@dataclass(slots=True)
class Report:
    """Hold the result of a verification. `size` and `root` are those of the newest checkpoint."""

    size: int = 0
    root: bytes = b""
    rows: int = 0
    pruned: int = 0  # entries whose rows were pruned, so that only their hashes are left
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    tiles: int = 0  # how many tiles of leaf hashes, from the first on, were compared with the tile above them

    @property
    def verdict(self) -> Verdict:
        """Return the gravest verdict of all faults; a cut log is less grave than a changed one."""
        found = {fault.verdict for fault in self.faults}
        order = (Verdict.NO_KEY, Verdict.BROKEN, Verdict.CUT)
        return next((verdict for verdict in order if verdict in found), Verdict.WHOLE)

    def add(self, verdict: Verdict, number: int | None, what: str) -> None:
        """Add a fault, or count it if there are too many."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(verdict, number, what))
        else:
            self.more_faults += 1


def verify(
    rows: Iterable[RowTuple],
    read_tile: ReadTile,
    checkpoints: Iterable[tuple[int, str]],
    *,
    keys: Sequence[NoteKey],
    former: Sequence[NoteKey] = (),
    anchors: Sequence[tuple[str, str]] = (),
    pruned: Sequence[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Return the report on a log. `keys` are the trusted public keys; `anchors` pairs of a source and its checkpoint.

    `former` keys may have signed anchors and all checkpoints but the newest; `pruned` are the notes of pruned rows.
    """
    report = Report()
    signed = _signed(report, checkpoints, keys, former)
    kept = sorted(_anchored(report, anchors, (*keys, *former)), key=size_of)
    gone = _pruned_rows(report, pruned, (*keys, *former), signed)
    claims = merge(signed.claims(), kept, key=size_of)
    _compare(report, _Tree(report, iter(rows), read_tile, gone, progress), claims)
    return report


def _pruned_rows(report: Report, notes: Sequence[str], keys: Sequence[NoteKey], own: SignedRoots) -> Pruned:
    """Return the rows that valid notes of this log declare as pruned; report the other notes as faults."""
    runs: list[tuple[int, int]] = []
    for note in notes:
        try:
            gone = read_pruned(note, keys)
        except NoteError as error:
            report.add(Verdict.BROKEN, None, f"{NOTE_OF_PRUNED}: {error}")
            continue
        if gone.tree is None or gone.tree in own:
            runs += gone.runs
        elif gone.tree.size > report.size:
            report.add(Verdict.CUT, report.size, f"{NOTE_OF_PRUNED} covers more entries: cut, or set back")
        else:
            report.add(Verdict.BROKEN, None, f"{NOTE_OF_PRUNED} belongs to another log")
    return Pruned((first, min(last, report.size - 1)) for first, last in runs if first < report.size)


def _signed(
    report: Report, checkpoints: Iterable[tuple[int, str]], keys: Sequence[NoteKey], former: Sequence[NoteKey]
) -> SignedRoots:
    signed = SignedRoots()
    for (size, note), following in pairwise(chain(checkpoints, (END,))):
        is_newest = following is END
        try:
            checkpoint = read_checkpoint(note)
            open_signed(note, keys if is_newest else (*keys, *former))
        except NoteError as error:
            verdict = Verdict.NO_KEY if is_newest and str(error) == NO_KEY_SIGNED else Verdict.BROKEN
            report.add(verdict, size, _refused(f"the checkpoint of {size} entries", note, error, keys))
            if verdict is Verdict.BROKEN:
                continue
        if checkpoint.size != size:
            report.add(Verdict.BROKEN, size, f"the checkpoint of {size} entries signs {checkpoint.size}")
        signed.add(checkpoint)
    newest = signed.newest()
    if newest is not None:
        report.size, report.root = newest.size, newest.root
    return signed


def _anchored(report: Report, anchors: Sequence[tuple[str, str]], keys: Sequence[NoteKey]) -> Iterator[Claim]:
    for source, note in anchors:
        try:
            checkpoint, _ = open_signed(note, keys)
        except NoteError as error:
            report.add(Verdict.NO_KEY, None, _refused(source, note, error, keys))
            continue
        if checkpoint.size > report.size:
            what = f"{source} has {checkpoint.size} entries, the log {report.size}: cut, or set back to an older copy"
            report.add(Verdict.CUT, report.size, what)
        else:
            yield Claim(checkpoint.size, checkpoint.root, source)


def _refused(source: str, note: str, error: NoteError, keys: Sequence[NoteKey]) -> str:
    """Return why a checkpoint does not count; that it belongs to another log comes before a wrong signature."""
    names = sorted({key.name for key in keys})
    try:
        origin = read_checkpoint(note).origin
    except NoteError:
        return f"{source}: {error}"
    if not names or origin in names:
        return f"{source}: {error}"
    return f"{source} belongs to another log: {origin[:LONGEST_NAME]!r}, not {', '.join(map(repr, names))}"


def _compare(report: Report, tree: _Tree, claims: Iterable[Claim]) -> None:
    """Build the tree in one pass, and compare each claim with the root at its size."""
    good = 0
    for claim in claims:
        size = claim.size
        root = tree.root_at(size)
        if root == claim.root:
            good = size
        elif root is not None and claim.source:
            what = (
                f"{claim.source} signs {size} other entries: the log was rolled back and went on, or forked"
            )
            report.add(Verdict.CUT, size, what)
        elif root is not None:
            what = f"an entry from {good} to {size - 1} differs from what was signed"
            report.add(Verdict.BROKEN, good, what)
    tree.finish(report.size)


@dataclass(slots=True)
class _Tree:
    """Build the tree from the rows, a tile at a time, and report where rows and stored tiles differ.

    Owns the roots of the full tiles so far. The hash of a missing row is taken from its tile, so that one fault does
    not hide the others.
    """

    _report: Report
    _rows: Iterator[RowTuple]
    _read: ReadTile
    _pruned: Pruned
    _progress: Callable[[int], None]
    _subtrees: list[tuple[int, bytes]] = field(default_factory=list)
    """Height above a tile, and root, as in a binary counter."""
    _levels: list[bytes] = field(default_factory=lambda: [b""])
    """The joined hashes of each height of the current tile."""
    _above: tuple[int, bytes] = -1, b""  # index and hashes of the last tile read of level 1
    _at: int = 0  # the first entry of the current tile
    _ahead: list[RowTuple] = field(default_factory=list)  # rows already read that belong to a later tile

    def root_at(self, size: int) -> bytes | None:
        """Return the root over the first `size` rows, None if there are fewer. Call it with rising sizes only."""
        while self._have < size:
            if len(self._levels[0]) == FULL_BYTES:
                self._push()
            elif not self._read_block():
                return None
        roots = [root for _, root in self._subtrees]
        return fold([*roots, *self._partial(size - self._at)])

    def finish(self, size: int) -> None:
        """Report rows that no checkpoint covers, and the entries up to `size` that are missing at the end."""
        have = self._have
        if have < size:
            self._report.add(Verdict.CUT, have, f"entries {have} to {size - 1} are missing: the log was cut")
        unsigned = list(range(size, have))
        for row in self._rows_left():
            self._report.rows += 1
            unsigned.append(row[0])
        for number in unsigned:
            self._report.add(Verdict.BROKEN, number, f"row {number} is not covered by a checkpoint")

    @property
    def _have(self) -> int:
        return self._at + len(self._levels[0]) // HASH_BYTES

    def _rows_left(self) -> Iterator[RowTuple]:
        yield from self._ahead
        yield from self._rows

    def _partial(self, width: int) -> Iterator[bytes]:
        """Yield the roots of the complete subtrees of the first `width` entries of this tile."""
        place = 0
        for height in range(len(self._levels) - 1, -1, -1):
            if width >> height & 1:
                at = (place >> height) * HASH_BYTES
                yield self._levels[height][at : at + HASH_BYTES]
                place += 1 << height

    def _push(self) -> None:
        index, root, height = self._at // WIDTH, self._levels[-1], 0
        while index & 1:
            left = self._subtrees.pop()[1]
            root, index, height = node_hash(left, root), index >> 1, height + 1
        self._subtrees.append((height, root))
        self._at += WIDTH
        self._levels = [b""]
        self._progress(self._at)

    def _read_block(self) -> bool:
        """Read and hash the rows of the next tile; return False if there are none."""
        first = self._at
        stored = self._read(0, first // WIDTH)
        rows = self._take(first + WIDTH)
        numbers = [row[0] for row in rows]
        gone = self._pruned.between(first, first + WIDTH)
        if not gone and numbers == list(range(first, first + len(rows))):
            leaves = self._leaves(rows)
        else:
            gone = sorted({*gone}.difference(numbers))
            is_whole = sorted(numbers + gone) == list(range(first, first + len(rows) + len(gone)))
            is_in_order = is_whole and numbers == sorted(numbers)
            leaves = (self._hash_pruned if is_in_order else self._hash_faulty)(rows, first, stored)
            self._report.pruned += len(gone)
        if not leaves:
            return False
        self._levels = _levels_of(leaves)
        if leaves != stored:
            self._differ(leaves, first, stored)
        elif len(leaves) == FULL_BYTES:
            self._report.tiles = first // WIDTH + 1
            if self._levels[-1] != self._hash_above(first // WIDTH):
                self._report.add(Verdict.BROKEN, first, _changed_tile(0, first // WIDTH))
        return True

    def _hash_above(self, index: int) -> bytes:
        above, at = divmod(index, WIDTH)
        if self._above[0] != above:
            self._above = above, self._read(1, above)
        return self._above[1][at * HASH_BYTES : (at + 1) * HASH_BYTES]

    def _take(self, end: int) -> list[RowTuple]:
        rows = [*self._ahead, *islice(self._rows, WIDTH - len(self._ahead))]
        self._ahead = []
        if rows and rows[-1][0] >= end:
            self._ahead = [row for row in rows if row[0] >= end]
            rows = [row for row in rows if row[0] < end]
        self._report.rows += len(rows)
        return rows

    def _leaves(self, rows: Sequence[RowTuple]) -> bytes:
        # The contents are None if somebody changed a column so that it accepts NULL.
        leaves, changed = hash_rows([contents or b"" for _, _, contents in rows])
        if changed or not all(is_sound for _, is_sound, _ in rows):
            named = {rows[at][0] for at in changed} | {row[0] for row in rows if not row[1]}
            for number in sorted(named):
                self._report.add(Verdict.BROKEN, number, f"row {number} was changed")
        return leaves

    def _hash_pruned(self, rows: Sequence[RowTuple], first: int, stored: bytes) -> bytes:
        """Return the leaf hashes of a tile some of whose rows were pruned; the stored tile has the hashes of those."""
        hashed, places = self._leaves(rows), {row[0]: at for at, row in enumerate(rows)}
        leaves = []
        for number in range(first, self._end(places, first)):
            source, place = (hashed, places[number]) if number in places else (stored, number - first)
            leaves.append(source[place * HASH_BYTES :][:HASH_BYTES] or bytes(HASH_BYTES))
        return b"".join(leaves)

    def _hash_faulty(self, rows: Sequence[RowTuple], first: int, stored: bytes) -> bytes:
        """Return the leaf hashes of a tile with missing or doubled rows; report these, and take lost hashes from it."""
        by_number: dict[int, RowTuple] = {}
        for row in rows:
            if row[0] in by_number or row[0] < first:
                self._report.add(Verdict.BROKEN, row[0], f"row {row[0]} occurs twice")
            by_number.setdefault(row[0], row)
        leaves = b""
        for number in range(first, self._end(by_number, first)):
            if number in by_number:
                leaves += self._leaves([by_number[number]])
                continue
            if number not in self._pruned:
                self._report.add(Verdict.BROKEN, number, f"row {number} is missing")
            at = (number - first) * HASH_BYTES
            leaves += stored[at : at + HASH_BYTES] or bytes(HASH_BYTES)
        return leaves

    def _end(self, by_number: Iterable[int], first: int) -> int:
        """Return the end of this tile's rows: the end of the tile if later rows exist, else after the last row."""
        gone = self._pruned.between(first, first + WIDTH)
        return first + WIDTH if self._ahead else max([*by_number, *gone], default=first - 1) + 1

    def _differ(self, leaves: bytes, first: int, stored: bytes) -> None:
        """Report each row that differs from the stored tile, or the tile itself if that was changed."""
        index = first // WIDTH
        if len(stored) > len(leaves) and stored.startswith(leaves):
            return  # the rows after these are missing, which the signed size shows
        is_rows_own = len(leaves) == FULL_BYTES and self._levels[-1] == self._hash_above(index)
        if is_rows_own or len(stored) < len(leaves):
            self._report.add(Verdict.BROKEN, first, f"tile 0/{index} was changed, or is older than its rows")
            if is_rows_own:
                return
        for at in range(0, len(leaves), HASH_BYTES):
            kept = stored[at : at + HASH_BYTES]
            if kept and kept != leaves[at : at + HASH_BYTES]:
                number = first + at // HASH_BYTES
                what = f"row {number} is not the one in the tree: it was changed, moved or inserted"
                self._report.add(Verdict.BROKEN, number, what)


def verify_tiles(read_tile: ReadTile, size: int, report: Report) -> None:
    """Report each tile that differs from the one above it, since proofs read tiles. `verify` has compared the first."""
    level, count, first = 0, size, report.tiles
    while count >= WIDTH:
        for index in range(first, count // WIDTH):
            hashes = read_tile(level, index)
            above = read_tile(level + 1, index // WIDTH)[index % WIDTH * HASH_BYTES :][:HASH_BYTES]
            if len(hashes) != FULL_BYTES or _levels_of(hashes)[-1] != above:
                report.add(Verdict.BROKEN, index * WIDTH ** (level + 1), _changed_tile(level, index))
        level, count, first = level + 1, count // WIDTH, 0


def _changed_tile(level: int, index: int) -> str:
    return f"tile {level}/{index} or the one above it was changed"


def _levels_of(leaves: bytes) -> list[bytes]:
    """Return the roots of the complete subtrees over leaf hashes, joined for each height."""
    levels = [leaves]
    while len(levels[-1]) > HASH_BYTES:
        levels.append(hash_pairs(levels[-1]))
    return levels
