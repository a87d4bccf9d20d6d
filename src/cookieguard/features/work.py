"""Open the worker that answers privacy requests, with the personal data of all features."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cookieguard.config import Config
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features import FEATURES
from cookieguard.features.feature import PersonalData, Place
from cookieguard.features.records.store.open import open_log
from cookieguard.features.rights.after_restore import AfterRestore
from cookieguard.features.rights.hook_calls import load_hooks, require_hooks
from cookieguard.features.rights.notifications import Letters
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.worker import LEASE_SECONDS, Worker
from cookieguard.features.vendors.rows import in_force
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener


def personal_of(place: Place) -> Mapping[str, PersonalData]:
    """Return the personal data of each feature by its name, also of features that are switched off."""
    found = {feature.name: feature.personal(place) for feature in FEATURES}
    return {name: data for name, data in found.items() if data is not None}


after_restore = partial(AfterRestore, personal=personal_of)


@asynccontextmanager
async def open_worker(
    config: Config,
    *,
    hooks: Any = None,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> AsyncIterator[Worker]:
    """Open a worker; `hooks` replace the configured ones. Raises ConfigError, QueueDown and StoreDown."""
    found = os.environ if environ is None else environ
    clock = clock or partial(datetime.now, UTC)
    if hooks is None:
        hooks = load_hooks(config.rights.hooks)
    else:
        require_hooks(hooks, type(hooks).__name__)
    state = StateDirectory(config.state_dir)
    keyring = load_keyring(state, config.keys, environ=found)
    config = in_force(Shop(config=config, environ=found, now=clock(), given=keyring))
    with (
        closing(requests_opener(config, keyring, state, environ=found)()) as requests,
        closing(store_opener(config, state.path, environ=found, keyring=keyring)()) as store,
        ThreadPoolExecutor(1, thread_name_prefix="cookieguard-work") as thread,
    ):
        log = open_log(config, state, keyring, environ=found)  # opens no file before the first record
        place = Place(config, state.path, found)
        worker = Worker(
            config,
            requests,
            store,
            personal_of(place),
            log,
            Letters(config, environ=found),
            after_restore(place, keyring, clock=clock),
            thread,
            hooks,
            clock,
            lease_seconds,
        )
        await worker.begin()
        try:
            yield worker
        finally:
            if log is not None:
                await asyncio.to_thread(log.close)


async def work_once(config: Config, *, hooks: Any = None) -> bool:
    """Do the due work of one request, in the calling process; return False if none is due.

    Raises ConfigError, and QueueDown or StoreDown if the store does not answer.
    """
    async with open_worker(config, hooks=hooks) as opened:
        return await opened.work_once()
