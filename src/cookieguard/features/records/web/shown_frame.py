"""A frame that shows a banner or form as a person saw it, with its style sheet, but without scripts or requests."""

from __future__ import annotations

import ast
import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from html import unescape
from typing import NamedTuple

from cookieguard.features.records.values.shown import BANNER, FORM, PLACEHOLDER, ShownText
from cookieguard.web.assets import load_asset

AROUND = str(load_asset("shown.css").text)
STYLES_OF_PAGE = "style-src 'self'"
INLINE_TAGS = re.compile(r"</?(?:a|b|bdi|em|i|small|span|strong|time)\b[^>]*>")
TAGS = re.compile(r"<[^>]*>|\n")


class Frame(NamedTuple):
    """Hold the frame's document, the text in lines, for paper or without a frame, and the headers of the page."""

    document: str
    words: tuple[str, ...]
    headers: Mapping[str, str]


def frame_of(shown: ShownText, headers: Mapping[str, str]) -> Frame:
    """Return the frame for a text that was shown; `headers` are those of the page around it."""
    if not shown.text or shown.place not in (BANNER, FORM):
        return Frame("", _words(shown), headers)
    sheets = [sheet for sheet in (shown.style, AROUND) if sheet]
    styles = "".join(f"<style>{sheet}</style>" for sheet in sheets)
    # A srcdoc frame inherits the policy of the page around it.
    digests = " ".join(f"'sha256-{b64encode(sha256(sheet.encode()).digest()).decode()}'" for sheet in sheets)
    policy = headers["content-security-policy"].replace(STYLES_OF_PAGE, f"{STYLES_OF_PAGE} {digests}")
    document = f"<!doctype html>{styles}{shown.text}"
    return Frame(document, _words(shown), {**headers, "content-security-policy": policy})


def _words(shown: ShownText) -> tuple[str, ...]:
    """Return the lines of a text. A placeholder's texts were stored as the ASCII literal of a Python dict."""
    if shown.place == PLACEHOLDER and shown.is_same:
        with suppress(ValueError, SyntaxError):  # if the shop has its own template, that follows the literal
            return tuple(map(unescape, ast.literal_eval(shown.text).values()))
    if shown.place in (BANNER, FORM):
        main = shown.text.partition("<main>")[2] or shown.text
        lines = TAGS.split(INLINE_TAGS.sub("", main))
        return tuple(text for line in lines if (text := unescape(line).strip()))
    return (shown.text,) if shown.text else ()
