"""Open what a worker needs of the consent log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from cookieguard.config import Config
from cookieguard.features.records.choice_budget import USE, ChoiceBudget
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.web.consent_log import ConsentLog, PolicyTexts
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.day_key_sharing import open_day_keys
from cookieguard.web.banner.renderer import Renderer


def open_records(
    config: Config,
    state: StateDirectory,
    runtime: StateDirectory | None,
    keyring: Keyring,
    renderer: Renderer,
    policy_texts: PolicyTexts = lambda _: {},
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
) -> ConsentLog | None:
    """Return the log, None if it is switched off. Raises ConfigError."""
    writer = open_log(config, state, keyring, environ=environ)
    if writer is None:
        return None
    budget = ChoiceBudget(open_day_keys(runtime, USE, clock=clock), runtime or state)
    return ConsentLog(writer, budget, config, renderer, policy_texts)
