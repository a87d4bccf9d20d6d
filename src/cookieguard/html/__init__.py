"""The streaming HTML rewriter, which makes inert every element that would contact a held host. No I/O, no clock.

A host is held while the visitor has not agreed to the purpose that it is declared for, or if it is undeclared.
"""

from __future__ import annotations

from cookieguard.html.insertion_point import InsertContext
from cookieguard.html.rewriter import Rewriter
from cookieguard.html.rules import Rules
from cookieguard.html.tokenizer.scanner import IS_COMPILED
from cookieguard.html.types import Held, Ruling
from cookieguard.html.urls import Url, parse_url, readings, resolve

__all__ = [
    "Held",
    "InsertContext",
    "Rewriter",
    "Rules",
    "Ruling",
    "Url",
    "parse_url",
    "readings",
    "resolve",
    "scanner",
]


def scanner() -> str:
    """Return which build of the rewriter runs: "compiled" or "pure"."""
    return "compiled" if IS_COMPILED else "pure"
