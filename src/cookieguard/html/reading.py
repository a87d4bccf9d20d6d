"""A script as walks read it: its code, whose brackets are paired where a walk comes to them, and its literals.

The code is kept backwards as well: what stands before a place is then matched from there on, as what stands
behind it is, and no pattern has to try every place before it.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, count
from operator import add

from cookieguard.html.pieces import MARK
from cookieguard.html.quick import quick

MAX_STEPS = 20_000  # over brackets, in one script
OPEN, CLOSE = b"([{", b")]}"
MAX_REACH = 2048  # bytes of code an expression is followed over
LEVELS = 8  # of brackets within each other that one match steps over
BYTES_A_STEP = 64
# Code in which one sign stands for all brackets that open, seen from where it is read, and one for all that close:
# to count them in a block takes a fraction of the time to find each, and most blocks are too deep to lead out.
FOLDS = {OPEN: bytes.maketrans(b"[{]}", b"(())"), CLOSE: bytes.maketrans(b"([{)]}", b")))(((")}
FOLDED = quick(rb"[()]")
BLOCK = 256  # bytes


def _nested(opening: bytes, closing: bytes) -> bytes:
    """Write the pattern of a bracket with brackets in it, LEVELS deep."""
    plain = rb"[^()\[\]{}]*+"
    pattern = opening + plain + closing
    for _ in range(LEVELS - 1):
        pattern = opening + _around(plain, pattern) + closing
    return pattern


def _around(plain: bytes, nested: bytes) -> bytes:
    """Write the pattern of plain code with `nested` in it: to choose between both takes longer."""
    return plain + b"(?:" + nested + plain + b")*+"


NESTED = _nested(rb"[(\[{]", rb"[)\]}]")
NESTED_BACK = _nested(rb"[)\]}]", rb"[(\[{]")
CLOSED = quick(NESTED)
CLOSED_BACK = quick(NESTED_BACK)
# Up to the comma or the bracket where an argument ends; up to the bracket where all of them end.
ARGUMENT = quick(_around(rb"[^()\[\]{},;]*+", NESTED))
ARGUMENTS = quick(_around(rb"[^()\[\]{}]*+", NESTED))
# Backwards over what stands before a place in its expression; the same over more than one of them.
OPERATOR = rb"[+\-*?:=(&|,.{\[]"
PLAIN = quick(rb"[^()\[\]{},;\n=:]*+")
SIBLINGS = quick(_around(rb"[^()\[\]{};\n]*+", rb"(?:\n\s*+(?=" + OPERATOR + rb")|" + NESTED_BACK + rb")"))
ENCLOSED_BACK = quick(_around(rb"[^()\[\]{}]*+", NESTED_BACK))


class Reading:
    """Find brackets, arguments and literals in a script. Owns how many more steps may be taken."""

    def __init__(self, code: bytes, back: bytes, joined: bytes) -> None:
        """Take the code, the same backwards, and the literals that MARKs stand for in it, each behind a MARK."""
        self.code = code
        self.back = back
        self._joined = joined
        self.size = len(code)
        self.steps = MAX_STEPS
        self._closing: dict[int, int] = {}
        self._opening: dict[int, int] = {}  # the same, backwards, by where it is read from
        self._folded: dict[bytes, bytes] = {}  # the code and the same backwards, once asked for
        self._unclosed = self.size  # the first bracket known to stay open: so does what it stands in
        self._literals: list[bytes] | None = None  # each is listed once it is asked for
        self._marks: list[int] | None = None
        self._found = self._counted = 0, 0  # a place, and how many marks are before it
        self._effort = 0  # bytes in which marks were counted
        self._words: bytes | None = None

    # -- literals

    @property
    def literals(self) -> list[bytes]:
        """List the literals."""
        if self._literals is None:
            self._literals = self._joined.split(MARK)[1:]
        return self._literals

    @property
    def marks(self) -> list[int]:
        """List where the mark of each literal stands."""
        if self._marks is None:
            self._marks = list(map(add, accumulate(map(len, self.code.split(MARK))), count()))
        return self._marks

    def mark(self, number: int) -> int:
        """Return where the mark of a literal stands; numbers only grow."""
        place, known = self._found
        place = self.size - len(self.code[place:].split(MARK, number - known + 1)[-1]) - 1
        self._found = place, number
        return place

    def _marks_before(self, place: int) -> int:
        """Count the marks before a place: from the last one on, and by a list of all where that goes to and fro."""
        if self._marks is None:
            known, number = self._counted
            self._effort += abs(place - known)
            if self._effort <= MOST_EFFORT * self.size:
                if known <= place:
                    number += self.code.count(MARK, known, place)
                else:
                    number -= self.code.count(MARK, place, known)
                self._counted = place, number
                return number
        return bisect_left(self.marks, place)

    def literal_at(self, place: int) -> bytes:
        """Return the literal whose mark is at, or next after, `place`."""
        number = self._marks_before(place)
        return self.literals[number] if number < len(self.literals) else b""

    def literal_before(self, place: int) -> bytes:
        """Return the literal whose mark is the last before `place`."""
        number = self._marks_before(place) - 1
        return self.literals[number] if number >= 0 else b""

    def literals_in(self, start: int, end: int) -> list[bytes]:
        """List the literals between two places."""
        first = self._marks_before(start)
        return self.literals[first : self._marks_before(end)]

    @property
    def words(self) -> bytes:
        """All of the script but its comments."""
        if self._words is None:
            self._words = self.code + self._joined.replace(MARK, b" ")
        return self._words

    # -- brackets

    def closing(self, at: int) -> int:
        """Return where the bracket at `at` closes, or the end of the code."""
        known = self._closing.get(at)
        if known is None:
            match = CLOSED.match(self.code, at)
            end = match.end() if match else self._partner(self.code, at, OPEN, self._unclosed)
            if not end:
                self._unclosed = min(self._unclosed, at)
            known = self._closing[at] = end - 1 if end else self.size
        return known

    def opening(self, at: int) -> int:
        """Return where the bracket that closes at `at` opens, or -1."""
        start = self.size - 1 - at
        end = self._opening.get(start)
        if end is None:
            match = CLOSED_BACK.match(self.back, start)
            if match:
                end = self._opening[start] = match.end()
            else:
                end = self._partner(self.back, start, CLOSE, self.size)
        self.steps -= ((end or self.size) - start) // BYTES_A_STEP
        return self.size - end if end else -1

    def _partner(self, code: bytes, start: int, deeper: bytes, stop: int) -> int:
        """Return the place behind the partner of a bracket with more than LEVELS in it; 0 where it has none."""
        if self.steps < 0:
            return 0
        folded = self._folded.get(deeper)
        if folded is None:
            folded = self._folded[deeper] = code.translate(FOLDS[deeper])
        depth = end = 0
        for block in range(start, stop, BLOCK):
            behind = min(block + BLOCK, stop)
            closed = folded.count(b")", block, behind)
            if depth <= closed and (end := _level(folded, block, behind, depth)):
                break
            depth += folded.count(b"(", block, behind) - closed
        self.steps -= ((end or stop) - start) // BYTES_A_STEP
        return end

    def enclosing(self, at: int) -> int:
        """Return where the bracket around the place `at` opens, or -1."""
        end = ENCLOSED_BACK.match(self.back, self.size - at).end()  # type: ignore[union-attr]  # matches always
        while end < self.size and self.back[end] in CLOSE and self.steps > 0:
            opened = self.opening(self.size - 1 - end)
            if opened < 0:
                return -1
            end = ENCLOSED_BACK.match(self.back, self.size - opened).end()  # type: ignore[union-attr]
        self.steps -= (end - self.size + at) // BYTES_A_STEP
        return self.size - 1 - end

    # -- stretches of an expression

    def arguments_end(self, start: int) -> int:
        """Return where all arguments end of the call whose parenthesis opens before `start`."""
        return ARGUMENTS.match(self.code, start, start + MAX_REACH).end()  # type: ignore[union-attr]

    def expression_end(self, start: int) -> int:
        """Return where the expression at `start` ends: at a comma, a semicolon or the bracket around it."""
        return ARGUMENT.match(self.code, start, start + MAX_REACH).end()  # type: ignore[union-attr]

    def argument_number(self, opened: int, place: int) -> int:
        """Count which argument of the call that opens at `opened` the place is in; from 0."""
        number = 0
        start = ARGUMENT.match(self.code, opened + 1, place).end()  # type: ignore[union-attr]  # matches always
        while start < place and self.code[start] == COMMA and number < MOST_ARGUMENTS:
            number += 1
            start = ARGUMENT.match(self.code, start + 1, place).end()  # type: ignore[union-attr]
        return number

    def stretch_end(self, here: int, floor: int, is_plain: bool) -> int:  # noqa: FBT001  # compiled
        """Return where, backwards from `here`, the next sign stands that a walk looks at."""
        return (PLAIN if is_plain else SIBLINGS).match(self.back, here, floor).end()  # type: ignore[union-attr]


def _level(folded: bytes, start: int, stop: int, depth: int) -> int:
    """Return the place behind the bracket that leads out of `depth` brackets, or of the first one; 0 for none."""
    for match in FOLDED.finditer(folded, start, stop):
        depth += 1 if match[0] == b"(" else -1
        if not depth:
            return match.end()
    return 0


MOST_EFFORT = 4  # times a script is read to count its marks, rather than all of them listed
COMMA = ord(",")
MOST_ARGUMENTS = 32
