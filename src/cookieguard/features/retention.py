"""The jobs of all features and of the core: those that a worker runs every hour, and those of the owner's command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from importlib import import_module

from cookieguard.engines.files.access_log import log_place, remove_old_logs
from cookieguard.engines.files.undeclared_loads import drop_old_loads
from cookieguard.engines.retention import RECORD_FILE, RUN_EVERY, Retention, Step, Times
from cookieguard.features import FEATURES
from cookieguard.features.feature import Place
from cookieguard.features.vault.jobs import keys_of
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.runtime_directory import existing_runtime, remove_keys_on_disk
from cookieguard.storage.state_directory import HourKeys, StateDirectory
from cookieguard.storage.store.open import store_file, store_opener

DAY_KEY_USES = ("choices", "log", "log-pair", "visitor", "visitor-pair")


def open_retention(place: Place, clock: Callable[[], datetime] | None = None) -> Retention | None:
    """Return the hourly job of a worker; None if data are not kept and never were. Raises ConfigError."""
    config = place.config
    keeping = (config.log, config.stats, config.vault, config.proof, config.csp)  # csp: reports of browsers
    is_on = any(settings.enabled for settings in keeping) or config.policy.folder
    if not (is_on or (place.state / RECORD_FILE).exists()):
        return None
    return Retention(StateDirectory(place.state), jobs_of(place), clock=clock)


def jobs_of(place: Place) -> dict[str, Step]:
    """Return the jobs of a worker by name; they also delete data of features that were switched off."""
    of_features = {name: step for feature in FEATURES for name, step in feature.jobs(place).items()}
    return {**of_features, **_jobs_of_core(place)}


def jobs_of_owner(place: Place) -> dict[str, Step]:
    """Return the command's extra jobs: keys that no worker can read, and the store while no worker runs."""
    return {"store": partial(_forget_in_store, place), **keys_of(place)}


def _jobs_of_core(place: Place) -> Mapping[str, Step]:
    config = place.config
    # In a worker, the store's own thread deletes what has expired
    has_thread = config.identity.enabled and config.store.enabled
    store: dict[str, Step] = {} if has_thread else {"store": partial(_forget_in_store, place)}
    return {
        **store,
        "access log": partial(_drop_logs, place),
        "day keys": partial(_forget_keys, place, _expire_days),
        "hour keys": partial(_forget_keys, place, _expire_hours),
        "keys on the disk": lambda _: remove_keys_on_disk(StateDirectory(place.state)),
        "undeclared loads": partial(_drop_loads, place),
        # Imported in the job's thread, because it imports the dashboard
        "overview": lambda times: import_module("cookieguard.features.hourly_facts").write_facts(
            place, times
        ),
    }


def _drop_logs(place: Place, times: Times) -> int:
    settings, today = place.config.log, times.believed.astimezone(UTC).date()
    return len(remove_old_logs(log_place(place.state, settings), keep_days=settings.keep_days, today=today))


def _drop_loads(place: Place, times: Times) -> int:
    return drop_old_loads(StateDirectory(place.state), today=times.believed.astimezone(UTC).date())


def _forget_keys(place: Place, expire: Callable[[StateDirectory, datetime], None], times: Times) -> int:
    runtime = existing_runtime(place.config.runtime_dir, place.state)
    if runtime is None:
        return 0
    before = len(runtime.paths())
    expire(runtime, times.now)
    return max(0, before - len(runtime.paths()))


def _expire_days(runtime: StateDirectory, now: datetime) -> None:
    for use in DAY_KEY_USES:
        DayKeys(runtime, use).expire(now)


def _expire_hours(runtime: StateDirectory, now: datetime) -> None:
    HourKeys(runtime).destroy_old(now)


def _forget_in_store(place: Place, times: Times) -> int:
    config = place.config
    file = store_file(config.store, place.state, environ=place.environ)
    if config.store.enabled if file is None else file.exists():
        with closing(store_opener(config, place.state, environ=place.environ)()) as store:
            store.forget(round((times.believed - RUN_EVERY).timestamp() * 1000))
    return 0
