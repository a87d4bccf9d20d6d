"""The work at requests, with the personal data of all features."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cookieguard.config import Config
from cookieguard.features import FEATURES
from cookieguard.features.feature import PersonalData, Place
from cookieguard.features.rights import worker
from cookieguard.features.rights.after_restore import AfterRestore


def personal_of(place: Place) -> Mapping[str, PersonalData]:
    """Return the personal data of each feature by its name, those of features that are switched off among them."""
    found = {feature.name: feature.personal(place) for feature in FEATURES}
    return {name: data for name, data in found.items() if data is not None}


open_worker = partial(worker.open_worker, personal=personal_of)
after_restore = partial(AfterRestore, personal=personal_of)


async def work_once(config: Config, *, hooks: Any = None) -> bool:
    """Do what is due of one request, in whatever process this is called; False where nothing is due.

    Raises ConfigError, and QueueDown or StoreDown where the store does not answer.
    """
    async with open_worker(config, hooks=hooks) as opened:
        return await opened.work_once()
