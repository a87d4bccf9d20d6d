"""What the text of a style sheet contains: its imports, the URLs in its functions, its comments.

Rule: text in, places out; nothing here knows who is held. Of plain sheets `fast/plain_sheet.pyx` finds the URLs in C.
"""

from __future__ import annotations

import re

S = r"[ \t\r\n\f]*+"
AFTER_HEX = r"(?:\r\n|[ \t\n\r\f])?+"  # one blank ends the escape of a number, and is a part of it
ESCAPED = rf"\\(?:[0-9a-fA-F]{{1,6}}+{AFTER_HEX}|[^\n\r\f])"  # in a name
IN_STRING = rf"\\(?:[0-9a-fA-F]{{1,6}}+{AFTER_HEX}|\r\n|.)"
STRING = re.compile(
    rf"\"(?:[^\"\\\n]++|{IN_STRING})*+(?:\"|\Z|(?=\n))|'(?:[^'\\\n]++|{IN_STRING})*+(?:'|\Z|(?=\n))",
    re.DOTALL,
)
IMPORT = re.compile(rf"@[iI][mM][pP][oO][rR][tT]{S}(?=[\"'/])")
BLANK = re.compile(S)
# The bracket leads, so that the search for it is one for a single character. Quotes, brackets and blanks inside an
# unquoted url() make it a bad one, which nobody fetches; `data:` reaches nobody, and is not searched for its end.
OPENED = re.compile(
    r"\((?:(?:(?<=[uU][rR][lL]\()|(?<=[sS][rR][cC]\()|(?<=[xX]\())"
    rf"(?={S}(?![\"']?data:)(?:({STRING.pattern})|"
    rf"(?=[^)])((?:[^ \t\r\n\f\"'()\\]++|\\[0-9a-fA-F]{{1,6}}+{AFTER_HEX}|\\.)*+){S}(?:\)|\Z)))|"
    # A function that takes strings, unless all it is given are words and numbers: `BasicImage(rotation=1)`.
    r"((?:(?<=-[sS][eE][tT]\()|(?<=[mM][aA][gG][eE]\()|(?<=-[fF][aA][dD][eE]\())(?![a-zA-Z0-9 =.,\-]*+\))))",
    re.DOTALL,
)
IS_STRING, TAKES_STRINGS = 1, 3  # the groups of one; 2: a URL without quotes
# As the tokenizer reads: a comment is none in a string, in an unquoted url() or behind an escape. Each way begins with
# its sign, and no group: so all but these signs are passed over at once.
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
# An escape that makes a letter or a hyphen: only these can spell one of the words that load in another way.
# It has six digits at most, so what follows them is none.
_LETTER = r"(?:[46][1-9a-fA-F]|[57][0-9aA]|2[dD])"
ESCAPED_LETTER = re.compile(rf"\\(?:0{{4}}{_LETTER}|0{{0,3}}{_LETTER}(?![0-9a-fA-F])|[g-zG-Z\-])")


def imports(text: str) -> list[tuple[int, int]]:
    """List from where to where strings are that are imported as they stand, up to a comment that never ends."""
    found: list[tuple[int, int]] = []
    closed = 0  # where the comment ends that was looked for last: it is looked for once
    for one in IMPORT.finditer(text):
        position = one.end()
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
    """List the URLs in functions, as (start, end, whether it is a string), and the brackets of those that take strings.

    What begins with `data:` is left out: it reaches nobody.
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
    """List where comments are, up to a function whose name is written with escapes: it may be `url`."""
    found: list[tuple[int, int]] = []
    for match in STRETCH.finditer(text):
        if match[2]:
            break
        if match[1] is not None:
            found.append(match.span())
    return found
