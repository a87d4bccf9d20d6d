"""Run the doctor with the checks of all features, and list the tasks of all features by day."""

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
    """Return all findings, also those of features that are switched off. `asks` opens linked pages."""
    checks = {feature.name: partial(_all_of, feature) for feature in FEATURES}
    config = with_vendors(Shop(config=config, environ=environ, now=now)).config
    return doctor.examine(config, checks, environ=environ, now=now, asks=asks)


def with_vendors(shop: Shop) -> Shop:
    """Return the shop with the vendors in force, or with its file's if the store is down, which a check reports."""
    with suppress(StoreDown, ConfigError):
        return replace(shop, config=in_force(shop))
    return shop


def checks_of(shop: Shop) -> list[Finding]:
    """Return the findings of the core and of all features, without people's tasks."""
    checks: dict[str, doctor.Check] = {feature.name: feature.checks for feature in FEATURES}
    return doctor.examine(shop.config, checks, environ=shop.environ, now=shop.now)


def due_of(shop: Shop, *, is_quick: bool = False) -> list[Finding]:
    """Return the tasks and the failures of the core and of all features: failures first, then by day.

    `is_quick` leaves out the checks of features, which may take seconds.
    """
    of_features: dict[str, doctor.Check] = {
        feature.name: feature.due if is_quick else partial(_due_of, feature) for feature in FEATURES
    }
    checks = {**doctor.DUE, **of_features}
    found = chain.from_iterable(doctor.findings_of(name, check, shop) for name, check in checks.items())
    return sorted(found, key=lambda finding: (finding.is_fine, not finding.is_due, finding.day))


def quick_of(shop: Shop) -> list[Finding]:
    """Return the findings of the checks that are quick."""
    return [found for name, check in doctor.QUICK.items() for found in doctor.findings_of(name, check, shop)]


def tasks_by_day(found: Sequence[Finding], today: date) -> dict[str, list[Finding]]:
    """Return people's tasks grouped by day: overdue ones first, those without a day last."""
    groups: dict[str, list[Finding]] = {}
    tasks = [finding for finding in found if finding.is_due or finding.task]
    for task in sorted(tasks, key=lambda task: _day(task, today)):
        groups.setdefault(_name(_day(task, today), today), []).append(task)
    return groups


def today_of(shop: Shop) -> date:
    """Return today's date in the shop's time zone."""
    return shop.now.astimezone(zone_of(shop.config.rights.time_zone)).date()


def time_of(finding: Finding, today: date) -> str:
    """Return the day by which a task is due, or how late it is; empty if it has no day."""
    if finding.day == date.max:
        return ""
    ahead = (finding.day - today).days
    if ahead < 0:
        return f"{-ahead} {'day' if ahead == -1 else 'days'} late"
    return f"by {finding.day:%-d %B}"


def _day(finding: Finding, today: date) -> date:
    return today if finding.day == date.max and not finding.is_fine else finding.day  # a failure is due today


def _name(day: date, today: date) -> str:
    if day < today:
        return "Overdue"
    near = {today: "Today", today + timedelta(days=1): "Tomorrow", date.max: "No date"}
    return near.get(day, "This week" if (day - today).days < WEEK else f"{day:%A, %-d %B %Y}")


def _all_of(feature: Feature, shop: Shop) -> Iterator[Finding]:
    return chain(feature.checks(shop), feature.due(shop))


def _due_of(feature: Feature, shop: Shop) -> Iterator[Finding]:
    return chain(feature.due(shop), (finding for finding in feature.checks(shop) if not finding.is_fine))
