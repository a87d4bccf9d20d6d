"""The changes of vendors as commands, doctor and letter read them: from the store, outside of a worker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.rows import COPY, Copy, Known, read_rows
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener


def has_store(config: Config, state: Path, *, environ: Mapping[str, str]) -> bool:
    """Return whether there is a store, which the shop's first start makes."""
    file = store_file(config.store, state, environ=environ)
    return file is None or file.exists()


def read_known(config: Config, state: Path, keyring: Keyring, *, environ: Mapping[str, str]) -> Known:
    """Return what the store and this machine's copy say; creates no file. Raises StoreDown and ConfigError."""
    if not has_store(config, state, environ=environ):
        raise ConfigError(
            "store.url", was="a file that is not there", allowed="that of a shop that has started once"
        )
    seen = (Copy(StateDirectory(state), keyring).read() if (state / COPY).exists() else None) or {}
    with closing(store_opener(config, state, environ=environ, keyring=keyring)()) as store:
        return read_rows(store, config, seen)
