"""The first wall: a streaming HTML rewriter that makes inert what would contact a held host. No I/O, no clock."""

from __future__ import annotations

from cookieguard.html.fast.answers import Known
from cookieguard.html.insertion_point import InsertContext
from cookieguard.html.rewriter import Rewriter
from cookieguard.html.rules import Rules
from cookieguard.html.tokenizer.scanner import IS_COMPILED, Scanner
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
    "prepare",
    "readings",
    "resolve",
    "scanner",
]


def prepare(*, marks_links: bool) -> None:
    """Compile what pages are read with, so that the first one need not wait: 0.2 s of the pure build's."""
    Scanner(xml=False, marks_links=marks_links).take(Known(), True)  # noqa: FBT003  # a compiled method


def scanner() -> str:
    """Tell which build of the rewriter runs: "compiled" or "pure"."""
    return "compiled" if IS_COMPILED else "pure"
