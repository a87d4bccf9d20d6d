"""The doctor with the checks of all features, and what is due in all of them, day by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain

from cookieguard.config import Config
from cookieguard.config.rights.settings import zone_of
from cookieguard.engines import doctor
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features import FEATURES
from cookieguard.features.feature import Feature
from cookieguard.features.vendors.rows import in_force
from cookieguard.storage.store.protocol import StoreDown

WEEK = 7  # days


def examine(
    config: Config, *, environ: Mapping[str, str], now: datetime, asks: bool = False
) -> list[Finding]:
    """Return all findings, those of features that are switched off among them. `asks` opens linked pages."""
    checks = {feature.name: partial(_all_of, feature) for feature in FEATURES}
    config = with_vendors(Shop(config=config, environ=environ, now=now)).config
    return doctor.examine(config, checks, environ=environ, now=now, asks=asks)


def with_vendors(shop: Shop) -> Shop:
    """Return a shop with the vendors in force; if the store cannot be read, with the file's, and a check says so."""
    with suppress(StoreDown, ConfigError):
        return replace(shop, config=in_force(shop))
    return shop


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


def quick_of(shop: Shop) -> list[Finding]:
    """Return what the checks find that take no time."""
    return [one for name, check in doctor.QUICK.items() for one in doctor.findings_of(name, check, shop)]


def tasks_by_day(found: Sequence[Finding], today: date) -> dict[str, list[Finding]]:
    """Return what people have to do under its day: first what is late, last what has no day."""
    groups: dict[str, list[Finding]] = {}
    tasks = [one for one in found if one.is_due or one.task]
    for one in sorted(tasks, key=lambda one: _day(one, today)):
        groups.setdefault(_name(_day(one, today), today), []).append(one)
    return groups


def today_of(shop: Shop) -> date:
    """Return the day it is where the shop is."""
    return shop.now.astimezone(zone_of(shop.config.rights.time_zone)).date()


def time_of(one: Finding, today: date) -> str:
    """Return the day by which it is to be done, or how late it is; empty for no day."""
    if one.day == date.max:
        return ""
    ahead = (one.day - today).days
    if ahead < 0:
        return f"{-ahead} {'day' if ahead == -1 else 'days'} late"
    return f"by {one.day:%-d %B}"


def _day(one: Finding, today: date) -> date:
    return today if one.day == date.max and not one.is_fine else one.day  # what is broken waits for no day


def _name(day: date, today: date) -> str:
    if day < today:
        return "Overdue"
    near = {today: "Today", today + timedelta(days=1): "Tomorrow", date.max: "No date"}
    return near.get(day, "This week" if (day - today).days < WEEK else f"{day:%A, %-d %B %Y}")


def _all_of(feature: Feature, shop: Shop) -> Iterator[Finding]:
    return chain(feature.checks(shop), feature.due(shop))


def _due_of(feature: Feature, shop: Shop) -> Iterator[Finding]:
    return chain(feature.due(shop), (one for one in feature.checks(shop) if not one.is_fine))
