"""What a script's functions hand on: which names become suspect by a call, a return or a loop, and which hold markup.

The ground that walks (flows.py) go over. `flows.pyx` says the same in C.
"""

from __future__ import annotations

from cookieguard.html.elements import Elements
from cookieguard.html.functions import function_before, functions
from cookieguard.html.idioms import (
    BUILT_IN,
    EACH,
    FREE_MARKUP,
    LOOKS_UP,
    ONLY_NAME,
    PARAMETERS_AT,
    RETURNS,
    may_be_free,
)
from cookieguard.html.names import IDENTIFIER, Names
from cookieguard.html.quick import quick
from cookieguard.html.reading import BYTES_A_STEP, Reading

END_PARENTHESIS, BRACE = b"){"
MOST_BLOCKS = 16  # around a statement that returns
WALKED_THROUGH = quick(IDENTIFIER.pattern + EACH.pattern)

# What is matched backwards (reading.py): words are spelled backwards.
BLANKS = quick(rb"\s*+")
# A block that is none of a function's: by what stands before it, or before the brackets there.
BLOCK = quick(rb"\s*+(?:esle|yrt|yllanif|od)(?![\w$])")
BLOCK_HEAD = quick(rb"\s*+(?:fi|rof|elihw|hctac|htiw)(?![\w$])")


class Handing:
    """Note what becomes suspect in one script. Owns the names, and which functions were asked about."""

    def __init__(self, code: bytes, joined: bytes) -> None:
        """Take the code and the literals, each behind a MARK."""
        self._code = code
        self._back = back = code[::-1]
        self._size = len(code)
        self._has_markup = may_be_free(joined)
        self.reading = Reading(code, back, joined)
        self._names = Names(code)
        self._asked: set[tuple[bytes, int, bool]] = set()  # which parameter of which function
        self._declared: dict[bytes, list[tuple[bytes, int]]] | None = None  # its functions, once asked for
        self._is_free: dict[bytes, bool] = {}  # markup that was searched, and what was found
        self._known_elements: Elements | None = None  # once asked for

    @property
    def _elements(self) -> Elements:
        if self._known_elements is None:
            self._known_elements = Elements(self._code, self.reading)
        return self._known_elements

    # -- markup

    def _note_markup(self, start: int, end: int) -> None:
        """Note that what is followed becomes a part of markup that no policy stops, where that stands here."""
        if not self._has_markup or self._names.in_markup or self.reading.steps <= 0:
            return
        markup = b"".join(self.reading.literals_in(start, end))
        self.reading.steps -= len(markup) // BYTES_A_STEP
        if markup not in self._is_free:
            self._is_free[markup] = FREE_MARKUP.search(markup) is not None
        self._names.in_markup = self._is_free[markup]

    def _join_markup(self, start: int, end: int, name: bytes, *, fills: bool = False) -> None:
        """Note the same of what fills a template of this name, or is put behind what was given to the name."""
        if not self._has_markup or self._names.in_markup or self.reading.steps <= 0:
            return
        if b"<" not in b"".join(self.reading.literals_in(start, end)):
            made = self._elements
            self._names.in_markup = made.is_free(name) if fills else made.is_in_tag(name, start)

    # -- functions

    def _calls_at_once(self, at: int, number: int) -> None:
        """Make the parameter suspect of a function expression that is called where it ends."""
        end = self._size - BLANKS.match(self._back, self._size - at).end()  # type: ignore[union-attr]  # always
        opened = self.reading.opening(end - 1) if end and self._code[end - 1] in b")}" else -1
        if opened >= 0:
            self._suspect_parameter(self._header(opened), number, opened, end)

    def _header(self, opened: int) -> bytes:
        """Find the parameters of the function expression at, or right before, the bracket at `opened`."""
        if self._code[opened] == BRACE:
            return function_before(self._code, self._back, opened)[1]
        found = PARAMETERS_AT.match(self._code, opened)
        return next((group for group in found.groups() if group is not None), b"") if found else b""

    def _suspect_function(self, at: int, place: int) -> None:
        """Take a function as suspect that returns a suspect: `at` is where its statement begins."""
        returns = RETURNS.match(self._code, at + 1, place)
        if not returns or LOOKS_UP.search(self._code, at + 1, returns.end()):
            return
        if self._has_markup:
            self._note_markup(at + 1, self.reading.expression_end(at + 1))
        opened = at + 1
        for _ in range(MOST_BLOCKS):
            opened = self.reading.enclosing(opened)
            self.reading.steps -= 1
            if opened < 0 or self.reading.steps <= 0:
                return
            if self._code[opened] == BRACE and not self._is_block(opened):
                self._names.suspect(function_before(self._code, self._back, opened)[0])
                return

    def _is_block(self, at: int) -> bool:
        """Tell whether a block opens at `at` that is no function's, and no look-up's either."""
        here = self._size - at
        if BLOCK.match(self._back, here):
            return True
        end = self._size - BLANKS.match(self._back, here).end()  # type: ignore[union-attr]  # always
        opened = self.reading.opening(end - 1) if end and self._code[end - 1] == END_PARENTHESIS else -1
        if opened < 0 or not BLOCK_HEAD.match(self._back, self._size - opened):
            return False
        return LOOKS_UP.search(self._code, opened, end) is None

    def _hand_on(self, at: int, argument: int, number: int) -> None:
        """Make the parameter suspect of the function that is an argument of the call at `at`."""
        start = at + 1
        for _ in range(argument):
            start = self.reading.expression_end(start) + 1
        found = PARAMETERS_AT.match(self._code, start)
        if found:
            header = next(group for group in found.groups() if group is not None)
            self._suspect_parameter(header, number, start, self.reading.closing(at))
        elif named := ONLY_NAME.match(self._code, start):
            self._suspect_parameters_of(named[1], number)

    def _suspect_parameters_of(self, name: bytes, number: int) -> None:
        """Make the parameter suspect of a function this script declares."""
        asked = (name, number, self._names.in_markup)
        if name in BUILT_IN or asked in self._asked:
            return
        self._asked.add(asked)
        if self._declared is None:
            self._declared = functions(self._code, self._back)
        for header, body in self._declared.get(name, ()):
            end = self.reading.closing(body) if self._code[body] == BRACE else self._size
            self._suspect_parameter(header, number, body, end)

    def _suspect_parameter(self, header: bytes, number: int, start: int, end: int) -> None:
        names = header.split(b",")
        word = IDENTIFIER.search(names[number]) if 0 <= number < len(names) else None
        if word:
            self._names.suspect(word[0], start, end)

    def _suspect_items(self, place: int) -> None:
        """Follow the items where the name at `place` is walked through."""
        if match := WALKED_THROUGH.match(self._code, place):
            self._names.suspect_all(match[1])
