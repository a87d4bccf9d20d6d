"""Verify a whole log: each row against the tree, the tree against the signed checkpoints, and these against anchors.

Whoever verifies trusts the public keys and the anchors, nothing in the store: who edits it is found, and named.
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
"""Number, whether each field has its length, and entry, id, subject, about and what is sealed, put together."""
MOST_FAULTS = 1000  # named; the rest is counted
NOTE_OF_PRUNED = "a note of removed records"
LONGEST_NAME = 200  # of a log's, as `notes.NAME` has it
END = -1, ""  # behind the newest checkpoint


class Verdict(IntEnum):
    """Say how a log is, as the exit code of `cookieguard log verify` does."""

    WHOLE = 0
    BROKEN = 1
    CUT = 2
    NO_KEY = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """Name one thing that is wrong: what, and at which entry."""

    verdict: Verdict
    number: int | None
    what: str


@dataclass(slots=True)
class Report:
    """Hold what was found. `size` is what the newest checkpoint signs; `root` its root."""

    size: int = 0
    root: bytes = b""
    rows: int = 0
    pruned: int = 0  # of how many entries the hash alone is left: they were kept long enough
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    tiles: int = 0  # of leaf hashes that were held against the one above them, from the first on

    @property
    def verdict(self) -> Verdict:
        """Return the gravest of the faults' verdicts; what was cut weighs less than what was changed."""
        found = {one.verdict for one in self.faults}
        order = (Verdict.NO_KEY, Verdict.BROKEN, Verdict.CUT)
        return next((one for one in order if one in found), Verdict.WHOLE)

    def add(self, verdict: Verdict, number: int | None, what: str) -> None:
        """Note a fault."""
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
    """Verify a log; `keys` are the public keys that are trusted, `anchors` checkpoints kept elsewhere, with where.

    `former` are keys that may have signed anchors and all but the newest checkpoint; `pruned` notes of rows that went.
    """
    report = Report()
    signed = _signed(report, checkpoints, keys, former)
    kept = sorted(_anchored(report, anchors, (*keys, *former)), key=size_of)
    gone = _let_go(report, pruned, (*keys, *former), signed)
    claims = merge(signed.claims(), kept, key=size_of)
    _compare(report, _Tree(report, rows, read_tile, gone, progress), claims)
    return report


def _let_go(report: Report, notes: Sequence[str], keys: Sequence[NoteKey], own: SignedRoots) -> Pruned:
    """Return what notes let go that name this tree by one of its own checkpoints."""
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
    """Return why a checkpoint does not count: first of all that it is one of another log."""
    names = sorted({key.name for key in keys})
    try:
        origin = read_checkpoint(note).origin
    except NoteError:
        return f"{source}: {error}"
    if not names or origin in names:
        return f"{source}: {error}"
    return f"{source} belongs to another log: {origin[:LONGEST_NAME]!r}, not {', '.join(map(repr, names))}"


def _compare(report: Report, tree: _Tree, claims: Iterable[Claim]) -> None:
    """Walk the tree once, and hold each claim against the root at its size."""
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


class _Tree:
    """Build the tree from the rows, a tile at a time, and find where rows and stored tiles differ.

    Owns the roots of the full tiles so far. What a missing row was is taken from the tiles, so that one fault does
    not hide the others.
    """

    def __init__(
        self,
        report: Report,
        rows: Iterable[RowTuple],
        read_tile: ReadTile,
        pruned: Pruned,
        progress: Callable[[int], None],
    ) -> None:
        self._report = report
        self._pruned = pruned
        self._rows = iter(rows)
        self._read = read_tile
        self._progress = progress
        self._subtrees: list[tuple[int, bytes]] = []  # height above a tile, root; as in a binary counter
        self._levels: list[bytes] = [b""]  # of the tile that is being read, hashes of each height joined
        self._above: tuple[int, bytes] = -1, b""  # the tile of level 1 that was read last
        self._at = 0  # the first entry of that tile
        self._ahead: list[RowTuple] = []  # read already, and of a later tile

    def root_at(self, size: int) -> bytes | None:
        """Return the root over the first `size` rows, None where there are not so many; asked in rising order."""
        while self._have < size:
            if len(self._levels[0]) == FULL_BYTES:
                self._push()
            elif not self._read_block():
                return None
        roots = [root for _, root in self._subtrees]
        return fold([*roots, *self._partial(size - self._at)])

    def finish(self, size: int) -> None:
        """Read what is left: rows that no checkpoint covers, and rows that are not there any more."""
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
        """Read the rows of one tile, and hash them; False where there is none."""
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
            leaves = (self._beside_gone if is_in_order else self._mended)(rows, first, stored)
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
        # Nothing at all stands where a column was made to take NULL.
        leaves, changed = hash_rows([contents or b"" for _, _, contents in rows])
        if changed or not all(is_sound for _, is_sound, _ in rows):
            named = {rows[at][0] for at in changed} | {row[0] for row in rows if not row[1]}
            for number in sorted(named):
                self._report.add(Verdict.BROKEN, number, f"row {number} was changed")
        return leaves

    def _beside_gone(self, rows: Sequence[RowTuple], first: int, stored: bytes) -> bytes:
        """Hash rows between which others were let go: what is left of those is in the tile."""
        hashed, places = self._leaves(rows), {row[0]: at for at, row in enumerate(rows)}
        leaves = []
        for number in range(first, self._end(places, first)):
            source, place = (hashed, places[number]) if number in places else (stored, number - first)
            leaves.append(source[place * HASH_BYTES :][:HASH_BYTES] or bytes(HASH_BYTES))
        return b"".join(leaves)

    def _mended(self, rows: Sequence[RowTuple], first: int, stored: bytes) -> bytes:
        """Hash rows that are not one a number: what is missing is named, and taken from the tile."""
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
        """Return where the rows of this tile end: with the tile, where there are later ones."""
        gone = self._pruned.between(first, first + WIDTH)
        return first + WIDTH if self._ahead else max([*by_number, *gone], default=first - 1) + 1

    def _differ(self, leaves: bytes, first: int, stored: bytes) -> None:
        """Say which rows are not those in the tile; or that it is the tile which was changed."""
        index = first // WIDTH
        if len(stored) > len(leaves) and stored.startswith(leaves):
            return  # rows after these are gone, and named by what is signed
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
    """Hold each tile against the one above it: what proofs are made from. Those of the rows were, along with them."""
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
    """Return the complete subtrees over leaf hashes, those of a height joined."""
    levels = [leaves]
    while len(levels[-1]) > HASH_BYTES:
        levels.append(hash_pairs(levels[-1]))
    return levels
