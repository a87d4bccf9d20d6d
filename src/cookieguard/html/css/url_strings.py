"""The search for strings in a style sheet that functions such as `image-set(` read as URLs.

Rule: text in, places out. After the bracket of such a function, the text is read as the CSS tokenizer reads it. If the
bracket is in a string and so has no meaning, the browser loads nothing for it, and the search only finds too much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from cookieguard.html.css.tokenizer import AFTER_HEX, ESCAPED, S

# A string goes on after the end of a line if that is part of an escape.
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
DOUBLE, SINGLE, NAME, OPENED, BRACKET = range(1, 6)  # the groups of TOKEN
CLOSERS = {"[": "]", "{": "}"}
# Functions that cannot insert a string from another place of the sheet, as `var(` can.
KNOWN = frozenset(
    "url src type format calc min max clamp rgb rgba hsl hsla image image-set cross-fade -webkit-image-set "
    "-webkit-cross-fade -moz-image-set".split()
)
# Times that a sheet may be read in full, because each bracket that is never closed is read up to the end of the sheet.
MOST_READINGS = 4

Place = tuple[int, int]


def strings_taken(text: str, brackets: Iterable[int], counts: Callable[[int], bool]) -> list[Place]:
    """Return (start, end) of the strings, without quotes, that the functions at these brackets take.

    If they may take any string, as with `var(`, return all strings of the sheet.
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
    """Return (start, end) of all text between two quotes, for a sheet in which any quote may open a string."""
    return [match.span(1) for match in BETWEEN_QUOTES.finditer(text)]


def _strings(text: str, position: int, closers: list[str]) -> tuple[list[Place], int] | None:
    """Return the strings up to the bracket that closes the first of `closers`, and its end.

    Return None if a function may take other strings."""
    found: list[Place] = []
    is_whole = not closers
    while (token := TOKEN.search(text, position)) is not None:
        position = token.end()
        if token[OPENED]:
            position = _inside(text, token, closers, is_whole=is_whole)
            if position < 0:
                return None
        elif token[BRACKET]:
            _note_bracket(token[BRACKET], closers)
            if not (closers or is_whole):
                break
        elif token.lastindex is not None:
            found.append(token.span(token.lastindex))
    return found, position


def _inside(text: str, token: re.Match[str], closers: list[str], *, is_whole: bool) -> int:
    """Return where to go on: inside a bracket, or after an unquoted URL; -1 if the function may insert any string."""
    name = (token[NAME] or "").lower()
    if "\\" in name or not (is_whole or not name or name in KNOWN or name.endswith("gradient")):
        return -1
    if name == "url" and (unquoted := UNQUOTED.match(text, token.end())):
        return unquoted.end()
    closers.append(")")
    return token.end()


def _note_bracket(bracket: str, closers: list[str]) -> None:
    """Note a bracket; a closing one without its opening one is ignored."""
    if bracket in CLOSERS:
        closers.append(CLOSERS[bracket])
    elif closers and bracket == closers[-1]:
        closers.pop()
