"""`cookieguard check`, for CI: examine a shop's settings, its banner and its own policy before it is deployed.

Rule: a check only reads. It needs no state directory and no key, and no network without `--edge`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from cookieguard.check.settings import examine_banner, examine_promises
from cookieguard.config import Config
from cookieguard.engines.doctor_settings import Finding, examine_settings
from cookieguard.web.banner.renderer import Renderer

__all__ = ["Finding", "examine"]

BASE, NEXT = "/_cg/", "/"


def examine(config: Config, *, today: date) -> Iterator[Finding]:
    """Yield the findings on a configuration, and on the banner that it makes."""
    yield from examine_settings(config, asks=False)
    yield from examine_promises(config, today=today)
    banner = Renderer(config).banner(config.consent.language, base=BASE, next_=NEXT)
    yield from examine_banner(banner.decode("ascii"))
