"""What is to be said of contracts with vendors: which have ended, which end soon, and what lets data leave the EU."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from cookieguard.config import Config, Vendor
from cookieguard.engines.doctor_settings import Finding

SOON = timedelta(days=30)
# Where the GDPR applies: the EU and the EEA.
HOME = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()
)
RENEW = "enter the new contract_end when the contract is renewed, or remove the vendor"


def examine_contracts(config: Config, *, today: date) -> Iterator[Finding]:
    """Yield what is to be said of each vendor's contract; nothing of those whose end nobody wrote down."""
    for vendor in config.vendors:
        if vendor.is_lapsed(today):
            told = f"its contract ended on {vendor.contract_end}, so it is held for every visitor"
            yield Finding(f"vendor {vendor.name}", told, RENEW, day=vendor.contract_end or today)
        if vendor.country and vendor.country not in HOME and not vendor.transfer:
            told = f"its data go to {vendor.country}, and no legal basis for that transfer is given"
            advice = 'set transfer = "adequacy", "clauses", "rules", "consent" or "contract"'
            yield Finding(f"vendor {vendor.name}", told, advice=advice)
    for vendor in ending(config, today=today):
        told = f"its contract ends on {vendor.contract_end}; from the next day it is held for every visitor"
        yield Finding(f"vendor {vendor.name}", told, advice=RENEW, day=vendor.contract_end or today)


def ending(config: Config, *, today: date) -> list[Vendor]:
    """Return the vendors whose contract ends within 30 days, the first first."""
    found = [one for one in config.vendors if one.contract_end and today <= one.contract_end <= today + SOON]
    return sorted(found, key=lambda one: one.contract_end or today)
