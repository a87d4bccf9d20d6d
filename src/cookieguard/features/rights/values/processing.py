"""The record of processing activities (art. 30 GDPR), made from the configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from importlib.resources import files
from operator import attrgetter
from typing import Any

from cookieguard.config import Config, DataKind, Vendor
from cookieguard.config.languages import language_of, nearest_text
from cookieguard.config.purposes import NECESSARY

STATIC = files("cookieguard.static")
ARTICLES = {
    "consent": "art. 6(1)(a)",
    "contract": "art. 6(1)(b)",
    "law": "art. 6(1)(c)",
    "interest": "art. 6(1)(f)",
}
CONTROLLER = ("name", "address", "email")  # required by art. 30 in any case
VENDOR = ("role", "data", "retention", "country")
REGISTER = ("role", "purpose", "data", "hosts", "cookies", "retention", "country", "transfer")


def facts_of(config: Config, *, today: date) -> dict[str, Any]:
    """Return the record: the controller, kinds of data, forms, vendors, cookieguard's own data, and gaps."""
    ours, lang = tomllib.loads(STATIC.joinpath("kept.toml").read_text("utf-8")), config.consent.language
    return {
        "controller": asdict(config.controller),
        "processing": [_entry(kind, language_of(lang)) for kind in config.data],
        "forms": [asdict(form) for form in config.forms],
        "vendors": [_vendor(vendor, today) for vendor in config.vendors],
        "kept": list(_counting(ours["kept"], config)),
        "measures": [row["text"] for row in _counting(ours["measures"], config)],
        "missing": list(_missing(config, ours["eea"])),
    }


def _counting(rows: Sequence[Mapping[str, str]], config: Config) -> Iterator[dict[str, str]]:
    """Yield the rows whose setting is on, with the configured figures filled in."""
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
        "data": nearest_text(kind.title, lang)[0],
        "subjects": kind.subjects,
        "purpose": nearest_text(kind.purpose, lang)[0],
        "basis": basis,
        "recipients": list(kind.recipients),
        "transfer": kind.transfer,
        "retention": kind.retention,
    }


def _vendor(vendor: Vendor, today: date) -> dict[str, Any]:
    """Return a vendor's row of the register: the data it gets, the legal basis, and whether it is blocked."""
    is_necessary = vendor.purpose == NECESSARY
    return {
        "vendor": vendor.name,
        **{name: getattr(vendor, name) for name in REGISTER},
        "basis": f"{vendor.basis or 'no consent'}: {vendor.reason}" if is_necessary else "consent",
        "contract_end": str(vendor.contract_end or ""),
        "state": _blocked(vendor, today),
    }


def _blocked(vendor: Vendor, today: date) -> str:
    if vendor.held:
        return "blocked: it is held"
    return "blocked: its contract has ended" if vendor.is_lapsed(today) else ""
