"""Where a string literal of a script goes: through names, parameters and lists, into what loads it or not.

A small reading of JavaScript by its brackets. The text is cut into code and literals (comments go). A literal
that names a held host is a suspect, so is a bare host name (`'cdn.vendor.example'`) where the script also glues a
scheme (`'https://' + x`). From each place a suspect stands, the brackets around it are walked outwards up to the
statement: what it is assigned to, which call it is an argument of. Sinks end the search; names, parameters and
functions become suspect themselves and are looked up where they are used. Everything is bounded; a script that
exhausts the bounds is taken by what was found until then.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cookieguard.html.brackets import CLOSE, MAX_REACH, OPEN, Brackets
from cookieguard.html.hosts import named_hosts
from cookieguard.html.idioms import (
    ATTRIBUTE,
    CALLS,
    CLIENTS,
    KEYS,
    LOADER_NAME,
    LOADING_MARKUP,
    MARKUP,
    METHOD,
    NAVIGATES,
    NOT_A_LOADER,
    SETS,
)

IsHeld = Callable[[bytes], bool]

LONGEST_KEY = 64  # bytes: `names['key'] =`
MAX_NAMES = 60
MAX_STEPS = 20_000  # over brackets, in one script
MAX_PLACES = 300  # places looked at in one script

_SLASH = rb"/(?:\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|/(?<![:\\]//)[^\n]*+"
_REGEXP = (
    rb"|(?:(?<=[=(,:;!&|?{}\[\n]/)|(?<=[=(,:&|?] /)|(?<=return /))(?![*/])"
    rb"(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.){0,256}+\]){1,512}+/[a-z]*+)"
)
PIECES = re.compile(
    rb"(\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|`(?:[^`\\]|\\.)*+`?|" + _SLASH + _REGEXP + rb")",
    re.DOTALL,
)
BARE_HOST = re.compile(rb"\.?((?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,24})(?=[/:?]|\Z)")
GLUE = re.compile(rb"(?:(?:https?|wss?):)?(?:\\?/){2}(?:[A-Za-z0-9\-]+\.?)?\Z|https?:\Z")
# Names of things, never fetched: the namespaces of createElementNS, vocabularies of linked data.
NAMESPACE = re.compile(
    rb"https?:\\?/\\?/(?:www\.)?(?:w3\.org\\?/(?:1998|1999|2000|XML)|schema\.org|ogp\.me|purl\.org)"
)
HOLE = re.compile(rb"\$\{([^{}]*)\}")
MARK = re.compile(rb"\x01(\d+)\x02")
IDENTIFIER = re.compile(rb"[A-Za-z_$][\w$]*")

ASSIGNED = re.compile(rb"(\.?)(?:([A-Za-z_$][\w$]*)|\x01(\d+)\x02)\s*(\]?)\s*(?:[+|]{0,2}=(?![=>])|:)")
CALLEE = re.compile(rb"(?<![\w$])(?:([A-Za-z_$][\w$]*)\s*\??\.\s*)?([A-Za-z_$][\w$]*)\s*\Z")
FUNCTION_HEAD = re.compile(rb"\b(?:function\s*\*?\s*[\w$]*|catch|while|if|switch)\s*\Z")
ARROW = re.compile(rb"\)\s*=>")
RETURNS = re.compile(rb"\s*return\b")
FUNCTION_NAME = re.compile(
    rb"(?:function\s+([\w$]+)\s*\([^()]*\)|([\w$]+)\s*[=:]\s*(?:async\s*)?(?:function\s*[\w$]*\s*\([^()]*\)|"
    rb"\(?[\w$\s,]*\)?\s*=>)|([\w$]+)\s*\([^()]*\))\s*\Z"
)
PARAMETERS_BEFORE = re.compile(rb"(?:function\s*[\w$]*\s*\(([^()]*)\)|\(?([\w$\s,]*)\)?\s*=>)\s*\Z")
PARAMETERS_AT = re.compile(
    rb"[\s(!+\-]*(?:async\s*)?(?:function\s*[\w$]*\s*\(([^()]*)\)|\(([\w$\s,]*)\)\s*=>|([\w$]+)\s*=>)"
)
DECLARED = re.compile(
    rb"(?:\s*[=:]\s*(?:async\s*)?(?:function\s*[\w$]*\s*)?\(?([\w$\s,]*)\)?\s*(?:=>|\{)|\s*\(([^()]*)\)\s*\{)"
)
EACH = re.compile(
    rb"\]?(?:\s*\.\s*\w+\([^()]*\))?\s*\.\s*(?:forEach|map|filter|reduce|each|some|every|flatMap|find)\s*\(\s*"
    rb"(?:async\s*)?(?:function\s*[\w$]*\s*)?\(?\s*([\w$\s,]*)"
)
LOOP = re.compile(rb"\s*(?:(?:var|let|const)\s+)?([\w$]+)\s+(?:of|in)\s")

LINK_MADE = re.compile(rb"([\w$]+)\s*=\s*[\w$.]*createElement\(\s*\x01(\d+)\x02")


class Flow:
    """Follow the suspects of one script. Owns its code, its literals and what became suspect."""

    def __init__(self, text: bytes, is_held: IsHeld) -> None:
        self._is_held = is_held
        self._literals: list[bytes] = []
        parts = PIECES.split(text)
        parts[1::2] = map(self._cut, parts[1::2])
        self._code = b"".join(parts)
        self._brackets = Brackets(self._code)
        self._queue: list[int] = []
        self._names: set[tuple[bytes, int]] = set()
        self._seen: set[int] = set()
        self._steps = 0

    def reaches_a_sink(self) -> bool:
        """Tell whether a suspect flows into something that loads."""
        literals = dict.fromkeys(self._literals)
        glues = any(map(_is_glue, literals))
        judged = {literal: self._is_suspect(literal, glues=glues) for literal in literals}
        suspects = [n for n, literal in enumerate(self._literals) if judged[literal]]
        if suspects:
            wanted = frozenset(suspects)
            self._queue = [mark.start() for mark in MARK.finditer(self._code) if int(mark[1]) in wanted]
        while self._queue and len(self._seen) < MAX_PLACES and self._steps < MAX_STEPS:
            place = self._queue.pop()
            if place not in self._seen:
                self._seen.add(place)
                if self._follow(place):
                    return True
        return False

    def _cut(self, piece: bytes) -> bytes:
        if piece[:1] == b"/":
            return b" " if piece[:2] in (b"//", b"/*") else b" 0"
        self._literals.append(piece)
        mark = b"\x01%d\x02" % (len(self._literals) - 1)
        if piece[:1] != b"`" or b"${" not in piece:
            return mark
        return mark + b"".join(b"+(" + hole + b")" for hole in HOLE.findall(piece))

    def _is_suspect(self, literal: bytes, *, glues: bool) -> bool:
        if b"/" not in literal and not (glues and b"." in literal):
            return b"\\" in literal and any(map(self._is_held, named_hosts(literal)))
        if NAMESPACE.match(literal, 1):
            return False
        if any(map(self._is_held, named_hosts(literal))):
            return True
        bare = BARE_HOST.match(HOLE.sub(b"", literal[1:-1])) if glues else None
        return bool(bare and self._is_held(bare[1]))

    def _suspect(self, name: bytes, start: int = 0, end: int | None = None) -> None:
        """Take a name as suspect, from `start` to `end`: queue every place it stands at."""
        if (name, start) in self._names or (name, 0) in self._names or not name or name in NO_NAMES:
            return
        if len(self._names) >= MAX_NAMES:
            return
        self._names.add((name, start))
        self._queue += self._occurrences(name, start, len(self._code) if end is None else end)

    def _occurrences(self, name: bytes, start: int, end: int) -> list[int]:
        """List where the name stands as a whole word."""
        code, size = self._code, len(name)
        found: list[int] = []
        at = code.find(name, start, end)
        while at >= 0:
            if code[at - 1 : at] not in WORD_BYTES and code[at + size : at + size + 1] not in WORD_BYTES:
                found.append(at)
            at = code.find(name, at + size, end)
        return found

    # -- one place

    def _follow(self, place: int) -> bool:
        """Walk outwards from `place` to its statement; tell whether a sink takes it."""
        if self._is_defined_at(place):
            return False
        self._suspect_items(place)
        brackets = self._brackets
        index = brackets.before(place)
        commas, end, low = 0, place, place - MAX_REACH
        while index >= 0 and (at := brackets.at[index]) >= low:
            self._steps += 1
            sign = brackets.signs[index]
            if sign == NEWLINE and not self._is_line_end(at, place):
                index -= 1
                continue
            if self._assigns(at + 1, end):
                return True
            if sign in CLOSE and brackets.partner[index] >= 0:
                # step over what is closed; a block or object before is another expression
                index = brackets.partner[index]
                is_key = sign == END_BRACKET and at - brackets.at[index] <= LONGEST_KEY
                end = -1 if sign == END_BRACE else end if is_key or end < 0 else brackets.at[index]
            elif sign == COMMA:
                commas, end = commas + 1, -1
            else:
                taken = self._leaves(sign, at, commas, place)
                if taken is not None:
                    return taken
                commas, end = 0, at
            index -= 1
        return index < 0 and self._assigns(0, end)

    def _leaves(self, sign: int, at: int, commas: int, place: int) -> bool | None:
        """Go out of a bracket or to the end of a statement: True in a sink, False where the value ends."""
        if sign not in OPEN or self._is_block(sign, at):
            self._suspect_function(at, place)
            return False
        return True if self._enters(sign, at, commas) else None

    def _is_defined_at(self, place: int) -> bool:
        """Tell whether the name at `place` is only given a value there, or is a parameter's or key's name."""
        after = self._code[place : place + 160]
        if after[:1] == b"\x01":
            return False
        word = IDENTIFIER.match(after)
        return word is not None and DEFINES.match(after, word.end()) is not None

    def _suspect_items(self, place: int) -> None:
        """Follow the items where the name at `place` is walked through."""
        word = IDENTIFIER.match(self._code, place)
        match = EACH.match(self._code, word.end()) if word else None
        if match:
            self._suspect_all(match[1])

    def _suspect_all(self, header: bytes) -> None:
        for name in IDENTIFIER.findall(header)[:2]:
            self._suspect(name)

    def _assigns(self, start: int, end: int) -> bool:
        """Look at what the expression that ends at `end` is assigned to; tell whether that loads."""
        if end <= start:
            return False
        for match in ASSIGNED.finditer(self._code, start, end):
            name = match[2] or self._literals[int(match[3])][1:-1]
            is_key = match[0].endswith(b":")
            if is_key and self._code[start : match.start()].rstrip().endswith(b"?"):
                continue  # `c ? a : b`
            if self._loads(name, match, start, is_key=is_key):
                return True
            if name not in NAVIGATES and name not in MARKUP and IDENTIFIER.fullmatch(name):
                self._suspect(name)
        return False

    def _loads(self, name: bytes, match: re.Match[bytes], start: int, *, is_key: bool) -> bool:
        is_property = bool(match[1] or match[4])
        if is_key:
            return name in KEYS
        if name in MARKUP:
            return is_property and self._loads_by_markup(self._brackets.expression(match.end()))
        if name == b"href":
            return self._is_link(self._code[start : match.start()])
        return name in SETS and is_property

    def _is_link(self, receiver: bytes) -> bool:
        """Tell whether `receiver`.href belongs to a link element made by this script."""
        made = {name for name, n in LINK_MADE.findall(self._code) if self._literals[int(n)][1:-1] == b"link"}
        words = IDENTIFIER.findall(receiver)
        return bool(words) and words[-1] in made

    def _enters(self, sign: int, at: int, commas: int) -> bool:
        """Look at the bracket around; tell whether it is a call that loads."""
        if sign != PARENTHESIS:
            self._suspect_listed(sign, at)
            return False
        before = self._code[max(0, at - 160) : at]
        callee = CALLEE.search(before)
        if callee is None:
            return self._calls_at_once(at, commas)
        return self._calls(callee, at, commas)

    def _suspect_listed(self, sign: int, at: int) -> None:
        match = EACH.match(self._code, self._brackets.closing(at)) if sign == BRACKET else None
        if match:
            self._suspect_all(match[1])

    def _suspect_function(self, at: int, place: int) -> None:
        """Take a function as suspect that returns a suspect: `at` is where its statement begins."""
        if not RETURNS.match(self._code, at + 1, place):
            return
        index = self._brackets.before(at + 1)
        while index >= 0 and self._brackets.signs[index] != BRACE:
            partner = self._brackets.partner[index]
            index = (partner if 0 <= partner < index else index) - 1
        if index >= 0:
            opened = self._brackets.at[index]
            named = FUNCTION_NAME.search(self._code, max(0, opened - 200), opened)
            if named:
                self._suspect(named[1] or named[2] or named[3])

    def _calls_at_once(self, at: int, commas: int) -> bool:
        """Make the parameter suspect of a function expression that is called where it ends."""
        end = len(self._code[:at].rstrip())
        opened = self._brackets.opening(end - 1) if self._code[end - 1 : end] in (b")", b"}") else -1
        if opened >= 0:
            self._suspect_parameter(self._header(opened), commas, opened, end)
        return False

    def _header(self, opened: int) -> bytes:
        """Find the parameters of the function expression at, or right before, the bracket at `opened`."""
        found = PARAMETERS_AT.match(self._code, opened)
        if self._code[opened : opened + 1] == b"{":
            found = PARAMETERS_BEFORE.search(self._code, max(0, opened - 512), opened)
        return next((group for group in found.groups() if group is not None), b"") if found else b""

    def _calls(self, callee: re.Match[bytes], at: int, commas: int) -> bool:
        receiver, name = callee.groups()
        if name in (b"call", b"apply") and not receiver:
            return self._calls_at_once(at - len(callee[0].lstrip(b" \t\n.")) - 1, commas - 1)
        if name == b"for":
            loop = LOOP.match(self._code, at + 1)
            self._suspect_all(loop[1] if loop else b"")
        if name in (b"push", b"unshift", b"add") and receiver:
            self._suspect(receiver)
        if self._is_sink(name, receiver, at):
            return True
        self._suspect_parameters_of(name, commas)
        return False

    def _is_sink(self, name: bytes, receiver: bytes | None, at: int) -> bool:
        arguments = self._brackets.expression(at + 1, is_call=True)
        first = MARK.match(arguments)
        literal = self._literals[int(first[1])] if first else b""
        if name == b"open":
            return METHOD.match(literal) is not None
        if name in (b"setAttribute", b"setAttributeNS"):
            return self._sets_attribute(arguments, receiver)
        if name in (b"get", b"post"):
            return receiver in CLIENTS
        if name in MARKUP:
            return self._loads_by_markup(arguments)
        if name in CALLS:
            return True
        return bool(LOADER_NAME.search(name)) and not NOT_A_LOADER.search(name)

    def _sets_attribute(self, arguments: bytes, receiver: bytes | None) -> bool:
        names = [self._literals[int(n)] for n in MARK.findall(arguments)]
        if any(ATTRIBUTE.match(name) for name in names):
            return True
        return any(name[1:-1] == b"href" for name in names) and self._is_link(receiver or b"")

    def _suspect_parameters_of(self, name: bytes, index: int) -> None:
        """Make the parameter suspect of a function this script declares."""
        if (name, -1 - index) in self._names:
            return
        self._names.add((name, -1 - index))
        for at in self._occurrences(name, 0, len(self._code)):
            match = DECLARED.match(self._code, at + len(name))
            if match is None:
                continue
            brace = self._code.find(b"{", match.end() - 1, match.end() + 8)
            end = self._brackets.closing(brace) if brace >= 0 else None
            self._suspect_parameter(match[1] or match[2] or b"", index, match.start(), end)

    def _suspect_parameter(self, header: bytes, index: int, start: int, end: int | None) -> None:
        names = header.split(b",")
        word = IDENTIFIER.search(names[index]) if 0 <= index < len(names) else None
        if word:
            self._suspect(word[0], start, end)

    def _loads_by_markup(self, expression: bytes) -> bool:
        """Tell whether the markup in an expression loads, and not only links to, something."""
        return (
            LOADING_MARKUP.search(b"".join(self._literals[int(n)] for n in MARK.findall(expression)))
            is not None
        )

    def _is_block(self, sign: int, at: int) -> bool:
        """Tell whether a block (no object), a condition or a parameter list opens here: nothing flows out of it."""
        if sign == BRACKET:
            return False
        if sign == PARENTHESIS:
            if FUNCTION_HEAD.search(self._code, max(0, at - 80), at):
                return True
            return ARROW.match(self._code, self._brackets.closing(at)) is not None
        before = self._code[max(0, at - 32) : at].rstrip()
        return before[-1:] in (b")", b";", b"{", b"}", b"") or before.endswith(
            (b"=>", b"else", b"try", b"do")
        )

    def _is_line_end(self, at: int, place: int) -> bool:
        before = self._code[max(0, at - 64) : at].rstrip()
        if not before or before[-1:] in b"+-*?:=(&|,.{[":
            return not before and at > 64
        return CONTINUES.match(self._code, at, place + 1) is None


def _is_glue(literal: bytes) -> bool:
    """Tell whether a host may follow this literal. Two slashes or a colon are looked for first: few have them."""
    if b"//" not in literal and b"/\\/" not in literal and literal[-2:-1] != b":":
        return False
    return GLUE.search(literal, 1, len(literal) - 1) is not None


PARENTHESIS, BRACKET, BRACE, END_BRACKET, END_BRACE, COMMA, NEWLINE = b"([{]},\n"
NO_NAMES = frozenset(b"this window document self var let const return new typeof true false null".split())
WORD_BYTES = frozenset(bytes([n]) for n in range(256) if chr(n).isalnum() or chr(n) in "_$")
DEFINES = re.compile(rb"\s*(?:=(?![=>])|=>|:(?![^;{}]*\?))")
CONTINUES = re.compile(rb"\s*[+?:.&|*(=)\]}]")
