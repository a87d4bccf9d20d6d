"""The hourly job that deletes the recipients of a version's notices once the version has long been in force."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cookieguard.config import Config
from cookieguard.engines.retention import Step
from cookieguard.features.feature import Place
from cookieguard.features.outbox.outbox import Outbox, outbox_opener
from cookieguard.features.outbox.recipients import KEPT
from cookieguard.features.policy.announcement_run import run_named
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.ledger import change_ledger, read_ledger
from cookieguard.features.policy.values.ledger import Announcement
from cookieguard.features.policy.values.versions import Version, first_day
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import Store


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that deletes the recipients of notices."""
    forget = partial(forget_recipients, place.config, place.state, environ=place.environ)
    return {"notices": lambda times: forget(now=times.believed)}


def forget_recipients(config: Config, state: Path, *, environ: Mapping[str, str], now: datetime) -> int:
    """Delete the rows of runs that are over, and return the number of these runs; raises if anything cannot be read.

    A version that is no longer in the folder never takes effect. Its run is over once no key opens its addresses.
    """
    file = store_file(config.store, state, environ=environ)
    if not config.store.enabled if file is None else not file.exists():
        return 0
    with closing(store_opener(config, state, environ=environ)()) as store:
        ledger = read_ledger(store)
        keep = timedelta(days=config.mail.keep_days)
        found = read_versions(config) if ledger and config.policy.folder else ()
        versions = {version.name: version for version in found}
        over = [name for name, entry in ledger.items() if _is_over(versions.get(name), entry, now, keep)]
        if not over:
            return 0
        with closing(outbox_opener(config.store, state, environ=environ)()) as outbox:
            return sum(_forget(outbox, store, name, ledger[name], now) for name in over)


def _forget(outbox: Outbox, store: Store, name: str, entry: Announcement, now: datetime) -> bool:
    """Delete the rows of a run, also those that a killed job left, and return whether there were any."""
    run = outbox.count(run_named(name))
    if entry.forgotten is None:  # noted first, so that the counts are not taken from a half-deleted run
        change_ledger(store, lambda before: {**before, name: replace(before[name], run=run, forgotten=now)})
    if run.total:
        outbox.forget(run_named(name))
    return run.total > 0


def _is_over(version: Version | None, entry: Announcement, now: datetime, keep: timedelta) -> bool:
    """Return whether no notice can be due any more: long in force, or no key opens the addresses any more."""
    if entry.forgotten is not None:
        return True
    is_in_force = version is not None and entry.is_complete and now.date() >= first_day(version, entry) + keep
    return is_in_force or now >= entry.at + KEPT
