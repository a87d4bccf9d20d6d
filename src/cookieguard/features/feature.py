"""The interface of a capability: the part that a worker runs, and the jobs, checks and commands outside of it.

Rule: a Feature only lists what its room has. It imports heavy modules inside the functions that need them, and each
member but `serve` does nothing by default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from cookieguard.config import Config

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step
    from cookieguard.web.parts.guard import Guard
    from cookieguard.web.parts.part import Part


class Place(NamedTuple):
    """Hold what is needed outside a request; creating one writes no file."""

    config: Config
    state: Path
    environ: Mapping[str, str]


class PersonalData(Protocol):
    """Reach what a feature keeps of customers. Each act may be repeated without harm; it raises what stores raise."""

    def copy(self, number: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Return a customer's data as rows of their copy: what each is, and its values by their names."""

    def erase(self, number: str, now: datetime) -> None:
        """Delete a customer's data."""


class Feature:
    """Describe one capability. An instance has no state."""

    name: ClassVar[str]
    commands: ClassVar[Mapping[str, str]] = {}
    """Each command, and the module below `cli` that has a function or group of this name."""

    def serve(self, guard: Guard) -> Part | None:
        """Return what a worker runs, as `part.py` of the room makes it; None if the feature is off.

        The parts of earlier features are there.
        """
        part: Part | None = import_module(f"cookieguard.features.{self.name}.part").serve(guard)
        return part

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the hourly steps by name, also of a capability that is off, because its data remain."""
        return {}

    def personal(self, place: Place) -> PersonalData | None:
        """Return the data it keeps under customer numbers, also of a capability that is off."""
        return None

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the doctor finds; creates no file."""
        return iter(())

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield what people have to do, now or later, for doctor, letter and officer's page; creates no file."""
        return iter(())
