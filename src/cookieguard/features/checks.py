"""The doctor with the checks of all features."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cookieguard.config import Config
from cookieguard.engines import doctor
from cookieguard.engines.doctor_settings import Finding
from cookieguard.features import FEATURES


def examine(
    config: Config, *, environ: Mapping[str, str], now: datetime, asks: bool = False
) -> list[Finding]:
    """Return all findings, those of features that are switched off among them. `asks` opens linked pages."""
    checks = {feature.name: feature.checks for feature in FEATURES}
    return doctor.examine(config, checks, environ=environ, now=now, asks=asks)
