"""Chooses the database for statistics by its URL. The database is opened at the first hit or the first query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cookieguard.config.stats import StatsSettings, require_stats_url
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.engines.protocol import HitEngine, HitReader, HitWriter, RetainedData
from cookieguard.features.statistics.engines.sink import HitSink
from cookieguard.features.statistics.engines.spool import Spool
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.state_directory import StateDirectory

SPOOL = "spool"
DEFAULT = "sqlite"


class EngineLoader(NamedTuple):
    """Import an engine when it is first used; `extra` names the optional dependency with its driver."""

    load: Callable[[str, Path], HitEngine]
    extra: str = ""


def _sqlite(url: str, state_dir: Path) -> HitEngine:
    from cookieguard.features.statistics.engines.sqlite.engine import SqliteStats

    return SqliteStats(url, state_dir)


def _postgres(url: str, state_dir: Path) -> HitEngine:
    from cookieguard.features.statistics.engines.postgres.engine import PostgresStats

    return PostgresStats(url, state_dir)


def _clickhouse(url: str, state_dir: Path) -> HitEngine:
    from cookieguard.features.statistics.engines.clickhouse.engine import ClickhouseStats

    return ClickhouseStats(url, state_dir)


ENGINES: Mapping[str, EngineLoader] = {
    "sqlite": EngineLoader(_sqlite),
    "postgresql": EngineLoader(_postgres, extra="postgres"),
    "postgres": EngineLoader(_postgres, extra="postgres"),
    "clickhouse": EngineLoader(_clickhouse, extra="clickhouse"),
    "chdb": EngineLoader(_clickhouse, extra="clickhouse"),
}
"""The engines by the scheme of their URL. `config/stats.py` checks the URL."""


def open_engine(settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]) -> HitEngine:
    """Return the configured engine. Raises ConfigError, which never shows the URL because it may hold a password."""
    setting, url = _setting_and_url(settings, environ)
    scheme = url.partition("://")[0] or DEFAULT
    load, extra = ENGINES[scheme]
    try:
        return load(url, state_dir)
    except ImportError as error:
        allowed = f"a URL whose driver is installed: pip install '.[{extra}]' in cookieguard's checkout"
        raise ConfigError(setting, was=f"set to {scheme}:// without its driver", allowed=allowed) from error


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


def open_existing(
    settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]
) -> HitWriter | None:
    """Return a writer for existing statistics, or None if there are none yet. Raises ConfigError and EngineDown."""
    return open_engine(settings, state_dir, environ=environ).existing()


def read_retained(
    settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]
) -> RetainedData | None:
    """Return how far back the data goes, or None if nothing was counted yet. Raises ConfigError and EngineDown."""
    return open_engine(settings, state_dir, environ=environ).retained()


def open_reader(settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]) -> HitReader:
    """Return a reader for the figures. Raises ConfigError, and EngineDown if nothing was counted yet."""
    return open_engine(settings, state_dir, environ=environ).reader()


def _setting_and_url(settings: StatsSettings, environ: Mapping[str, str]) -> tuple[str, str]:
    if settings.environment not in environ:
        return "stats.url", settings.url
    setting, url = f"stats.environment ({settings.environment})", environ[settings.environment]
    require_stats_url(setting, url)
    return setting, url
