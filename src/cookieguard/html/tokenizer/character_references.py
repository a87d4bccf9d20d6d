"""Decoding and encoding of HTML's character references, which have different rules in attributes and in text."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.entities import html5

REFERENCE = re.compile(r"&(?:#[xX]([0-9a-fA-F]+);?|#([0-9]+);?|([a-zA-Z][a-zA-Z0-9]*)(;?))(=?)")
LONGEST_LEGACY_NAME = 6  # characters of names that work without `;`, such as `frac12`
REPLACEMENT = "\ufffd"
MANY = 64  # references in a text from which on each different one is decoded only once
BLOCK = 64 * 1024  # characters that are split at once, because each part costs 60 bytes


def decode_attribute(text: str) -> str:
    """Return an attribute's value with its references decoded. A name without `;` before `=` or a letter stays.

    >>> decode_attribute("//h&sol;?a=1&copy=2&#x2f;")
    '//h/?a=1&copy=2/'
    """
    return _decoded(text, _decode) if "&" in text else text


def decode_text(text: str) -> str:
    """Return text with its references decoded. Here a name without `;` counts, whatever follows it."""
    return _decoded(text, _decode_loosely) if "&" in text else text


def encode_attribute(text: str, quote: str) -> str:
    """Return text escaped for an attribute whose value has these quotes."""
    quoted = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return quoted.replace('"', "&quot;") if quote == '"' else quoted.replace("'", "&#39;")


def _decoded(text: str, decode: Callable[[re.Match[str]], str]) -> str:
    if text.count("&") < MANY:
        return REFERENCE.sub(decode, text)
    blocks, start = [], 0
    while start < len(text):
        end = text.find("&", start + BLOCK)
        end = len(text) if end < 0 else end
        blocks.append(_decoded_once_each(text[start:end], decode))
        start = end
    return "".join(blocks)


def _decoded_once_each(text: str, decode: Callable[[re.Match[str]], str]) -> str:
    """Decode each different part that begins with `&` once, because a text of many references repeats a few."""
    first, *parts = text.split("&")
    decoded = {part: REFERENCE.sub(decode, f"&{part}") for part in set(parts)}
    return first + "".join(map(decoded.__getitem__, parts))


def _decode(match: re.Match[str]) -> str:
    hexadecimal, decimal, name, semicolon, equals = match.groups()
    if name is None:
        return _character(hexadecimal, decimal) + equals
    known = html5.get(name + semicolon)
    if known is None or (equals and not semicolon):
        return match[0]
    return known + equals


def _decode_loosely(match: re.Match[str]) -> str:
    hexadecimal, decimal, name, semicolon, equals = match.groups()
    if name is None:
        return _character(hexadecimal, decimal) + equals
    known = html5.get(name + semicolon)
    if known is not None:
        return known + equals
    for length in range(min(len(name), LONGEST_LEGACY_NAME), 1, -1):
        known = html5.get(name[:length])
        if known is not None:
            return known + name[length:] + semicolon + equals
    return match[0]


def _character(hexadecimal: str | None, decimal: str | None) -> str:
    digits = (hexadecimal or decimal or "0").lstrip("0")
    if len(digits) > 7:
        return REPLACEMENT
    code = int(digits or "0", 16 if hexadecimal else 10)
    if 0x80 <= code <= 0x9F:
        return bytes([code]).decode("cp1252", "replace")
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return REPLACEMENT
    return chr(code)
