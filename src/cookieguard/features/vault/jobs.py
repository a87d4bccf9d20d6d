"""The vault's hourly jobs, which delete old events and keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

from cookieguard.engines.retention import Step, Times
from cookieguard.features.feature import Place
from cookieguard.features.vault.sealed_events import expire_keys, forget_events
from cookieguard.storage.state_directory import StateDirectory


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that deletes old sealed events."""
    return {"sealed events": lambda times: _forget_events(place, times)}


def keys_of(place: Place) -> Mapping[str, Step]:
    """Return the step that destroys old private keys, or no step if this user may not write their directory."""
    private = Path(place.config.vault.private_dir or place.state / "none")
    if not os.access(private, os.R_OK | os.W_OK | os.X_OK):
        return {}
    return {"vault keys": lambda times: _expire_keys(place, private, times)}


def _forget_events(place: Place, times: Times) -> int:
    today, days = times.believed.astimezone(UTC).date(), place.config.vault.keep_days
    return len(forget_events(StateDirectory(place.state), today=today, keep_days=days))


def _expire_keys(place: Place, private: Path, times: Times) -> int:
    today, days = times.believed.astimezone(UTC).date(), place.config.vault.keep_days
    state = StateDirectory(place.state)
    return len(expire_keys(state, StateDirectory(private), today=today, keep_days=days))
