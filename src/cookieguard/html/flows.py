"""Where a string literal of a script goes: through names, parameters and lists, into what loads it or not.

A small reading of JavaScript by its brackets. From each place a suspect stands, the brackets around it are walked
outwards up to the statement: what it is assigned to, which call it is an argument of. Sinks end the search; names,
parameters and functions become suspect themselves and are looked up where they are used. Everything is bounded; a
script that exhausts the bounds is taken by what was found until then. `flows.pyx` says the same in C.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cookieguard.html.functions import function_before, functions
from cookieguard.html.idioms import (
    ATTRIBUTE,
    ATTRIBUTE_SETTERS,
    BEGINS_LINK,
    BEGINS_MARKUP,
    BUILT_IN,
    CALLS,
    CALLS_OF_ALL,
    CLIENTS,
    EACH,
    ELEMENT_MADE,
    ENDS,
    FRAME_PARTS,
    FREE_MARKUP,
    GOES_TO,
    HINT,
    KEYS,
    LOADER_NAME,
    LOADING_MARKUP,
    LOOP,
    MARKUP,
    MEANT,
    METHOD,
    NAVIGATES,
    NOT_A_LOADER,
    OF_FRAME,
    OPTIONS,
    OWN_PATH,
    PARAMETERS_AT,
    QUERIES,
    SETS,
    SETTERS,
    may_be_free,
)
from cookieguard.html.names import IDENTIFIER, Names
from cookieguard.html.pieces import MARK
from cookieguard.html.quick import quick
from cookieguard.html.reading import BYTES_A_STEP, MAX_REACH, OPERATOR, Reading

PARENTHESIS, BRACKET, BRACE, END_BRACE, COLON = b"([{}:"
WALKED_THROUGH = quick(IDENTIFIER.pattern + EACH.pattern)
CONTINUES = quick(rb"\s*+[+?:.&|*(=)\]}]")
ARROW = quick(rb"\)\s*+=>")
RETURNS = quick(rb"\s*+return\b")

# The rest is matched backwards (reading.py), so all words in it are spelled backwards.
BLANKS = quick(rb"\s*+")
GOES_ON = quick(rb"\s*+" + OPERATOR)
ASSIGNED = quick(rb"[=:][+|?]{0,2}\s*+(\]?)\s*+(?:([\w$]++)|\x01)(\s*+\.|)(?:(\s*+\?)|)")
CALLEE_IN_BRACKETS = quick(rb"\s*+\]\s*+\x01\s*+\[")
CALLEE = quick(rb"\s*+([\w$]++)(?:\s*+\.\??\s*+([\w$]++)|)")
FUNCTION_HEAD = quick(rb"\s*+(?:(?:[\w$]{1,64}+\s++|)(?:\*\s*+|)noitcnuf\b|(?:hctac|elihw|fi|hctiws)\b)")
NO_OBJECT = quick(rb"\s*+(?:[);{}]|>=|(?:esle|yrt|od)\b|\Z)")
IMPORTED = quick(rb"\s*+(?:morf|tropmi)\b")
MADE_FOR = quick(rb"[\w$.]*+\s*+=\s*+([\w$]+)")  # from the call that makes an element on
# The literal goes on where another ended that makes it part of a path or a query, or fills a hole of it.
APPENDED = quick(rb"\s*+(?:\(\s*+|)\+\s*+(?:\)[^()\x01]{0,256}+\(\+)*+\x01")


class Walk:
    """Be on the way from a suspect outwards: `here` counts backwards, from the end of the code."""

    __slots__ = ("assigns", "here", "key", "place")

    def __init__(self, place: int, here: int) -> None:
        self.place, self.here = place, here
        self.assigns = True  # whether what stands before an `=` here is assigned the suspect
        self.key = b""  # of the object the suspect is in


class Flow:
    """Follow the suspects of one script. Owns what became suspect."""

    def __init__(self, code: bytes, joined: bytes) -> None:
        """Take the code and the literals, each behind a MARK."""
        self._code = code
        self._back = back = code[::-1]
        self._size = len(code)
        self._has_arrows = b">" in code and b"=>" in code  # one sign is found much sooner than two
        self._has_markup = may_be_free(joined)
        self.reading = Reading(code, back, joined)
        self._names = Names(code)
        self._asked: set[tuple[bytes, int, bool]] = set()  # which parameter of which function
        self._left: set[tuple[int, bytes, int, bool]] = set()
        self._declared: dict[bytes, list[tuple[bytes, int]]] | None = None  # its functions, once asked for
        self._made: frozenset[bytes] | None = None  # its link elements, once asked for
        self._is_free: dict[bytes, bool] = {}  # markup that was searched, and what was found

    def reaches_a_sink(self, suspects: list[int]) -> bool:
        """Tell whether one of the literals with these numbers flows into something that loads."""
        for number in suspects:
            place = self.reading.mark(number)
            self._names.in_markup = False
            self._note_markup(place, place + 1)
            if IMPORTED.match(self._back, self._size - place) or self._follow(place):
                return True
        while (named := self._names.take()) is not None and self.reading.steps > 0:
            self._suspect_items(named)
            if self._follow(named):
                return True
        return False

    # -- one place

    def _follow(self, place: int) -> bool:
        """Walk outwards from `place` to its statement; tell whether a sink takes it."""
        back, reading = self._back, self.reading
        walk = Walk(place, self._size - place)
        if APPENDED.match(back, walk.here) and OWN_PATH.match(reading.literal_before(place)):
            return False
        here, floor = walk.here, min(self._size, walk.here + MAX_REACH)
        while reading.steps > 0 and here < floor:
            walk.here = here = reading.stretch_end(here, floor, walk.assigns)
            if here >= floor:
                return False
            reading.steps -= 1
            if (taken := STEPS[back[here]](self, walk)) is not None:
                return taken
            here = walk.here + 1
        return False

    # Each step looks at the sign `back[here]`: True into a sink, False where the value ends, None: further out.

    def _goes_out(self, walk: Walk) -> bool | None:
        at = self._size - 1 - walk.here
        sign, number, key = self._code[at], 0, walk.key
        if sign == BRACE and NO_OBJECT.match(self._back, walk.here + 1):
            self._suspect_function(at, walk.place)
            return False
        if sign == PARENTHESIS:
            if self._is_head(at):
                return False
            number = self.reading.argument_number(at, walk.place)
            walk.key = b""
        left = (at, key, number, self._names.in_markup)
        if left in self._left:
            return False  # what is around it is the same for all in it
        self._left.add(left)
        walk.assigns = True
        if sign != BRACE and self._has_markup:
            self._note_markup(at + 1, self.reading.arguments_end(at + 1))
        if sign == BRACKET:
            match = EACH.match(self._code, self.reading.closing(at))
            self._names.suspect_all(match[1] if match else b"")
        return self._calls(at, number, key) if sign == PARENTHESIS else None

    def _steps_over(self, walk: Walk) -> bool | None:
        at = self._size - 1 - walk.here
        opened = self.reading.opening(at)
        if opened < 0:
            return False
        walk.here = self._size - 1 - opened
        walk.assigns = walk.assigns and self._code[at] != END_BRACE  # a block or object is another expression
        return None

    def _comes_after(self, walk: Walk) -> bool | None:
        walk.assigns = False
        return None

    def _is_assigned(self, walk: Walk) -> bool | None:
        match = ASSIGNED.match(self._back, walk.here) if walk.assigns else None
        sign = self._back[walk.here]
        if match is None or self._back[walk.here - 1] in b"=>" or (match[4] and sign == COLON):
            return None  # it compares, or parts two branches
        at = self._size - match.end(1) - 1
        name = match[2][::-1] if match[2] else self.reading.literal_before(at + 1)[1:-1]
        if self._has_markup:
            start = self._size - walk.here
            self._note_markup(start, self.reading.expression_end(start))
        if self._loads(name, match):
            return True
        # markup in a variable is often called `html`, as is what takes it
        is_markup = self._names.in_markup and sign != COLON and not (match[1] or match[3])
        if name not in NAVIGATES and (name not in MARKUP or is_markup) and IDENTIFIER.fullmatch(name):
            self._names.suspect(name, 0, None, walk.key)
        if sign == COLON:
            walk.key = name
        return None

    def _ends_line(self, walk: Walk) -> bool | None:
        is_open = GOES_ON.match(self._back, walk.here) or CONTINUES.match(
            self._code, self._size - 1 - walk.here, walk.place + 1
        )
        return None if is_open else self._ends(walk)

    def _ends(self, walk: Walk) -> bool | None:
        self._suspect_function(self._size - 1 - walk.here, walk.place)
        return False

    def _is_head(self, at: int) -> bool:
        """Tell whether a condition or a parameter list opens here."""
        if FUNCTION_HEAD.match(self._back, self._size - at):
            return True
        return self._has_arrows and ARROW.match(self._code, self.reading.closing(at)) is not None

    def _note_markup(self, start: int, end: int) -> None:
        """Note that what is followed becomes a part of markup that no policy stops, where that stands here."""
        if not self._has_markup or self._names.in_markup or self.reading.steps <= 0:
            return
        markup = b"".join(self.reading.literals_in(start, end))
        self.reading.steps -= len(markup) // BYTES_A_STEP
        if markup not in self._is_free:
            self._is_free[markup] = FREE_MARKUP.search(markup) is not None
        self._names.in_markup = self._is_free[markup]

    # -- assignments

    def _loads(self, name: bytes, match: re.Match[bytes]) -> bool:
        if self._back[match.start()] == COLON:
            return name in KEYS and match[2] is not None  # a quoted key: most often one of a page's state
        if not (match[1] or match[3]):
            return False
        if name in FRAME_PARTS and OF_FRAME.match(self._back, match.end(3)):
            return True
        if name == b"href":
            return self._is_link(match.end(3))
        if name in MARKUP:
            start = self._size - match.start()
            return self._loads_by_markup(start, self.reading.expression_end(start)) or self._is_meant(name)
        return name in SETS or self._is_meant(name)

    def _is_meant(self, name: bytes) -> bool:
        """Tell whether the script has all of the words by which a property of this name loads."""
        ways = MEANT.get(name)  # most often none
        return ways is not None and any(all(word in self.reading.words for word in words) for words in ways)

    def _is_link(self, here: int) -> bool:
        """Tell whether what stands before `back[here]` is a link element made by this script."""
        receiver = CALLEE.match(self._back, here)
        return receiver is not None and receiver[1][::-1] in self._links()

    def _links(self) -> frozenset[bytes]:
        """Return the names of the link elements made by this script."""
        if self._made is None:
            made = [
                MADE_FOR.match(self._back, self._size - match.start())
                for match in ELEMENT_MADE.finditer(self._code)
                if self.reading.literal_at(match.end())[1:-1] == b"link"
            ]
            self._made = frozenset([match[1][::-1] for match in made if match])
        return self._made

    def _loads_by_markup(self, start: int, end: int) -> bool:
        """Tell whether the markup in an expression loads, and not only links to, something."""
        if self._names.in_markup:
            return True
        return LOADING_MARKUP.search(b"".join(self.reading.literals_in(start, end))) is not None

    def _makes_elements(self, start: int, end: int) -> bool:
        """Tell whether what a query is given is markup, not a selector, and loads something."""
        literals = self.reading.literals_in(start, end)
        if not literals:
            return self._names.in_markup
        return BEGINS_MARKUP.match(literals[0]) is not None and self._loads_by_markup(start, end)

    # -- calls

    def _calls(self, at: int, number: int, key: bytes) -> bool | None:
        """Look at the call whose arguments open at `at`: as `_leaves`."""
        name, receiver, here = self._callee(at)
        if not name:
            self._calls_at_once(at, number)
            return None
        is_set = name in SETTERS and key != b"action" and self._is_meant(key)  # options are called so too
        if is_set or (key == b"href" and self._is_hint(at)) or self._sends_frame(name, receiver, here):
            return True
        if name in ENDS:
            return False
        is_sink = self._is_sink(name, receiver, at, number) and (
            not key or name not in CALLS or key in OPTIONS
        )
        if is_sink or (key in KEYS and name in SETTERS):
            return True
        if name in (b"call", b"apply") and not receiver:
            self._calls_at_once(self._size - here - 1, number - 1)
        elif name == b"for":
            loop = LOOP.match(self._code, at + 1)
            self._names.suspect_all(loop[1] if loop else b"")
        elif name in (b"push", b"unshift", b"add"):
            self._names.suspect(receiver)
        self._suspect_parameters_of(name, number)
        return None

    def _callee(self, at: int) -> tuple[bytes, bytes, int]:
        """Return the name of what is called at `at`, what it is of, and where, backwards, both begin."""
        callee = CALLEE.match(self._back, self._size - at)
        if callee is not None:
            return callee[1][::-1], (callee[2] or b"")[::-1], callee.end()
        callee = CALLEE_IN_BRACKETS.match(self._back, self._size - at)
        if callee is None:
            return b"", b"", 0
        return self.reading.literal_before(at)[1:-1], b"", callee.end()

    def _sends_frame(self, name: bytes, receiver: bytes, here: int) -> bool:
        """Tell whether a call takes a frame to another page."""
        return GOES_TO.get(name) == receiver and OF_FRAME.match(self._back, here) is not None

    def _is_hint(self, at: int) -> bool:
        """Tell whether the options that a call takes are those of a link that makes the browser connect."""
        return any(map(HINT.match, self.reading.literals_in(at + 1, self.reading.arguments_end(at + 1))))

    def _is_sink(self, name: bytes, receiver: bytes, at: int, number: int) -> bool:
        if name in CALLS:
            return number == 0
        if name in MARKUP:
            end = self.reading.arguments_end(at + 1)
            return self._loads_by_markup(at + 1, end) or self._is_meant(name)
        if name in QUERIES:
            return self._makes_elements(at + 1, self.reading.arguments_end(at + 1))
        if name in ATTRIBUTE_SETTERS:
            return self._sets_attribute(at, receiver)
        if name == b"open":
            return self._code.startswith(MARK, at + 1) and bool(METHOD.match(self.reading.literal_at(at + 1)))
        if name in (b"get", b"post"):
            return receiver in CLIENTS
        return name in CALLS_OF_ALL or (
            LOADER_NAME.search(name) is not None and not NOT_A_LOADER.search(name)
        )

    def _sets_attribute(self, at: int, receiver: bytes) -> bool:
        names = self.reading.literals_in(at + 1, self.reading.arguments_end(at + 1))
        if any(ATTRIBUTE.match(name) for name in names):
            return True
        is_link = receiver in self._links() or BEGINS_LINK.match(self.reading.literal_before(at)) is not None
        return any((name[1:-1] == b"href" and is_link) or self._is_meant(name[1:-1]) for name in names)

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
        if not RETURNS.match(self._code, at + 1, place):
            return
        if self._has_markup:
            self._note_markup(at + 1, self.reading.expression_end(at + 1))
        opened = self.reading.enclosing(at + 1)
        while opened >= 0 and self._code[opened] != BRACE:
            opened = self.reading.enclosing(opened)
        if opened >= 0:
            self._names.suspect(function_before(self._code, self._back, opened)[0])

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


STEPS: dict[int, Callable[[Flow, Walk], bool | None]] = {
    **dict.fromkeys(b"([{", Flow._goes_out),
    **dict.fromkeys(b")]}", Flow._steps_over),
    **dict.fromkeys(b"=:", Flow._is_assigned),
    ord(","): Flow._comes_after,
    ord(";"): Flow._ends,
    ord("\n"): Flow._ends_line,
}
