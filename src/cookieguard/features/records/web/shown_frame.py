"""What a person saw, in a frame of its own: with its style sheet, and without scripts, forms or requests."""

from __future__ import annotations

import ast
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from html import unescape
from typing import NamedTuple

from cookieguard.features.records.values.shown import BANNER, FORM, PLACEHOLDER, ShownText
from cookieguard.web.assets import load_asset

AROUND = str(load_asset("shown.css").text)
STYLES_OF_PAGE = "style-src 'self'"


class Frame(NamedTuple):
    """Hold the frame's document, or the words that take its place, and the headers of the page around it."""

    document: str
    words: tuple[str, ...]
    headers: Mapping[str, str]


def frame_of(shown: ShownText, headers: Mapping[str, str]) -> Frame:
    """Return the frame of what was shown; `headers` are those of the page around it."""
    if not shown.text or shown.place not in (BANNER, FORM):
        return Frame("", _words(shown), headers)
    sheets = [one for one in (shown.style, AROUND) if one]
    styles = "".join(f"<style>{one}</style>" for one in sheets)
    return Frame(f"<!doctype html>{styles}{shown.text}", (), with_styles(headers, sheets))


def with_styles(headers: Mapping[str, str], sheets: Iterable[str]) -> dict[str, str]:
    """Return the headers of a page with a frame that has these style sheets: it inherits the page's policy."""
    digests = " ".join(f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in sheets)
    policy = headers["content-security-policy"].replace(STYLES_OF_PAGE, f"{STYLES_OF_PAGE} {digests}")
    return {**headers, "content-security-policy": policy}


def _words(shown: ShownText) -> tuple[str, ...]:
    """Return the lines of a text; those of a placeholder were kept as Python writes them, in ASCII."""
    if shown.place == PLACEHOLDER and shown.is_same:
        with suppress(ValueError, SyntaxError):  # the shop's own template follows them
            return tuple(map(unescape, ast.literal_eval(shown.text).values()))
    return (shown.text,) if shown.text else ()
