"""The record of processing activities (art. 30 GDPR), made of what is configured."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from operator import attrgetter
from typing import Any

from cookieguard.config import Config, DataKind, Vendor
from cookieguard.config.languages import language_of, nearest_text
from cookieguard.config.purposes import NECESSARY

ARTICLES = {
    "consent": "art. 6(1)(a)",
    "contract": "art. 6(1)(b)",
    "law": "art. 6(1)(c)",
    "interest": "art. 6(1)(f)",
}
CONTROLLER = ("name", "address", "email")  # what art. 30 asks for in any case
VENDOR = ("role", "data", "retention", "country")


def facts_of(config: Config, *, today: date) -> dict[str, Any]:
    """Return the record: the controller, each kind of data, form and vendor, what we keep, and what is missing."""
    controller, ours = config.controller, _ours()
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
        "kept": list(_counting(ours["kept"], config)),
        "measures": [one["text"] for one in _counting(ours["measures"], config)],
        "missing": list(_missing(config, ours["eea"])),
    }


def _counting(rows: Sequence[Mapping[str, str]], config: Config) -> Iterator[dict[str, str]]:
    """Yield the rows whose setting is on, with the figures of the configuration."""
    kept = ", ".join(f"{kind} {days} days" for kind, days in config.proof.kept_days.items())
    for row in rows:
        if "when" not in row or attrgetter(row["when"])(config):
            yield {name: text.format(c=config, kept=kept) for name, text in row.items() if name != "when"}


def _missing(config: Config, eea: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield what the record lacks, with the setting that adds it."""
    for name in CONTROLLER:
        if not getattr(config.controller, name):
            yield {"of": "the controller", "setting": f"controller.{name}"}
    if not config.data:
        yield {"of": "the data that the shop keeps", "setting": "data"}
    for vendor in config.vendors:
        needs = VENDOR if vendor.country in ("", *eea) else (*VENDOR, "transfer")
        lacks = [name for name in needs if not getattr(vendor, name)]
        yield from ({"of": vendor.name, "setting": f"vendors.{name}"} for name in lacks)


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
        "state": "blocked: its contract has ended" if vendor.is_lapsed(today) else "",
    }


def _text(text: Any, lang: str) -> str:
    return nearest_text(text, lang)[0]


@cache
def _ours() -> dict[str, Any]:
    return tomllib.loads(files("cookieguard.static").joinpath("kept.toml").read_text("utf-8"))
