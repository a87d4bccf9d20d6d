"""Where a string literal of a script goes: through names, parameters and lists, into what loads it or not.

A small reading of JavaScript by its brackets. From each place a suspect stands, the brackets around it are walked
outwards up to the statement: what it is assigned to, which call it is an argument of. Sinks end the search; names,
parameters and functions become suspect themselves and are looked up where they are used. Everything is bounded; a
script that exhausts the bounds is taken by what was found until then.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property
from itertools import accumulate, count
from operator import add

from cookieguard.html.brackets import CLOSE, MAX_REACH, NESTED_BACK, OPEN, Brackets
from cookieguard.html.idioms import (
    ATTRIBUTE,
    BUILT_IN,
    CALLS,
    CALLS_OF_ALL,
    CLIENTS,
    ENDS,
    KEYS,
    LOADER_NAME,
    LOADING_MARKUP,
    MARKUP,
    MEANT,
    METHOD,
    NAVIGATES,
    NOT_A_LOADER,
    OPTIONS,
    SETS,
    SETTERS,
)
from cookieguard.html.pieces import MARK

MAX_NAMES = 60
MAX_STEPS = 20_000  # over brackets, in one script
MAX_PLACES = 300  # where suspect names stand, looked at in one script
OCCURRENCES_A_STEP = 4

PARENTHESIS, BRACKET, BRACE, END_BRACE, EQUALS, COLON, COMMA, NEWLINE, BLANK = b"([{}=:,\n "
WORDS_ONLY = bytes(n if chr(n).isalnum() or n in b"_$" else BLANK for n in range(256))
IDENTIFIER = re.compile(rb"[A-Za-z_$][\w$]*+")
DEFINES = re.compile(rb"\s*+(?:=(?![=>])|=>|:(?![^;{}]*\?))")
MEMBER = re.compile(rb"\s*+\??\.\s*+([\w$]++)(?!\s*+\()")
CONTINUES = re.compile(rb"\s*+[+?:.&|*(=)\]}]")
ARROW = re.compile(rb"\)\s*+=>")
RETURNS = re.compile(rb"\s*+return\b")
PARAMETERS_AT = re.compile(
    rb"[\s(!+\-]*+(?:async\s*+)?(?:function\s*+[\w$]*+\s*+\(([^()]{0,1024}+)\)|\(([\w$\s,]*+)\)\s*+=>|([\w$]++)\s*+=>)"
)
DECLARED = re.compile(
    rb"(?:\s*+[=:]\s*+(?:async\s*+)?(?:function\b\s*+[\w$]*+\s*+)?\(?([\w$\s,]*+)\)?\s*+(?:=>|\{)|"
    rb"\s*+\(([^()]{0,1024}+)\)\s*+\{)"
)
EACH = re.compile(
    rb"\]?(?:\s*+\.\s*+\w++\([^()]{0,1024}+\))?\s*+\.\s*+(?:forEach|map|filter|reduce|each|some|every|flatMap|find)"
    rb"\s*+\(\s*+(?:async\s*+)?(?:function\b\s*+[\w$]*+\s*+)?\(?\s*+([\w$\s,]*+)"
)
LOOP = re.compile(rb"\s*+(?:(?:var|let|const)\s++)?([\w$]++)\s++(?:of|in)\s")
LINK_MADE = re.compile(rb"([\w$]+)\s*+=\s*+[\w$.]*createElement\(\s*+(?=\x01)")

# The rest is matched backwards (brackets.py), so all words in it are spelled backwards.
_OPERATOR = rb"[+\-*?:=(&|,.{\[]"
PLAIN = re.compile(rb"[^()\[\]{},;\n=:]*+")
SIBLINGS = re.compile(rb"(?:[^()\[\]{};\n]++|\n\s*+(?=" + _OPERATOR + rb")|" + NESTED_BACK + rb")*+")
GOES_ON = re.compile(rb"\s*+" + _OPERATOR)
ASSIGNED = re.compile(rb"[=:][+|?]{0,2}\s*+(\]?)\s*+(?:([\w$]++)|\x01)(\.?)(\s*+\?)?")
CALLEE = re.compile(rb"\s*+([\w$]++)(?:\s*+\.\??\s*+([\w$]++))?+")
FUNCTION_HEAD = re.compile(rb"\s*+(?:(?:[\w$]{1,64}\s++)?(?:\*\s*+)?noitcnuf\b|(?:hctac|elihw|fi|hctiws)\b)")
NO_OBJECT = re.compile(rb"\s*+(?:[);{}]|>=|(?:esle|yrt|od)\b|\Z)")
ARROW_BEFORE = re.compile(rb"\s*+>=\s*+(?:\)([^()]{0,1024}+)\(|([\w$]++))")
FUNCTION_BEFORE = re.compile(rb"\s*+\)([^()]{0,1024}+)\(\s*+(?:([\w$]++)(?:\s*+\*?\s*+(noitcnuf)\b)?)?")
NAMED = re.compile(rb"\s*+(?:cnysa\s*+)?[=:]\s*+([\w$]++)")
NOITCNUF = b"noitcnuf"
KEYWORDS = frozenset(b"if for while switch catch with".split())
IMPORTED = re.compile(rb"\s*+(?:morf|tropmi)\b")
# The literal goes on where another ended that makes it part of a path or a query.
APPENDED = re.compile(rb"\s*+\+\s*+\x01")
OWN_PATH = re.compile(rb".(?:/(?![/\\])|\?|&[\w\-]*+=)[^<>\s]*+\Z")


class Flow:
    """Follow the suspects of one script. Owns what became suspect."""

    def __init__(self, code: bytes, back: bytes, literals: list[bytes]) -> None:
        """Take the code, the same backwards, and the literals."""
        self._code = code
        self._back = back
        self._literals = literals
        self._brackets = Brackets(code, back, MAX_STEPS)
        self._size = len(code)
        self._has_arrows = b"=>" in code
        self._queue: list[int] = []
        self._names: set[tuple[bytes, int]] = set()
        self._members: dict[bytes, set[bytes]] = {}  # of a name: the suspect ones, b"" for all of it
        self._is_looking_up = False
        self._declared: dict[bytes, list[re.Match[bytes]]] = {}  # by the name of a function
        self._left: set[tuple[int, bytes | int]] = set()

    def reaches_a_sink(self, suspects: list[int]) -> bool:
        """Tell whether one of the literals with these numbers flows into something that loads."""
        for number in suspects:
            place = self._marks[number]
            if IMPORTED.match(self._back, self._size - place):
                return True
            if not self._is_appended(number) and self._follow(place):
                return True
        self._is_looking_up = True
        seen: set[int] = set()
        while self._queue and len(seen) < MAX_PLACES and self._brackets.steps > 0:
            place = self._queue.pop()
            if place not in seen and not self._is_defined_at(place) and not self._is_of_another(place):
                seen.add(place)
                self._suspect_items(place)
                if self._follow(place):
                    return True
        return False

    @cached_property
    def _marks(self) -> list[int]:
        """List where the mark of each literal stands."""
        return list(map(add, accumulate(map(len, self._code.split(MARK))), count()))

    def _literal_at(self, place: int) -> bytes:
        number = bisect_left(self._marks, place)
        return self._literals[number] if number < len(self._literals) else b""

    def _literals_in(self, start: int, end: int) -> list[bytes]:
        return self._literals[bisect_left(self._marks, start) : bisect_left(self._marks, end)]

    def _is_appended(self, number: int) -> bool:
        """Tell whether the literal is part of another's path or query: `"/cart?ref=" + "https://..."`."""
        if not number or not APPENDED.match(self._back, self._size - self._marks[number]):
            return False
        return OWN_PATH.match(self._literals[number - 1]) is not None

    # -- one place

    def _follow(self, place: int) -> bool:
        """Walk outwards from `place` to its statement; tell whether a sink takes it."""
        back, size, brackets = self._back, self._size, self._brackets
        here = size - place
        floor = min(size, here + MAX_REACH)
        assigns = True  # whether what stands before an `=` here is assigned the suspect
        key = b""  # of the object the suspect is in
        while brackets.steps > 0:
            here = (PLAIN if assigns else SIBLINGS).match(back, here, floor).end()  # type: ignore[union-attr]
            if here >= floor:
                return False
            brackets.steps -= 1
            sign = back[here]
            if sign in OPEN:
                taken = self._leaves(sign, size - 1 - here, place, key)
                if taken is not None:
                    return taken
                assigns, key = True, key if sign != PARENTHESIS else b""
            elif sign in CLOSE:
                opened = brackets.opening(size - 1 - here)
                if opened < 0:
                    return False
                # a block or an object before is another expression
                assigns = assigns and sign != END_BRACE
                here = size - 1 - opened
            elif sign == COMMA:
                assigns = False
            elif sign == EQUALS or sign == COLON:
                if assigns and (match := self._assigned(here)):
                    name = self._name(match)
                    if self._assigns(name, match, key):
                        return True
                    key = name if sign == COLON else key
            elif sign != NEWLINE or self._is_line_end(here, place):
                self._suspect_function(size - 1 - here, place)
                return False
            here += 1
        return False

    def _leaves(self, sign: int, at: int, place: int, key: bytes) -> bool | None:
        """Go out of the bracket at `at`: True into a sink, False where the value ends, None: further out."""
        if sign == BRACE and NO_OBJECT.match(self._back, self._size - at):
            self._suspect_function(at, place)
            return False
        if sign == PARENTHESIS and self._is_head(at):
            return False
        number = self._brackets.argument_number(at, place) if sign == PARENTHESIS else 0
        if (at, key or number) in self._left:
            return False  # what is around it is the same for all in it
        self._left.add((at, key or number))
        if sign == BRACKET:
            match = EACH.match(self._code, self._brackets.closing(at))
            self._suspect_all(match[1] if match else b"")
        return self._calls(at, number, key) if sign == PARENTHESIS else None

    def _is_head(self, at: int) -> bool:
        """Tell whether a condition or a parameter list opens here."""
        if FUNCTION_HEAD.match(self._back, self._size - at):
            return True
        return self._has_arrows and ARROW.match(self._code, self._brackets.closing(at)) is not None

    def _is_line_end(self, here: int, place: int) -> bool:
        if GOES_ON.match(self._back, here):
            return False
        return CONTINUES.match(self._code, self._size - 1 - here, place + 1) is None

    # -- assignments

    def _assigned(self, here: int) -> re.Match[bytes] | None:
        """Match what is assigned at the sign `back[here]`; None: the sign compares, or parts two branches."""
        match = ASSIGNED.match(self._back, here)
        if match is None or self._back[here - 1] in b"=>" or (match[4] and self._back[here] == COLON):
            return None
        return match

    def _name(self, match: re.Match[bytes]) -> bytes:
        return (
            match[2][::-1]
            if match[2]
            else self._literal_at(self._size - match.end(2 if match[2] else 1) - 1)[1:-1]
        )

    def _assigns(self, name: bytes, match: re.Match[bytes], key: bytes) -> bool:
        """Look at what is assigned the suspect, or an object that has it at `key`; tell whether that loads."""
        if self._loads(name, match):
            return True
        if name not in NAVIGATES and name not in MARKUP and IDENTIFIER.fullmatch(name):
            self._suspect(name, member=key)
        return False

    def _loads(self, name: bytes, match: re.Match[bytes]) -> bool:
        if self._back[match.start()] == COLON:
            return name in KEYS and match[2] is not None  # a quoted key: most often one of a page's state
        if not (match[1] or match[3]):
            return False
        if name in MARKUP:
            start = self._size - match.start()
            return self._loads_by_markup(start, self._brackets.expression_end(start)) or self._is_meant(name)
        if name == b"href":
            return self._is_link(match.end(3))
        return name in SETS or self._is_meant(name)

    def _is_meant(self, name: bytes) -> bool:
        """Tell whether the script has all of the words by which a property of this name loads."""
        return any(all(word in self._words for word in words) for words in MEANT.get(name, ()))

    @cached_property
    def _words(self) -> bytes:
        return b" ".join([self._code, *self._literals])

    def _is_link(self, here: int) -> bool:
        """Tell whether what stands before `back[here]` is a link element made by this script."""
        receiver = CALLEE.match(self._back, here)
        return receiver is not None and receiver[1][::-1] in self._links

    @cached_property
    def _links(self) -> frozenset[bytes]:
        """The names of the link elements made by this script."""
        made = LINK_MADE.finditer(self._code)
        return frozenset(match[1] for match in made if self._literal_at(match.end())[1:-1] == b"link")

    def _loads_by_markup(self, start: int, end: int) -> bool:
        """Tell whether the markup in an expression loads, and not only links to, something."""
        return LOADING_MARKUP.search(b"".join(self._literals_in(start, end))) is not None

    # -- calls

    def _calls(self, at: int, number: int, key: bytes) -> bool | None:
        """Look at the call whose arguments open at `at`: as `_leaves`."""
        callee = CALLEE.match(self._back, self._size - at)
        if callee is None:
            self._calls_at_once(at, number)
            return None
        name, receiver = callee[1][::-1], (callee[2] or b"")[::-1]
        if name in ENDS:
            return False
        if self._is_sink(name, receiver, at, number) and (not key or name not in CALLS or key in OPTIONS):
            return True
        if key in KEYS and name in SETTERS:
            return True
        if name in (b"call", b"apply") and not receiver:
            self._calls_at_once(self._size - callee.end() - 1, number - 1)
        elif name == b"for":
            loop = LOOP.match(self._code, at + 1)
            self._suspect_all(loop[1] if loop else b"")
        elif name in (b"push", b"unshift", b"add"):
            self._suspect(receiver)
        self._suspect_parameters_of(name, number)
        return None

    def _is_sink(self, name: bytes, receiver: bytes, at: int, number: int) -> bool:
        if name in CALLS:
            return number == 0
        if name in MARKUP:
            end = at + 1 + len(self._brackets.arguments(at + 1))
            return self._loads_by_markup(at + 1, end) or self._is_meant(name)
        if name in (b"setAttribute", b"setAttributeNS"):
            return self._sets_attribute(at, receiver)
        if name == b"open":
            return self._code[at + 1 : at + 2] == MARK and METHOD.match(self._literal_at(at + 1)) is not None
        if name in (b"get", b"post"):
            return receiver in CLIENTS
        return (
            name in CALLS_OF_ALL or (LOADER_NAME.search(name) and not NOT_A_LOADER.search(name)) is not None
        )

    def _sets_attribute(self, at: int, receiver: bytes) -> bool:
        names = self._literals_in(at + 1, at + 1 + len(self._brackets.arguments(at + 1)))
        if any(ATTRIBUTE.match(name) for name in names):
            return True
        return any(
            (name[1:-1] == b"href" and receiver in self._links) or self._is_meant(name[1:-1])
            for name in names
        )

    # -- functions

    def _calls_at_once(self, at: int, number: int) -> None:
        """Make the parameter suspect of a function expression that is called where it ends."""
        end = len(self._code[:at].rstrip())
        opened = self._brackets.opening(end - 1) if end and self._code[end - 1] in b")}" else -1
        if opened >= 0:
            self._suspect_parameter(self._header(opened), number, opened, end)

    def _header(self, opened: int) -> bytes:
        """Find the parameters of the function expression at, or right before, the bracket at `opened`."""
        if self._code[opened] == BRACE:
            return self._function_before(opened)[1]
        found = PARAMETERS_AT.match(self._code, opened)
        return next((group for group in found.groups() if group is not None), b"") if found else b""

    def _function_before(self, brace: int) -> tuple[bytes, bytes]:
        """Return the name and the parameters of the function whose body opens at `brace`, empty if there are none."""
        here = self._size - brace
        arrow = ARROW_BEFORE.match(self._back, here)
        found = arrow or FUNCTION_BEFORE.match(self._back, here)
        if found is None:
            return b"", b""
        word = b"" if arrow else found[2] or b""
        if arrow or word == NOITCNUF:
            named = NAMED.match(self._back, found.end())
            word = named[1] if named else b""
        header = found[1] if found[1] is not None else found[2] if arrow else b""
        return b"" if word[::-1] in KEYWORDS else word[::-1], header[::-1]

    def _suspect_function(self, at: int, place: int) -> None:
        """Take a function as suspect that returns a suspect: `at` is where its statement begins."""
        if not RETURNS.match(self._code, at + 1, place):
            return
        opened = self._brackets.enclosing(at + 1)
        while opened >= 0 and self._code[opened] != BRACE:
            opened = self._brackets.enclosing(opened)
        if opened >= 0:
            self._suspect(self._function_before(opened)[0])

    def _suspect_parameters_of(self, name: bytes, number: int) -> None:
        """Make the parameter suspect of a function this script declares."""
        if (name, -1 - number) in self._names or name in BUILT_IN:
            return
        self._names.add((name, -1 - number))
        if name not in self._declared:
            places = self._occurrences(name, 0, self._size)
            found = [DECLARED.match(self._code, at + len(name)) for at in places]
            self._declared[name] = [match for match in found if match]
        for match in self._declared[name]:
            brace = self._code.find(b"{", match.end() - 1, match.end() + 8)
            end = self._brackets.closing(brace) if brace >= 0 else self._size
            self._suspect_parameter(match[1] or match[2] or b"", number, match.start(), end)

    def _suspect_parameter(self, header: bytes, number: int, start: int, end: int) -> None:
        names = header.split(b",")
        word = IDENTIFIER.search(names[number]) if 0 <= number < len(names) else None
        if word:
            self._suspect(word[0], start, end)

    # -- names

    def _is_defined_at(self, place: int) -> bool:
        """Tell whether the name at `place` is only given a value there, or is a parameter's or key's name."""
        word = IDENTIFIER.match(self._code, place)
        return word is not None and DEFINES.match(self._code, word.end(), place + 160) is not None

    def _is_of_another(self, place: int) -> bool:
        """Tell whether only a member of the name at `place` is taken, and one that is not suspect."""
        word = IDENTIFIER.match(self._code, place)
        members = self._members.get(word[0]) if word else None
        if word is None or not members or b"" in members:
            return False
        taken = MEMBER.match(self._code, word.end())
        return taken is not None and taken[1] not in members

    def _suspect_items(self, place: int) -> None:
        """Follow the items where the name at `place` is walked through."""
        word = IDENTIFIER.match(self._code, place)
        match = EACH.match(self._code, word.end()) if word else None
        self._suspect_all(match[1] if match else b"")

    def _suspect_all(self, header: bytes) -> None:
        for name in IDENTIFIER.findall(header)[:2]:
            self._suspect(name)

    def _suspect(self, name: bytes, start: int = 0, end: int | None = None, member: bytes = b"") -> None:
        """Take a name, or only what it has at `member`, as suspect, from `start` to `end`: queue its places."""
        if not name or name in BUILT_IN:
            return
        members = self._members.setdefault(name, set())
        is_new = member not in members and b"" not in members
        members.add(member)
        is_queued = (name, start) in self._names or (name, 0) in self._names
        if is_queued and not (is_new and self._is_looking_up):
            return
        if not is_queued and len(self._names) >= MAX_NAMES:
            return
        self._names.add((name, start))
        self._queue += self._occurrences(name, start, self._size if end is None else end)

    def _occurrences(self, name: bytes, start: int, end: int) -> list[int]:
        """List where the name stands as a whole word, at most MAX_PLACES."""
        word, found = b" " + name + b" ", list[int]()
        at = self._spaced.find(word, start, end + 2)
        while at >= 0 and len(found) < MAX_PLACES:
            found.append(at)
            at = self._spaced.find(word, at + len(name) + 1, end + 2)
        self._brackets.steps -= len(found) // OCCURRENCES_A_STEP
        return found

    @cached_property
    def _spaced(self) -> bytes:
        """The code with a blank for all that is no part of a word, and one around: shifted by one, that is."""
        return b" " + self._code.translate(WORDS_ONLY) + b" "
