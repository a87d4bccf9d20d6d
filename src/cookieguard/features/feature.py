"""The interface of a feature: the part that a web worker runs, and the jobs, checks and commands outside of it.

Rule: a module of a feature is imported on first use: `jobs` imports its `jobs.py` and calls `jobs_of` there.
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
    """Hold what code outside a web request needs; creating one writes no file."""

    config: Config
    state: Path
    environ: Mapping[str, str]


class PersonalData(Protocol):
    """Copy and erase a feature's data of customers. Repeating a call does no harm; it raises what stores raise."""

    def copy(self, number: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Return a customer's data as rows of their copy: the kind of each, and its values by name."""

    def erase(self, number: str, now: datetime) -> None:
        """Delete a customer's data."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Describe one feature: the name of its folder, and the optional modules in it."""

    name: str
    modules: tuple[str, ...]
    commands: Mapping[str, str] = field(default_factory=dict)
    """Each command, with the module below `cli` that has a function or group of this name."""
    is_on: Callable[[Config], bool] = lambda config: True
    """Whether a worker runs its part. If not, none of its modules is imported."""

    def serve(self, guard: Guard) -> Part | None:
        """Return the part that a worker runs, made after those of earlier features; None if the feature is off."""
        if not self.is_on(guard.config):
            return None
        part: Part | None = import_module(f"cookieguard.features.{self.name}.part").serve(guard)
        return part

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the hourly jobs by name, also of a feature that is off, because its data remain."""
        steps: Mapping[str, Step] = self._ask("jobs", place, {})
        return steps

    def personal(self, place: Place) -> PersonalData | None:
        """Return the feature's data under customer numbers, also of a feature that is off."""
        data: PersonalData | None = self._ask("personal", place, None)
        return data

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the doctor finds; creates no file."""
        found: Iterator[Finding] = self._ask("checks", shop, iter(()))
        return found

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield people's tasks, due now or later, for doctor, letter and the Due page; creates no file."""
        found: Iterator[Finding] = self._ask("due", shop, iter(()))
        return found

    def _ask(self, module: str, about: Place | Shop, default: Any) -> Any:
        if module not in self.modules:
            return default
        return getattr(import_module(f"cookieguard.features.{self.name}.{module}"), f"{module}_of")(about)
