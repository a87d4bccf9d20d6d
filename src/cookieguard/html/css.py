"""What a style sheet or a style attribute loads, and the sheet without it.

CSS is read by its tokens as far as needed: comments and plain strings are skipped, `url()`, `@import` and the
strings of `image-set()` are judged. A sheet that spells these words with escapes is not worth understanding:
where it names a held host at all, it is held whole (fail closed).
"""

from __future__ import annotations

import re
from collections.abc import Callable

Holds = Callable[[str], bool]  # whether a reference reaches a held host

_STRING = r"""(?:"(?:[^"\\\n]|\\.)*+(?:"|\Z|(?=\n))|'(?:[^'\\\n]|\\.)*+(?:'|\Z|(?=\n)))"""
_FILLER = r"(?:[ \t\r\n\f]|/\*(?:[^*]|\*(?!/))*+\*/)*+"
TOKENS = re.compile(
    rf"""
      (?P<comment>/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z))
    | (?P<name>@(?:namespace|charset|(?:-moz-)?document)(?:[^;{{"']|{_STRING})*+)
    | (?P<imported>@import{_FILLER})(?P<sheet>{_STRING})
    | (?P<url>\b(?:url|src|url-prefix)\([ \t\r\n\f]*+
        (?:(?P<quoted>{_STRING})[^)]*+|(?P<bare>(?:[^)\\]|\\.)*+))(?:\)|\Z))
    | (?P<set>\b(?:image-set|image|cross-fade)\()
    | (?P<string>{_STRING})
    | (?P<open>\()
    | (?P<close>\))
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
MAY_LOAD = re.compile(rb"[uU][rR][lL]\(|@[iI][mM]|image-set|-fade|image\(|src\(|\\", re.IGNORECASE)
ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})[ \t\n\f\r]?|\n|(.))", re.DOTALL)
LOADING_WORD = re.compile(r"\b(?:url|src|image-set|image|cross-fade)\(|@import", re.IGNORECASE)
ANY_URL = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.\-]*:)?[/\\]{2}[^\s\"'()<>]+")
NOTHING = "data:,"


def without_held(text: str, holds: Holds) -> str | None:
    """Return the sheet with every held reference replaced by an empty one; the same object where none is held.

    None means that it cannot be cut: the whole sheet has to be held.
    """
    if "\\" in text and _spells_with_escapes(text):
        plain = unescape(text)
        held = any(holds(url) for url in ANY_URL.findall(plain)) or any(holds(r) for r in _references(plain))
        return None if held else text
    reader = _Reader(holds)
    changed = TOKENS.sub(reader.token, text)
    return changed if reader.found else text


def unescape(text: str) -> str:
    """Decode CSS escapes."""
    return ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    if match[1]:
        code = int(match[1], 16)
        return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
    return match[2] or ""


def _spells_with_escapes(text: str) -> bool:
    return len(LOADING_WORD.findall(text)) != len(LOADING_WORD.findall(unescape(text)))


def _references(text: str) -> list[str]:
    found: list[str] = []

    def note(reference: str) -> bool:
        found.append(reference)
        return False

    TOKENS.sub(_Reader(note).token, text)
    return found


class _Reader:
    """Replace held references token by token. Owns the depth of the `image-set(` it is in."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._depth = 0
        self.found = False

    def token(self, match: re.Match[str]) -> str:
        handler = KINDS.get(match.lastgroup or "")
        # lastgroup names the outermost group that closed last: one of the alternatives
        return handler(self, match) if handler else match[0]

    def _import(self, match: re.Match[str]) -> str:
        if not self._is_held(match["sheet"][1:].rstrip(match["sheet"][0])):
            return match[0]
        return f'{match["imported"]}"{NOTHING}"'

    def _url(self, match: re.Match[str]) -> str:
        quoted = match["quoted"]
        reference = quoted[1:].rstrip(quoted[0]) if quoted else match["bare"] or ""
        return f"url({NOTHING})" if self._is_held(reference) else match[0]

    def _string(self, match: re.Match[str]) -> str:
        if not self._depth or not self._is_held(match[0][1:].rstrip(match[0][0])):
            return match[0]
        return f'"{NOTHING}"'

    def _set(self, match: re.Match[str]) -> str:
        self._depth += 1
        return match[0]

    def _open(self, match: re.Match[str]) -> str:
        self._depth += bool(self._depth)
        return match[0]

    def _close(self, match: re.Match[str]) -> str:
        self._depth -= bool(self._depth)
        return match[0]

    def _is_held(self, reference: str) -> bool:
        held = self._holds(unescape(reference))
        self.found = self.found or held
        return held


KINDS: dict[str, Callable[[_Reader, re.Match[str]], str]] = {
    "sheet": _Reader._import,
    "url": _Reader._url,
    "string": _Reader._string,
    "set": _Reader._set,
    "open": _Reader._open,
    "close": _Reader._close,
}
