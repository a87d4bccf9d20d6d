"""The interface of a capability: the part that a worker runs, and the jobs, checks and commands outside of it.

Rule: each module is imported when it is asked, as `jobs.py` of the room for `jobs`, whose function is `jobs_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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


@dataclass(frozen=True, slots=True)
class Feature:
    """Describe one capability: its folder, and which of the modules below that has."""

    name: str
    modules: tuple[str, ...]
    commands: Mapping[str, str] = field(default_factory=dict)
    """Each command, and the module below `cli` that has a function or group of this name."""
    is_on: Callable[[Config], bool] = lambda config: True
    """Whether a worker has a part of it. If not, nothing of the room is imported."""

    def serve(self, guard: Guard) -> Part | None:
        """Return what a worker runs, made after the parts of earlier features; None if the feature is off."""
        if not self.is_on(guard.config):
            return None
        part: Part | None = import_module(f"cookieguard.features.{self.name}.part").serve(guard)
        return part

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the hourly steps by name, also of a capability that is off, because its data remain."""
        steps: Mapping[str, Step] = self._ask("jobs", place, {})
        return steps

    def personal(self, place: Place) -> PersonalData | None:
        """Return the data it keeps under customer numbers, also of a capability that is off."""
        data: PersonalData | None = self._ask("personal", place, None)
        return data

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the doctor finds; creates no file."""
        found: Iterator[Finding] = self._ask("checks", shop, iter(()))
        return found

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield what people have to do, now or later, for doctor, letter and the Due page; creates no file."""
        found: Iterator[Finding] = self._ask("due", shop, iter(()))
        return found

    def _ask(self, module: str, about: Place | Shop, default: Any) -> Any:
        if module not in self.modules:
            return default
        return getattr(import_module(f"cookieguard.features.{self.name}.{module}"), f"{module}_of")(about)
