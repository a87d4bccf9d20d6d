"""Chooses the configured store by its URL. The store is opened later, by the returned function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cookieguard.config import Config
from cookieguard.config.store import StoreSettings
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.open import is_server, path_in, require_driver, url_in
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store import postgres, sqlite
from cookieguard.storage.store.protocol import Store

STORE_FILE = "store.db"


def store_opener(
    config: Config, state_dir: Path, *, environ: Mapping[str, str], keyring: Keyring | None = None
) -> Callable[[], Store]:
    """Return a function that opens the store with the shop's keyring. A ConfigError never shows the URL."""
    if keyring is None:
        keyring = load_keyring(StateDirectory(state_dir), config.keys, environ=environ)
    place = store_place(config.store, state_dir, environ=environ)
    return sqlite.opener(place, keyring) if isinstance(place, Path) else postgres.opener(place, keyring)


def store_place(
    settings: StoreSettings, state_dir: Path, ending: str = "", *, environ: Mapping[str, str]
) -> Path | str:
    """Return the file of `store_file`, or the URL of a server; raises ConfigError if its driver is missing."""
    if (file := store_file(settings, state_dir, ending, environ=environ)) is not None:
        return file
    setting, url = url_in("store", settings.environment, settings.url, environ)
    require_driver(setting)
    return url


def store_file(
    settings: StoreSettings, state_dir: Path, ending: str = "", *, environ: Mapping[str, str]
) -> Path | None:
    """Return the file that contains the store; None if the store is a server. Raises ConfigError.

    With an `ending`, it is the file of other tables, which is next to the store's and has this ending.
    """
    _, url = url_in("store", settings.environment, settings.url, environ)
    if is_server(url):
        return None
    file = path_in(url, state_dir / STORE_FILE)
    return file.with_name(file.stem + ending) if ending else file
