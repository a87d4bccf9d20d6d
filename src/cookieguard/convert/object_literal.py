"""Parse the object literals of a JavaScript file as data. No code is run: an expression becomes None."""

from __future__ import annotations

import re
from typing import Any

TOKEN = re.compile(
    r"""(?P<space>(?:\s|//[^\n]*|/\*.*?\*/)+)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)
    |(?P<pattern>/(?![*/])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*)
    |(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    |(?P<word>[A-Za-z_$][\w$]*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r?\n)|(.))", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
WORDS = {"true": True, "false": False}
OPENS, CLOSES = "{[(", "}])"
DEEPEST = 60  # levels; a configuration has six, and thousands would overflow the stack

Token = tuple[str, str]


class Pattern(str):
    """The source of a regular expression, to distinguish it from a text."""

    __slots__ = ()


class TooDeep(ValueError):
    """Say that a text has more than DEEPEST levels, so it is no configuration."""


def objects_in(text: str) -> list[dict[str, Any]]:
    """Return each outermost object literal that has a named property, in order; raises TooDeep."""
    tokens = [
        (match.lastgroup or "", match[0]) for match in TOKEN.finditer(text) if match.lastgroup != "space"
    ]
    _require_flat(tokens)
    found, at = [], 0
    while at < len(tokens):
        if tokens[at] != ("sign", "{"):
            at += 1
            continue
        value, after = _object(tokens, at + 1)
        # An empty value means the braces of a function, whose body may have literals of its own.
        at = after if value else at + 1
        if value:
            found.append(value)
    return found


def _require_flat(tokens: list[Token]) -> None:
    """Raise TooDeep for more than DEEPEST levels, because each is parsed once for every level around it."""
    depth = 0
    for kind, word in tokens:
        if kind == "sign":
            depth = max(0, depth + (word in OPENS) - (word in CLOSES))
            if depth > DEEPEST:
                raise TooDeep(f"more than {DEEPEST} levels")


def _value(tokens: list[Token], at: int) -> tuple[Any, int]:
    """Return one value and the place after it; the value of an expression is None."""
    start = at
    kind, word = tokens[at] if at < len(tokens) else ("", "")
    value: Any = None
    if kind == "sign" and (word == "," or word in CLOSES):
        return None, at
    if word == "{" and kind == "sign":
        value, at = _object(tokens, at + 1)
    elif word == "[" and kind == "sign":
        value, at = _array(tokens, at + 1)
    else:
        value, at = _plain(kind, word), at + 1
    if at < len(tokens) and tokens[at][1] in (",", "}", "]") and tokens[at][0] == "sign":
        return value, at
    return None, _after(tokens, start)


def _plain(kind: str, word: str) -> Any:
    if kind == "text":
        return ESCAPE.sub(_unescaped, word[1:-1])
    if kind == "pattern":
        return Pattern(word[1 : word.rindex("/")])
    if kind == "number":
        return float(word)
    return WORDS.get(word)


def _object(tokens: list[Token], at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while at < len(tokens) and tokens[at] != ("sign", "}"):
        kind, word = tokens[at]
        is_named = kind in ("word", "text", "number") and tokens[at + 1 : at + 2] == [("sign", ":")]
        if is_named:
            found[_plain(kind, word) if kind == "text" else word], at = _value(tokens, at + 2)
        else:
            at = _after(tokens, at)
        at += tokens[at : at + 1] == [("sign", ",")]
        if tokens[at : at + 1] in ([("sign", "]")], [("sign", ")")]):
            at += 1  # a bracket that does not match: continue after it
    return found, at + 1


def _array(tokens: list[Token], at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while at < len(tokens) and tokens[at] != ("sign", "]"):
        value, at = _value(tokens, at)
        found.append(value)
        at += tokens[at : at + 1] == [("sign", ",")]
        if tokens[at : at + 1] in ([("sign", "}")], [("sign", ")")]):
            at += 1
    return found, at + 1


def _after(tokens: list[Token], at: int) -> int:
    """Return the place of the comma or bracket that ends an expression."""
    depth = 0
    while at < len(tokens):
        kind, word = tokens[at]
        if kind == "sign":
            if not depth and (word == "," or word in CLOSES):
                return at
            depth += (word in OPENS) - (word in CLOSES)
        at += 1
    return at


def _unescaped(match: re.Match[str]) -> str:
    if match[1] or match[2]:
        return chr(int(match[1] or match[2], 16))
    return "" if match[3] else ESCAPED.get(match[4], match[4])
