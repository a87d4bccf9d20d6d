"""Chooses the database for statistics by its URL. The database is opened at the first hit or the first query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from cookieguard.config.stats import StatsSettings, require_stats_url
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.engines.protocol import HitEngine
from cookieguard.features.statistics.engines.sink import HitSink
from cookieguard.features.statistics.engines.spool import Spool
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.state_directory import StateDirectory

SPOOL = "spool"
DEFAULT = "sqlite"


class EngineName(NamedTuple):
    """Name an engine, which is imported when it is first used, and the optional dependency with its driver."""

    folder: str
    name: str
    extra: str = ""


POSTGRES = EngineName("postgres", "PostgresStats", extra="postgres")
CLICKHOUSE = EngineName("clickhouse", "ClickhouseStats", extra="clickhouse")
ENGINES: Mapping[str, EngineName] = {
    "sqlite": EngineName("sqlite", "SqliteStats"),
    "postgresql": POSTGRES,
    "postgres": POSTGRES,
    "clickhouse": CLICKHOUSE,
    "chdb": CLICKHOUSE,
}
"""The engines by the scheme of their URL. `config/stats.py` checks the URL."""


def open_engine(settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]) -> HitEngine:
    """Return the configured engine. Raises ConfigError, which never shows the URL because it may hold a password."""
    setting, url = _setting_and_url(settings, environ)
    scheme = url.partition("://")[0] or DEFAULT
    folder, name, extra = ENGINES[scheme]
    try:
        engine = import_module(f"cookieguard.features.statistics.engines.{folder}.engine")
    except ImportError as error:
        allowed = f"a URL whose driver is installed: pip install '.[{extra}]' in cookieguard's checkout"
        raise ConfigError(setting, was=f"set to {scheme}:// without its driver", allowed=allowed) from error
    made: HitEngine = getattr(engine, name)(url, state_dir)
    return made


def open_sink(
    settings: StatsSettings,
    state: StateDirectory,
    *,
    environ: Mapping[str, str],
    keys: DayKeys,
    clock: Callable[[], datetime] | None = None,
) -> HitSink:
    """Return the sink that writes hits to the configured engine. Raises ConfigError, which never shows the URL."""
    engine = open_engine(settings, state.path, environ=environ)
    spool = Spool(state.path / SPOOL)
    return HitSink(engine.writer, spool, keys=keys, clock=clock, batch_hits=engine.batch_hits)


def _setting_and_url(settings: StatsSettings, environ: Mapping[str, str]) -> tuple[str, str]:
    if settings.environment not in environ:
        return "stats.url", settings.url
    setting, url = f"stats.environment ({settings.environment})", environ[settings.environment]
    require_stats_url(setting, url)
    return setting, url
