"""Make the parts of all features, in the order in which they begin."""

from __future__ import annotations

from pathlib import Path

from cookieguard.features import FEATURES
from cookieguard.features.feature import Place
from cookieguard.features.pages import OfficePart
from cookieguard.features.retention import open_retention
from cookieguard.web.parts.core import Core
from cookieguard.web.parts.guard import Guard


def serve(guard: Guard) -> None:
    """Add the parts of all features that are on; they are closed in reverse. Raises ConfigError."""
    place = Place(guard.config, Path(guard.config.state_dir).absolute(), guard.environ)
    guard.parts.append(Core(guard, open_retention(place, clock=guard.clock)))
    for feature in FEATURES:
        part = feature.serve(guard)
        if part is not None:
            guard.parts.append(part)
    guard.parts.append(OfficePart(guard))
