"""The strings of a style sheet that functions like `image-set(` take for URLs.

Rule: text in, places out. From a bracket that counts on, all is read as the CSS tokenizer reads it; where a bracket
does not count (it stands in a string), nothing is loaded for it, so reading from there may only find too much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from cookieguard.html.css.tokenizer import AFTER_HEX, ESCAPED, S

# A string goes on over an end of line that is a part of an escape.
BETWEEN_QUOTES = re.compile(r"[\"']((?:\\(?:[0-9a-fA-F]{1,6}+\r?|\r)?\n|[^\"'\n])++)")
_INSIDE = rf"(?:[^{{0}}\\\n\r\f]++|\\(?:[0-9a-fA-F]{{{{1,6}}}}+{AFTER_HEX}|\r\n|[\s\S]))*+"
TOKEN = re.compile(
    r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)"
    + "".join(rf"|{quote}({_INSIDE.format(quote)}){quote}?" for quote in "\"'")
    + rf"|((?:[\w\-]|[^\x00-\x7f]|{ESCAPED})++)?(\()"
    + rf"|(?:[\w\-]|[^\x00-\x7f]|{ESCAPED})++"
    + r"|([)\]}[{])"
)
UNQUOTED = re.compile(S + r"(?![\"'])(?:[^)\\]++|\\[\s\S])*+\)?")
DOUBLE, SINGLE, NAME, OPENED, BRACKET = range(1, 6)  # the groups of a token
CLOSERS = {"[": "]", "{": "}"}
# Functions that bring in no string from elsewhere, as `var(` does.
KNOWN = frozenset(
    "url src type format calc min max clamp rgb rgba hsl hsla image image-set cross-fade -webkit-image-set "
    "-webkit-cross-fade -moz-image-set".split()
)
# How often, on average, a sheet is read from brackets on that are never closed.
MOST_READINGS = 4

Place = tuple[int, int]


def strings_taken(text: str, brackets: Iterable[int], counts: Callable[[int], bool]) -> list[Place]:
    """List what is between the quotes of strings that the functions at these brackets take.

    Where they may take any, as by `var(`, it is all the strings of the sheet.
    """
    found: list[Place] = []
    left = MOST_READINGS * len(text)
    for bracket in brackets:
        if not counts(bracket):
            continue
        arguments = _strings(text, bracket + 1, [")"])
        left -= arguments[1] - bracket if arguments else 0
        if arguments is None or left < 0:
            every = _strings(text, 0, [])
            return between_quotes(text) if every is None else every[0]
        found += arguments[0]
    return sorted(set(found))


def between_quotes(text: str) -> list[Place]:
    """List what is between any two quotes: which of them open a string is not told."""
    return [match.span(1) for match in BETWEEN_QUOTES.finditer(text)]


def _strings(text: str, position: int, closers: list[str]) -> tuple[list[Place], int] | None:
    """List strings up to the bracket that closes the first of `closers`, or to the end; None: it may take others."""
    found: list[Place] = []
    is_whole = not closers
    while (token := TOKEN.search(text, position)) is not None:
        position = token.end()
        if token[OPENED]:
            position = _inside(text, token, closers, is_whole=is_whole)
            if position < 0:
                return None
        elif token[BRACKET]:
            _turn(token[BRACKET], closers)
            if not (closers or is_whole):
                break
        elif token.lastindex is not None:
            found.append(token.span(token.lastindex))
    return found, position


def _inside(text: str, token: re.Match[str], closers: list[str], *, is_whole: bool) -> int:
    """Return where to go on in a bracket, or behind that of a URL without quotes; -1: it may bring in any string."""
    name = (token[NAME] or "").lower()
    if "\\" in name or not (is_whole or not name or name in KNOWN or name.endswith("gradient")):
        return -1
    if name == "url" and (unquoted := UNQUOTED.match(text, token.end())):
        return unquoted.end()
    closers.append(")")
    return token.end()


def _turn(bracket: str, closers: list[str]) -> None:
    """Note a bracket: one that closes nothing is none."""
    if bracket in CLOSERS:
        closers.append(CLOSERS[bracket])
    elif closers and bracket == closers[-1]:
        closers.pop()
