"""Shops of one process that share a state directory, and with it their customers: told of, since it is the default."""

from __future__ import annotations

import logging
from os.path import realpath
from typing import Protocol
from weakref import WeakSet

from cookieguard.config import Config

logger = logging.getLogger("cookieguard")

SHARED = (
    "%s and %s share the state directory %s, so a customer number means the same person in both, and the cart of one "
    "shop shows up in the other; give each shop its own `state_dir`, or, if that is intended, name all hosts in the "
    "`origins` of both"
)


class Guard(Protocol):
    """Be a guard, as far as it is asked here."""

    @property
    def config(self) -> Config: ...


_made: WeakSet[Guard] = WeakSet()  # those that live in this process


def tell_of_shared_state(guard: Guard) -> None:
    """Warn where another guard of this process keeps its state in the same place, for other hosts."""
    config = guard.config
    for other in [one.config for one in _made]:
        if realpath(other.state_dir) == realpath(config.state_dir) and _are_apart(other, config):
            logger.warning(SHARED, other.origins[0], config.origins[0], config.state_dir)
    _made.add(guard)


def _are_apart(one: Config, other: Config) -> bool:
    return bool(one.origins and other.origins) and set(one.origins).isdisjoint(other.origins)
