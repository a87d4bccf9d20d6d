"""Everything that a worker gives to its parts (keys, store, renderer ...), and the part that every worker has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from cookieguard.config import Config
from cookieguard.consent.terms import News
from cookieguard.current import Helpers
from cookieguard.engines.retention import Retention
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.runtime_directory import open_runtime
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.day_key_sharing import has_machines, open_day_keys
from cookieguard.storage.store.sync import StoreSync, open_store_sync
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.owner_notices import Findings
from cookieguard.web.parts.part import Part
from cookieguard.web.parts.ports import Ports
from cookieguard.web.recording.access_log import open_access_log

AnyPart = TypeVar("AnyPart", bound=Part)
Renew = Callable[[Config, News], None]
"""A function that makes new requests use the vendors of this configuration."""


@dataclass(kw_only=True)
class Guard:
    """Hold what parts are built from, and the parts that were built."""

    config: Config
    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    on_decision: Any  # the shop's hook, or None
    state: StateDirectory
    runtime: StateDirectory | None  # in memory; None if this machine has no such directory
    keyring: Keyring
    renderer: Renderer
    findings: Findings
    steps: Steps
    store: StoreSync | None
    keys_of: Callable[[str], DayKeys]  # the daily keys for a purpose, such as "log"
    ports: Ports = field(default_factory=Ports)
    helpers: Helpers = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    services: Callable[[], Any] = lambda: None  # the current Services of requests, once the worker is built
    on_built: list[Callable[[Renew], None]] = field(default_factory=list)  # called once the worker is built

    def part(self, kind: type[AnyPart]) -> AnyPart:
        """Return the part of this type, which every guard has."""
        return next(part for part in self.parts if isinstance(part, kind))

    def find(self, kind: type[AnyPart]) -> AnyPart | None:
        """Return the part of this type; None if its capability is off."""
        return next((part for part in self.parts if isinstance(part, kind)), None)


def open_guard(
    config: Config, *, environ: Mapping[str, str], clock: Callable[[], datetime], on_decision: Any = None
) -> Guard:
    """Return a Guard without parts; creates the state directory and keys if they are missing. Raises ConfigError."""
    now = clock()
    state = StateDirectory(config.state_dir)
    state.keep_out_of_repositories()
    runtime = open_runtime(config.runtime_dir, state)
    renderer = Renderer(config)
    keyring = load_keyring(state, config.keys, environ=environ, now=now)
    steps = Steps(to_milliseconds(now), time.monotonic)
    store = None
    if config.identity.enabled:
        store = open_store_sync(config, state, keyring, environ=environ, clock=clock, steps=steps)
    has_others = store is not None and has_machines(config.store, state, environ=environ)
    sharing = (store, keyring) if store is not None and has_others else None
    return Guard(
        config=config,
        environ=environ,
        clock=clock,
        on_decision=on_decision,
        state=state,
        runtime=runtime,
        keyring=keyring,
        renderer=renderer,
        findings=Findings(config.vendors, dev=config.dev),
        steps=steps,
        store=store,
        keys_of=partial(open_day_keys, runtime, sharing=sharing, clock=clock),
    )


class Core(Part):
    """Own the access log's queue; begin and close the store's thread and that of the hourly job."""

    def __init__(self, guard: Guard, retention: Retention | None) -> None:
        self.recorder = open_access_log(guard.state, guard.keys_of, guard.config.log, guard.clock)
        self._store = guard.store
        self.retention = retention

    def begin(self) -> None:
        """Start the hourly job and the store's thread, which creates the store's file if it is missing."""
        if self.retention is not None:
            self.retention.begin()
        if self._store is not None:
            self._store.begin()

    def close(self, deadline: float) -> None:
        """Close log, job and store, in this order, since the store's thread syncs the day keys of the others."""
        for part in (self.recorder, self.retention, self._store):
            if part is not None:
                part.close(deadline)
