"""Which store is configured, chosen by a URL; nothing is opened before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from cookieguard.config.store import StoreSettings, require_store_url
from cookieguard.engines.store.protocol import Store
from cookieguard.errors import ConfigError

STORE_FILE = "store.db"


class Row(NamedTuple):
    """Say how an engine that is a server is loaded, on use, which driver it needs and which extra brings that."""

    name: str
    load: Callable[[str], Callable[[], Store]]
    driver: str
    extra: str


def _postgres(url: str) -> Callable[[], Store]:
    from cookieguard.engines.store import postgres

    return postgres.opener(url)


SERVERS: Mapping[str, Row] = dict.fromkeys(
    ("postgres", "postgresql"), Row("PostgreSQL", _postgres, driver="psycopg", extra="postgres")
)
"""By the scheme of the URL; any other store is a file of SQLite. `config/store.py` says which URLs are allowed."""


def store_opener(
    settings: StoreSettings, state_dir: Path, *, environ: Mapping[str, str]
) -> Callable[[], Store]:
    """Return what opens the store. Raises ConfigError, never showing the URL."""
    file = store_file(settings, state_dir, environ=environ)
    if file is not None:
        from cookieguard.engines.store import sqlite

        return sqlite.opener(file)
    url = store_url(settings, environ=environ)
    return SERVERS[_scheme(url)].load(url)


def store_url(settings: StoreSettings, *, environ: Mapping[str, str]) -> str:
    """Return the URL of a store that is a server; raises ConfigError where its driver is missing."""
    setting, url = _setting_and_url(settings, environ)
    row = SERVERS[_scheme(url)]
    try:
        import_module(row.driver)
    except ImportError as error:
        allowed = f"a URL whose driver is installed: pip install '.[{row.extra}]' in cookieguard's checkout"
        raise ConfigError(setting, was=f"set to {row.name} without its driver", allowed=allowed) from error
    return url


def store_file(settings: StoreSettings, state_dir: Path, *, environ: Mapping[str, str]) -> Path | None:
    """Return the file the store is in; None where it is a server. Raises ConfigError."""
    _, url = _setting_and_url(settings, environ)
    return None if _scheme(url) in SERVERS else _file(url, state_dir)


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _file(url: str, state_dir: Path) -> Path:
    return Path(url.removeprefix("sqlite:///")).absolute() if url else state_dir / STORE_FILE


def _setting_and_url(settings: StoreSettings, environ: Mapping[str, str]) -> tuple[str, str]:
    if settings.environment not in environ:
        return "store.url", settings.url
    setting, url = f"store.environment ({settings.environment})", environ[settings.environment]
    require_store_url(setting, url)
    return setting, url
