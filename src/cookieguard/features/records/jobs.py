"""The hourly jobs of the consent log: record expired consents, fetch a time stamp, and prune old records."""

from __future__ import annotations

from collections.abc import Mapping

from cookieguard.engines.retention import Step, Times
from cookieguard.features.feature import Place
from cookieguard.features.records.upkeep.pruning import prune_log, record_expiries
from cookieguard.features.records.upkeep.timestamps import stamp_log
from cookieguard.storage.state_directory import StateDirectory


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the steps. A log that was switched off gets no new records, but its old ones are still pruned."""
    config, environ = place.config, place.environ

    def state() -> StateDirectory:
        return StateDirectory(place.state)

    def expire(times: Times) -> int:
        return record_expiries(config, state(), environ=environ, now=times.believed)

    added: dict[str, Step] = {
        "consents that ran out": expire,
        "time stamp": lambda times: stamp_log(config, state(), environ=environ, now=times.now),
    }
    return {
        **(added if config.proof.enabled else {}),
        "consent log": lambda times: prune_log(config, state(), environ=environ, now=times.believed),
    }
