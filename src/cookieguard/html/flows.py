"""Where a string literal of a script goes: through names, parameters and lists, into what loads it or not.

A small reading of JavaScript by its brackets. From each place a suspect stands, the brackets around it are walked
outwards up to the statement: what it is assigned to, which call it is an argument of. Sinks end the search; names,
parameters and functions become suspect themselves and are looked up where they are used. Everything is bounded; a
script that exhausts the bounds is taken by what was found until then. `flows.pyx` says the same in C.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cookieguard.html.handing import Handing
from cookieguard.html.idioms import (
    ATTRIBUTE,
    ATTRIBUTE_SETTERS,
    BEGINS_LINK,
    BEGINS_MARKUP,
    CALLS,
    CALLS_IT,
    CALLS_OF_ALL,
    CLIENTS,
    EACH,
    ENDS,
    FILLS,
    FRAME_PARTS,
    GOES_TO,
    HANDS_ON,
    HINT,
    JOINS,
    KEYS,
    LOADER_NAME,
    LOADING_MARKUP,
    LOOP,
    MARKUP,
    MEANT,
    MEANT_OTHERWISE,
    METHOD,
    NAVIGATES,
    NOT_A_LOADER,
    OF_FRAME,
    OF_RULES,
    OPTIONS,
    OWN_PATH,
    QUERIES,
    SETS,
    SETTERS,
    TAKES_TEXT,
    THEN,
)
from cookieguard.html.names import IDENTIFIER
from cookieguard.html.pieces import MARK
from cookieguard.html.quick import quick
from cookieguard.html.reading import MAX_REACH, OPERATOR

PARENTHESIS, BRACKET, BRACE, END_BRACE, COLON, PLUS = b"([{}:+"
REFLECTED = (b"set", b"Reflect")
CONTINUES = quick(rb"\s*+[+?:.&|*(=)\]}]")
ARROW = quick(rb"\)\s*+=>")

# The rest is matched backwards (reading.py), so all words in it are spelled backwards.
GOES_ON = quick(rb"\s*+" + OPERATOR)
ASSIGNED = quick(rb"[=:][+|?]{0,2}\s*+(\]?)\s*+(?:([\w$]++)|\x01)(\s*+\.|)(?:(\s*+\?)|)")
CALLEE_IN_BRACKETS = quick(rb"\s*+\]\s*+\x01\s*+\[")
CALLEE_IF_ANY = quick(rb"\s*+\.\?(?=\s*+[\w$])")
CALLEE = quick(rb"\s*+([\w$]++)(?:\s*+\.\??\s*+([\w$]++)|)")
FUNCTION_HEAD = quick(rb"\s*+(?:(?:[\w$]{1,64}+\s++|)(?:\*\s*+|)noitcnuf\b|(?:hctac|elihw|fi|hctiws)\b)")
NO_OBJECT = quick(rb"\s*+(?:[);{}]|>=|(?:esle|yrt|od)\b|\Z)")
IMPORTED = quick(rb"\s*+(?:morf|tropmi)\b")
# The literal goes on where another ended that makes it part of a path or a query, or fills a hole of it.
APPENDED = quick(rb"\s*+(?:\(\s*+|)\+\s*+(?:\)[^()\x01]{0,256}+\(\+)*+\x01")


class Walk:
    """Be on the way from a suspect outwards: `here` counts backwards, from the end of the code."""

    __slots__ = ("assigns", "here", "key", "place")

    def __init__(self, place: int, here: int) -> None:
        self.place, self.here = place, here
        self.assigns = True  # whether what stands before an `=` here is assigned the suspect
        self.key = b""  # of the object the suspect is in


class Flow(Handing):
    """Follow the suspects of one script. Owns what became suspect."""

    def __init__(self, code: bytes, joined: bytes) -> None:
        """Take the code and the literals, each behind a MARK."""
        super().__init__(code, joined)
        self._has_arrows = b">" in code and b"=>" in code  # one sign is found much sooner than two
        self._left: set[tuple[int, bytes, int, bool]] = set()

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
        if sign == BRACE and key == b"href" and self._is_hint(at) and self._elements.makes_links():
            return True
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
            if start > 1 and self._code[start - 2] == PLUS:
                self._join_markup(start, self.reading.expression_end(start), name)
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

    # -- assignments

    def _loads(self, name: bytes, match: re.Match[bytes]) -> bool:
        if self._back[match.start()] == COLON:
            return name in KEYS and match[2] is not None  # a quoted key: most often one of a page's state
        if not (match[1] or match[3]):
            return False
        if name in FRAME_PARTS and self._is_of_frame(match.end(3)):
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
        return receiver is not None and receiver[1][::-1] in self._elements.links

    def _is_of_frame(self, here: int) -> bool:
        """Tell whether what stands before `back[here]` is the window of a frame, or what is within it."""
        return bool(OF_FRAME.match(self._back, here)) or self._elements.is_of_window(self._size - here)

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
        if name in MEANT_OTHERWISE:
            name = self._meant_name(at, name, receiver)
        is_set = name in SETTERS and key != b"action" and self._is_meant(key)  # options are called so too
        if is_set or (key == b"href" and self._is_hint(at)) or self._sends_frame(name, receiver, here):
            return True
        if name in ENDS and not (name == b"encodeURIComponent" and self._names.in_markup):
            return False
        is_sink = self._is_sink(name, receiver, at, number) and (
            not key or name not in CALLS or key in OPTIONS
        )
        if is_sink or (key in KEYS and name in SETTERS):
            return True
        self._hands(at, number, name, receiver, here)
        self._suspect_parameters_of(name, number)
        return None

    def _meant_name(self, at: int, name: bytes, receiver: bytes) -> bytes:
        """Return the name of the call that is meant; note markup where it puts some together."""
        if name in JOINS or name in FILLS:
            self._join_markup(at + 1, self.reading.arguments_end(at + 1), receiver, fills=name in FILLS)
        is_setter = name in CALLS_IT and receiver in ATTRIBUTE_SETTERS
        return b"setAttribute" if is_setter or (name, receiver) == REFLECTED else name

    def _hands(self, at: int, number: int, name: bytes, receiver: bytes, here: int) -> None:
        """Follow what a call of the language's or a library's hands on to a function, a list or a loop."""
        if name in CALLS_IT:
            if receiver:
                self._suspect_parameters_of(receiver, number - 1)
            else:
                self._calls_at_once(self._size - here - 1, number - 1)
        elif name in HANDS_ON:
            argument, shift = HANDS_ON[name]
            self._hand_on(at, argument, number + shift)
        elif name == b"resolve" and (then := THEN.match(self._code, self.reading.closing(at))):
            self._hand_on(then.end() - 1, 0, 0)
        elif name == b"for":
            loop = LOOP.match(self._code, at + 1)
            self._names.suspect_all(loop[1] if loop else b"")
        elif name in (b"push", b"unshift", b"add"):
            self._names.suspect(receiver)

    def _callee(self, at: int) -> tuple[bytes, bytes, int]:
        """Return the name of what is called at `at`, what it is of, and where, backwards, both begin."""
        callee = CALLEE.match(self._back, self._size - at)
        if callee is not None:
            return callee[1][::-1], (callee[2] or b"")[::-1], callee.end()
        if if_any := CALLEE_IF_ANY.match(self._back, self._size - at):
            return self._callee(self._size - if_any.end())
        callee = CALLEE_IN_BRACKETS.match(self._back, self._size - at)
        if callee is None:
            return b"", b"", 0
        return self.reading.literal_before(at)[1:-1], b"", callee.end()

    def _sends_frame(self, name: bytes, receiver: bytes, here: int) -> bool:
        """Tell whether a call takes a frame to another page."""
        return GOES_TO.get(name) == receiver and self._is_of_frame(here)

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
        if name in TAKES_TEXT:
            return self._is_meant(name) and self._is_of_rules(at + 1, self.reading.arguments_end(at + 1))
        if name == b"open":
            return self._code.startswith(MARK, at + 1) and bool(METHOD.match(self.reading.literal_at(at + 1)))
        if name in (b"get", b"post"):
            return receiver in CLIENTS
        return name in CALLS_OF_ALL or (
            LOADER_NAME.search(name) is not None and not NOT_A_LOADER.search(name)
        )

    def _is_of_rules(self, start: int, end: int) -> bool:
        """Tell whether an object stands here, in the code or as text."""
        if OF_RULES.search(self._code, start, end):
            return True
        return any(map(OF_RULES.search, self.reading.literals_in(start, end)))

    def _sets_attribute(self, at: int, receiver: bytes) -> bool:
        names = self.reading.literals_in(at + 1, self.reading.arguments_end(at + 1))
        if any(ATTRIBUTE.match(name) for name in names):
            return True
        is_link = (
            receiver in self._elements.links or BEGINS_LINK.match(self.reading.literal_before(at)) is not None
        )
        return any((name[1:-1] == b"href" and is_link) or self._is_meant(name[1:-1]) for name in names)


STEPS: dict[int, Callable[[Flow, Walk], bool | None]] = {
    **dict.fromkeys(b"([{", Flow._goes_out),
    **dict.fromkeys(b")]}", Flow._steps_over),
    **dict.fromkeys(b"=:", Flow._is_assigned),
    ord(","): Flow._comes_after,
    ord(";"): Flow._ends,
    ord("\n"): Flow._ends_line,
}
