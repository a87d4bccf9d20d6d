"""The doctor with the checks of all features, and what is due in all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import chain

from cookieguard.config import Config
from cookieguard.engines import doctor
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features import FEATURES
from cookieguard.features.feature import Feature


def examine(
    config: Config, *, environ: Mapping[str, str], now: datetime, asks: bool = False
) -> list[Finding]:
    """Return all findings, those of features that are switched off among them. `asks` opens linked pages."""
    checks = {feature.name: partial(_all_of, feature) for feature in FEATURES}
    return doctor.examine(config, checks, environ=environ, now=now, asks=asks)


def checks_of(shop: Shop) -> list[Finding]:
    """Return the findings of the core and of all features, without what is due for people."""
    checks: dict[str, doctor.Check] = {feature.name: feature.checks for feature in FEATURES}
    return doctor.examine(shop.config, checks, environ=shop.environ, now=shop.now)


def due_of(shop: Shop, *, is_quick: bool = False) -> list[Finding]:
    """Return what is due in the core and in all features, and what is wrong there: first the wrong, by their days.

    `is_quick` leaves out the checks of features, which may take seconds.
    """
    of_features: dict[str, doctor.Check] = {
        feature.name: feature.due if is_quick else partial(_due_of, feature) for feature in FEATURES
    }
    checks = {**doctor.DUE, **of_features}
    found = chain.from_iterable(doctor.findings_of(name, check, shop) for name, check in checks.items())
    return sorted(found, key=lambda one: (one.is_fine, not one.is_due, one.day))


def _all_of(feature: Feature, shop: Shop) -> Iterator[Finding]:
    return chain(feature.checks(shop), feature.due(shop))


def _due_of(feature: Feature, shop: Shop) -> Iterator[Finding]:
    return chain(feature.due(shop), (one for one in feature.checks(shop) if not one.is_fine))
