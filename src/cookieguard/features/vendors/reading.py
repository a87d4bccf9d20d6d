"""The changes of vendors as commands, doctor and letter read them: from the store, outside of a worker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from cookieguard.config import Config
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.rows import COPY, Copy, Known, read_rows
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener


def read_known(config: Config, state: Path, keyring: Keyring, *, environ: Mapping[str, str]) -> Known:
    """Return what the store and this machine's copy say; creates no file. Raises StoreDown and ConfigError."""
    file = store_file(config.store, state, environ=environ)
    seen = (Copy(StateDirectory(state), keyring).read() if (state / COPY).exists() else None) or {}
    if not (config.store.enabled and config.identity.enabled) or (file is not None and not file.exists()):
        raise ConfigError("store", was="not there", allowed="that of a shop that has started once")
    with closing(store_opener(config, state, environ=environ, keyring=keyring)()) as store:
        return read_rows(store, config, seen)


def known_of(shop: Shop) -> Known | None:
    """Return the same for the doctor; None if the console changes no vendor, or the shop never started."""
    file = store_file(shop.config.store, shop.state, environ=shop.environ)
    if not shop.config.console.applies or (file is not None and not file.exists()):
        return None
    return read_known(shop.config, shop.state, shop.keyring, environ=shop.environ)
