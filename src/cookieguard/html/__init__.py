"""The first wall: a streaming HTML rewriter that makes inert what would contact a held host. No I/O, no clock."""

from cookieguard.compiled import compiled_folder

if (_folder := compiled_folder(__path__[0])) is not None:
    __path__.insert(0, _folder)

from cookieguard.html.model import Held, Ruling  # only now it is known which build is imported
from cookieguard.html.placement import InsertContext
from cookieguard.html.rewriter import Rewriter
from cookieguard.html.rules import Rules
from cookieguard.html.scanner import IS_COMPILED
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
    """Tell which build of the rewriter runs: "compiled" or "pure"."""
    return "compiled" if IS_COMPILED else "pure"
