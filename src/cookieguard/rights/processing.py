"""The record of processing activities (art. 30 GDPR), made of what is configured."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from cookieguard.config import Config, DataKind
from cookieguard.config.languages import language_of, text_in

ARTICLES = {
    "consent": "art. 6(1)(a)",
    "contract": "art. 6(1)(b)",
    "law": "art. 6(1)(c)",
    "interest": "art. 6(1)(f)",
}
# Art. 30(1)(g): what this software does for all of it.
MEASURES = (
    "signed and sealed cookies with revocation",
    "addresses shortened before they reach the application or a log",
    "third parties held until consent",
    "consent log, append-only and signed, with a key for each person",
    "requests of persons in a sealed queue",
)


def facts_of(config: Config) -> dict[str, Any]:
    """Return the record: the controller, and one entry for each kind of data."""
    controller = config.controller
    return {
        "controller": {
            "name": controller.name,
            "address": list(controller.address),
            "email": controller.email,
            "phone": controller.phone,
            "officer": controller.officer,
            "representative": controller.representative,
        },
        "processing": [_entry(one, language_of(config.consent.language)) for one in config.data],
        "measures": list(MEASURES),
    }


def page_of(config: Config) -> str:
    """Return the record as a page to print."""
    return _template().render(facts=facts_of(config))


def _entry(kind: DataKind, lang: str) -> dict[str, Any]:
    basis = ARTICLES[kind.basis] + (f": {kind.reason}" if kind.reason else "")
    return {
        "data": _text(kind.title, lang),
        "subjects": kind.subjects,
        "purpose": _text(kind.purpose, lang),
        "basis": basis,
        "recipients": list(kind.recipients),
        "transfer": kind.transfer,
        "retention": kind.retention,
    }


def _text(text: Any, lang: str) -> str:
    return text_in(text, lang) or next(iter(text.values()))


@lru_cache(maxsize=1)
def _template() -> Template:
    text = files("cookieguard.static").joinpath("templates", "processing.html").read_text("utf-8")
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(text)
