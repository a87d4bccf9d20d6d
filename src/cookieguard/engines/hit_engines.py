"""Which engine statistics go to, chosen by a URL; nothing is opened before the first hit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from cookieguard.config.stats import StatsSettings, require_stats_url
from cookieguard.engines.day_keys import DayKeys
from cookieguard.engines.files import StateDirectory
from cookieguard.engines.hit_ports import HitReader, HitWriter, Kept
from cookieguard.engines.hit_sink import HitSink
from cookieguard.engines.spool import Spool

STATS_FILE = "stats.db"
SPOOL = "spool"


def open_sink(
    settings: StatsSettings,
    state: StateDirectory,
    *,
    environ: Mapping[str, str],
    keys: DayKeys,
    clock: Callable[[], datetime] | None = None,
) -> HitSink:
    """Return where hits go. Raises ConfigError, never showing the URL."""
    path = _path(settings, state.path, environ)

    def open_writer() -> HitWriter:
        from cookieguard.engines.sqlite_hits import SqliteHits

        return SqliteHits(path)

    return HitSink(open_writer, Spool(state.path / SPOOL), keys=keys, clock=clock)


def open_existing(
    settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]
) -> HitWriter | None:
    """Return the engine of what was counted so far, None where nothing was. Raises ConfigError and EngineDown."""
    path = _path(settings, state_dir, environ)
    if not path.exists():
        return None
    from cookieguard.engines.sqlite_hits import SqliteHits

    return SqliteHits(path)


def read_kept(settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]) -> Kept | None:
    """Look how old what is kept is, None where nothing was counted yet. Raises ConfigError and EngineDown."""
    path = _path(settings, state_dir, environ)
    if not path.exists():
        return None
    from cookieguard.engines.sqlite_kept import kept_in

    return kept_in(path)


def open_reader(settings: StatsSettings, state_dir: Path, *, environ: Mapping[str, str]) -> HitReader:
    """Return what answers questions. Raises ConfigError, and EngineDown where there is nothing to ask yet."""
    from cookieguard.engines.sqlite_figures import SqliteFigures

    return SqliteFigures(_path(settings, state_dir, environ))


def _path(settings: StatsSettings, state_dir: Path, environ: Mapping[str, str]) -> Path:
    setting, url = "stats.url", settings.url
    if settings.environment in environ:
        setting, url = f"stats.environment ({settings.environment})", environ[settings.environment]
        require_stats_url(setting, url)
    return Path(url.removeprefix("sqlite:///")).absolute() if url else state_dir / STATS_FILE
