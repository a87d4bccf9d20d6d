"""The search for imports, URLs and comments in the text of a style sheet.

Rule: text in, places out; this module does not know which hosts are held. `fast/plain_sheet.pyx` finds the URLs of
plain sheets in C.
"""

from __future__ import annotations

import re

S = r"[ \t\r\n\f]*+"
AFTER_HEX = r"(?:\r\n|[ \t\n\r\f])?+"  # one blank after a numeric escape is part of it
ESCAPED = rf"\\(?:[0-9a-fA-F]{{1,6}}+{AFTER_HEX}|[^\n\r\f])"  # in a name
IN_STRING = rf"\\(?:[0-9a-fA-F]{{1,6}}+{AFTER_HEX}|\r\n|.)"
STRING = re.compile(
    rf"\"(?:[^\"\\\n]++|{IN_STRING})*+(?:\"|\Z|(?=\n))|'(?:[^'\\\n]++|{IN_STRING})*+(?:'|\Z|(?=\n))",
    re.DOTALL,
)
IMPORT = re.compile(rf"@[iI][mM][pP][oO][rR][tT]{S}(?=[\"'/])")
BLANK = re.compile(S)
# The pattern begins with the bracket, because a search for a single character is fast. Browsers do not fetch an
# unquoted url() with quotes, brackets or blanks in it. `data:` contacts no host, so its end is not searched.
OPENED = re.compile(
    r"\((?:(?:(?<=[uU][rR][lL]\()|(?<=[sS][rR][cC]\()|(?<=[xX]\())"
    rf"(?={S}(?![\"']?data:)(?:({STRING.pattern})|"
    rf"(?=[^)])((?:[^ \t\r\n\f\"'()\\]++|\\[0-9a-fA-F]{{1,6}}+{AFTER_HEX}|\\.)*+){S}(?:\)|\Z)))|"
    # A function that takes strings, unless its arguments are only words and numbers, as in `BasicImage(rotation=1)`.
    r"((?:(?<=-[sS][eE][tT]\()|(?<=[mM][aA][gG][eE]\()|(?<=-[fF][aA][dD][eE]\())(?![a-zA-Z0-9 =.,\-]*+\))))",
    re.DOTALL,
)
IS_STRING, TAKES_STRINGS = 1, 3  # the groups of OPENED; group 2 is a URL without quotes
# A comment in group 1, or a string, an escape or an unquoted url(), in which `/*` begins no comment. Each alternative
# begins with its own character and not with a group, so that the search skips all other characters at once.
_ESCAPED = r"\\(?:[0-9a-fA-F]{1,6}[ \t\n\r\f]?|[^\n\r\f])(?:[\w\-]|[^\x00-\x7f])*+"
STRETCH = re.compile(
    r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)()|\"(?:[^\"\\\n\r\f]++|\\.)*+\"?|'(?:[^'\\\n\r\f]++|\\.)*+'?|"
    + _ESCAPED
    + r"(?:"
    + _ESCAPED
    + r")*+(\()?|"
    r"\((?<=[uU][rR][lL]\()(?<![\w\-][uU][rR][lL]\()(?<![^\x00-\x7f][uU][rR][lL]\()"
    + S
    + r"(?![\"'])(?:[^)\\]++|\\.)*+",
    re.DOTALL,
)
# An escape of a letter or a hyphen, because only these can spell the words that load. It has at most six digits, so a
# digit after them does not belong to it.
_LETTER = r"(?:[46][1-9a-fA-F]|[57][0-9aA]|2[dD])"
ESCAPED_LETTER = re.compile(rf"\\(?:0{{4}}{_LETTER}|0{{0,3}}{_LETTER}(?![0-9a-fA-F])|[g-zG-Z\-])")


def imports(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of the strings after `@import`. The search stops at a comment that never ends."""
    found: list[tuple[int, int]] = []
    closed = 0  # the end of the last comment, which is searched only once
    for match in IMPORT.finditer(text):
        position = match.end()
        while text.startswith("/*", position):
            if closed < position + 4:
                closed = text.find("*/", position + 2) + 2
                if closed < 2:
                    return found
            position = BLANK.match(text, closed).end()  # type: ignore[union-attr]  # matches always
        string = STRING.match(text, position)
        if string:
            found.append(string.span())
    return found


def urls_in(text: str) -> tuple[list[tuple[int, int, bool]], list[int]]:
    """Return (start, end, is_string) of the URLs in functions, and the brackets of functions that take strings.

    A URL that begins with `data:` is left out, because it contacts no host.
    """
    found: list[tuple[int, int, bool]] = []
    takers: list[int] = []
    for opened in OPENED.finditer(text):
        kind = opened.lastindex
        if kind == TAKES_STRINGS:
            takers.append(opened.start())
        else:
            found.append((*opened.span(kind or 2), kind == IS_STRING))
    return found, takers


def comments(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of the comments, up to a function whose name has escapes, because it may be `url`."""
    found: list[tuple[int, int]] = []
    for match in STRETCH.finditer(text):
        if match[2]:
            break
        if match[1] is not None:
            found.append(match.span())
    return found
