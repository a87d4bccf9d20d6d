"""The brackets of a script's code (literals already cut out), paired once, so that walks step over them."""

from __future__ import annotations

import re
from bisect import bisect_left

STRUCTURE = re.compile(rb"[()\[\]{},;\n]")
OPEN, CLOSE = b"([{", b")]}"
MAX_REACH = 4096  # bytes of code an expression is followed over


class Brackets:
    """Know where the brackets, commas and line ends of `code` stand, and which belong together."""

    def __init__(self, code: bytes) -> None:
        self.code = code
        self.at = [match.start() for match in STRUCTURE.finditer(code)]
        self.signs = b"".join(STRUCTURE.findall(code))
        self.partner = self._pair()

    def _pair(self) -> list[int]:
        """Pair by nesting alone; what has no partner gets -1."""
        partner = [-1] * len(self.signs)
        open_: list[int] = []
        for index, sign in enumerate(self.signs):
            if sign in OPEN:
                open_.append(index)
            elif sign in CLOSE and open_:
                first = open_.pop()
                partner[first], partner[index] = index, first
        return partner

    def before(self, place: int) -> int:
        """Return the index of the last structural sign before `place`."""
        return bisect_left(self.at, place) - 1

    def expression(self, start: int, *, is_call: bool = False) -> bytes:
        """Return the expression at `start`; of a call, all arguments up to the closing parenthesis."""
        index = bisect_left(self.at, start)
        while index < len(self.at) and self.at[index] < start + MAX_REACH:
            sign = self.signs[index]
            if sign in CLOSE or (not is_call and sign in b",;"):
                return self.code[start : self.at[index]]
            index = self.partner[index] + 1 if sign in OPEN and self.partner[index] > index else index + 1
        return self.code[start : start + MAX_REACH]

    def closing(self, at: int) -> int:
        """Return where the bracket at `at` closes, or the end of the code."""
        index = self.partner[bisect_left(self.at, at)]
        return self.at[index] if index >= 0 else len(self.code)

    def opening(self, at: int) -> int:
        """Return where the bracket that closes at `at` opens, or -1."""
        index = self.partner[bisect_left(self.at, at)]
        return self.at[index] if index >= 0 else -1
