"""What is done with a policy every hour: the outbox forgets who was sent the notice of a version long in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from cookieguard.config import Config
from cookieguard.engines.retention import Step, Times
from cookieguard.features.feature import Place
from cookieguard.features.outbox.outbox import Outbox, outbox_opener
from cookieguard.features.outbox.recipients import KEPT
from cookieguard.features.policy.announcement_run import run_named
from cookieguard.features.policy.announcing import forget
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.values.ledger import Announcement, Ledger
from cookieguard.features.policy.values.versions import Version, first_day
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import Store


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that forgets who was sent a notice."""

    def forget(times: Times) -> int:
        return forget_recipients(place.config, place.state, environ=place.environ, now=times.believed)

    return {"notices": forget}


def forget_recipients(config: Config, state: Path, *, environ: Mapping[str, str], now: datetime) -> int:
    """Delete the rows of runs that are over, and return of how many runs; raises what cannot be read.

    A version that is no longer in the folder never takes effect: it is over once nothing opens what was sealed.
    """
    file = store_file(config.store, state, environ=environ)
    if not config.store.enabled if file is None else not file.exists():
        return 0
    with closing(store_opener(config, state, environ=environ)()) as store:
        ledger = read_ledger(store)
        keep = timedelta(days=config.mail.keep_days)
        versions = {
            one.name: one for one in (read_versions(config) if ledger and config.policy.folder else ())
        }
        over = [name for name, entry in ledger.items() if _is_over(versions.get(name), entry, now, keep)]
        return _forget(outbox_opener(config.store, state, environ=environ), store, over, ledger, now)


def _forget(
    open_outbox: Callable[[], Outbox], store: Store, over: Sequence[str], ledger: Ledger, now: datetime
) -> int:
    if not over:
        return 0
    outbox, count = open_outbox(), 0
    with closing(outbox):
        for name in over:
            run = outbox.count(run_named(name))
            if ledger[name].forgotten is None:  # first, so that nobody counts the rows once some are gone
                forget(store, name, run, now=now)
            if run.total:  # also those of somebody who was killed in between
                outbox.forget(run_named(name))
                count += 1
    return count


def _is_over(version: Version | None, entry: Announcement, now: datetime, keep: timedelta) -> bool:
    """Return whether nobody is to be told any more: in force for long, or sealed to what opens nothing by now."""
    if entry.forgotten is not None:
        return True
    is_in_force = version is not None and entry.is_complete and now.date() >= first_day(version, entry) + keep
    return is_in_force or now >= entry.at + KEPT
