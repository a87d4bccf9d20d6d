"""The hourly job of a worker, with the jobs of all features, for a shop in a directory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cookieguard.config import Config
from cookieguard.engines.retention import Retention
from cookieguard.features.feature import Place
from cookieguard.features.retention import jobs_of
from cookieguard.storage.state_directory import StateDirectory


def retention_of(config: Config, clock: Callable[[], datetime], *, state: Path | None = None) -> Retention:
    """Return the job for a state directory; by default, the configuration's."""
    path = Path(config.state_dir).absolute() if state is None else state
    return Retention(StateDirectory(path), jobs_of(Place(config, path, {})), clock=clock)
