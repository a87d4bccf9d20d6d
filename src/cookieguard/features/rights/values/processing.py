"""The record of processing activities (art. 30 GDPR), made of what is configured."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from cookieguard.config import Config, DataKind, Vendor
from cookieguard.config.languages import language_of, nearest_text
from cookieguard.config.purposes import NECESSARY

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
    "third parties blocked until consent",
    "consent log, append-only and signed, with a key for each person",
    "requests from data subjects kept in a sealed queue",
)


def facts_of(config: Config, *, today: date) -> dict[str, Any]:
    """Return the record: the controller, and an entry for each kind of data, each form and each vendor."""
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
        "forms": [
            {"page": one.page, "asks": list(one.asks), "leads_to": one.leads_to} for one in config.forms
        ],
        "vendors": [_vendor(one, today) for one in config.vendors],
        "measures": list(MEASURES),
    }


def page_of(config: Config, *, today: date) -> str:
    """Return the record as a page to print."""
    return _template().render(facts=facts_of(config, today=today))


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


def _vendor(vendor: Vendor, today: date) -> dict[str, Any]:
    """Return a row of the register: who it is, what it gets on which basis, and whether its contract still runs."""
    return {
        "vendor": vendor.name,
        "role": vendor.role,
        "purpose": vendor.purpose,
        "basis": f"{vendor.basis or 'no consent'}: {vendor.reason}"
        if vendor.purpose == NECESSARY
        else "consent",
        "data": list(vendor.data),
        "hosts": list(vendor.hosts),
        "cookies": list(vendor.cookies),
        "retention": vendor.retention,
        "country": vendor.country,
        "transfer": vendor.transfer,
        "contract_end": str(vendor.contract_end or ""),
        "state": _blocked(vendor, today),
    }


def _blocked(vendor: Vendor, today: date) -> str:
    if vendor.held:
        return "blocked: it is held"
    return "blocked: its contract has ended" if vendor.is_lapsed(today) else ""


def _text(text: Any, lang: str) -> str:
    return nearest_text(text, lang)[0]


@lru_cache(maxsize=1)
def _template() -> Template:
    text = files("cookieguard.static").joinpath("templates", "processing.html").read_text("utf-8")
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(text)
