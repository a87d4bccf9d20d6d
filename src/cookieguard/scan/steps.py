"""A small script of steps that leads a scan where no link does: a full basket, the checkout, an account."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cookieguard.errors import ConfigError

MOST_STEPS = 100
KINDS = ("open", "click", "fill", "press", "wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Do one thing; what it opens is looked at like any page."""

    open: str = ""
    """A path of the shop."""
    click: str = ""
    """A selector of Playwright's: `text=Add to basket`, `#buy`."""
    fill: str = ""
    """A selector of a field, which gets `value`, or what the environment variable `value_from` holds."""
    press: str = ""
    """A key: `Enter`."""
    wait: str = ""
    """A selector that has to be seen first."""
    value: str = ""
    value_from: str = ""

    @property
    def kind(self) -> str:
        """Name what it does."""
        return next(one for one in KINDS if getattr(self, one))

    def text(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return what a field is filled with."""
        return environ.get(self.value_from, "") if self.value_from else self.value


def load_steps(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Step, ...]:
    """Read `[[steps]]` from a TOML file; raises ConfigError, also for a variable of the environment that is missing."""
    try:
        tables = tomllib.loads(path.read_text("utf-8-sig")).get("steps", [])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            "--steps", was=f"{path} ({reason})", allowed="a TOML file with [[steps]] tables"
        ) from error
    if not isinstance(tables, list) or not 0 < len(tables) <= MOST_STEPS:
        raise ConfigError(
            "--steps", was=f"{path} without steps", allowed=f"1 to {MOST_STEPS} [[steps]] tables"
        )
    return tuple(_step(one, f"steps[{index}]", environ) for index, one in enumerate(tables))


def _step(table: Any, where: str, environ: Mapping[str, str]) -> Step:
    names = {one.name for one in fields(Step)}
    if not isinstance(table, dict) or not table.keys() <= names:
        raise ConfigError(where, was=repr(table)[:80], allowed=f"a table of {', '.join(sorted(names))}")
    if not all(isinstance(one, str) for one in table.values()):
        raise ConfigError(where, was=repr(table)[:80], allowed="texts")
    if sum(one in table for one in KINDS) != 1:
        raise ConfigError(where, was=repr(table)[:80], allowed=f"exactly one of {', '.join(KINDS)}")
    if table.get("open", "/")[:1] != "/":
        raise ConfigError(
            f"{where}.open", was=repr(table["open"]), allowed="a path of the shop, like '/cart'"
        )
    step = Step(**table)
    # It would sign nobody in, and nobody would hear of that.
    if step.value_from and not environ.get(step.value_from):
        was = f"{step.value_from} (not set, or empty)"
        raise ConfigError(
            f"{where}.value_from", was=was, allowed="the name of an environment variable that is set"
        )
    return step
