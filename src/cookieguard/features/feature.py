"""The interface of a capability: the pages that a worker serves, and the jobs, checks and commands outside of it.

Rule: a Feature only lists what its room has. It imports heavy modules inside the functions that need them, and a
default member does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from cookieguard.config import Config

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step
    from cookieguard.web.parts.page import Page
    from cookieguard.web.services import Services


class Place(NamedTuple):
    """Hold what is needed outside a request; creating one writes no file."""

    config: Config
    state: Path
    environ: Mapping[str, str]


class Feature:
    """Describe one capability. An instance has no state, and each member does nothing by default."""

    name: ClassVar[str]
    commands: ClassVar[Mapping[str, str]] = {}
    """Each command, and the module below `cli` that has a function or group of this name."""

    def pages(self, parts: Services) -> Sequence[Page]:
        """Return the pages that a worker serves with this configuration."""
        return ()

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the hourly steps by name, also of a capability that is off, because its data remain."""
        return {}

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the doctor finds; creates no file."""
        return iter(())
