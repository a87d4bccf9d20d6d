"""The functions a script declares: their names, their parameters, where their bodies begin.

Rule: code in, which is kept backwards too (so all words in these patterns are spelled backwards), bytes out.
`functions.pyx` says the same in C.
"""

from __future__ import annotations

from cookieguard.html.idioms import constructors_of
from cookieguard.html.quick import quick

MAX_FUNCTIONS = 4000  # of one script
BRACE = ord("{")
ARROW_BEFORE = quick(rb"\s*+>=\s*+(?:\)([^()]{0,1024}+)\(|([\w$]++))")
FUNCTION_BEFORE = quick(rb"\s*+\)([^()]{0,1024}+)\(\s*+(?:([\w$]++)(?:\s*+\*?\s*+(noitcnuf)\b|)|)")
# Where the body of a function may begin.
BODIES = (quick(rb"\{(?=\s*+(?:\)|>=))"), quick(rb">(?==)"))  # to search for one sign is fastest
NAMED = quick(rb"\s*+(?:cnysa\s*+|)[=:]\s*+([\w$]++)")
NOITCNUF = b"noitcnuf"
CONSTRUCTOR = b"constructor"
KEYWORDS = frozenset(b"if for while switch catch with".split())


def function_before(_code: bytes, back: bytes, body: int) -> tuple[bytes, bytes]:
    """Return the name and the parameters of the function whose body is at `body`, empty if there are none."""
    here = len(back) - body
    found = FUNCTION_BEFORE.match(back, here)  # the most; an arrow is none
    is_arrow = found is None
    if found is None and (found := ARROW_BEFORE.match(back, here)) is None:
        return b"", b""
    word = b"" if is_arrow else found[2] or b""
    if is_arrow or word == NOITCNUF:
        named = NAMED.match(back, found.end())
        word = named[1] if named else b""
    header = found[1] if found[1] is not None else found[2] if is_arrow else b""
    return b"" if word[::-1] in KEYWORDS else word[::-1], header[::-1]


def functions(code: bytes, back: bytes) -> dict[bytes, list[tuple[bytes, int]]]:
    """List the parameters and the bodies of the functions, the last first, by their names."""
    found: dict[bytes, list[tuple[bytes, int]]] = {}
    places = sorted([match.start() for pattern in BODIES for match in pattern.finditer(back)])
    for place in places[:MAX_FUNCTIONS]:
        body = len(code) - place - (back[place] == BRACE)
        name, header = function_before(code, back, body)
        if name and body < len(code):
            found.setdefault(name, []).append((header, body))
    if CONSTRUCTOR in found:
        for name, bodies in constructors_of(code, found[CONSTRUCTOR]).items():
            found.setdefault(name, bodies)
    return found
