"""The doctor's checks of statistics: hits and sums, visitor keys, dropped hits and waiting files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import (
    AHEAD,
    KEYS_GO,
    RUN_JOB,
    SET_CLOCK,
    SLACK,
    Shop,
    age_of,
    date_of,
    day_of,
)
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import RetainedData
from cookieguard.keyring import to_text
from cookieguard.stats.hits import SECONDS_OF_DAY


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield how much is kept and how old it is, and how many hits were lost. Raises EngineDown."""
    kept = open_engine(shop.config.stats, shop.state, environ=shop.environ).retained()
    yield from _statistics(shop, kept)
    yield from _drops(shop, {} if kept is None else kept.lost)


def _statistics(shop: Shop, kept: RetainedData | None) -> Iterator[Finding]:
    config = shop.config.stats
    if kept is None:
        yield Finding("statistics", "nothing was counted yet" if config.enabled else "switched off")
        return
    yield Finding("statistics", f"can be read; at most {kept.hits} hits")
    oldest = None if kept.oldest_hit is None else kept.oldest_hit // SECONDS_OF_DAY
    yield age_of("hits", "oldest hit", oldest, shop, config.hit_days)
    yield age_of("sums", "oldest sum", kept.oldest_sum, shop, config.rollup_days)
    is_over = (
        kept.oldest_key is not None and shop.now - day_of(f"{date_of(kept.oldest_key):%Y%m%d}") > KEYS_GO
    )
    told = "none" if kept.oldest_key is None else f"the oldest of {date_of(kept.oldest_key)}"
    if kept.newest_hit is not None and kept.newest_hit > (shop.now + AHEAD).timestamp():
        newest = to_text(datetime.fromtimestamp(kept.newest_hit, UTC))
        yield Finding("newest hit", f"in the future: {newest}", SET_CLOCK)
    yield Finding("visitor keys in hits", f"{told}, kept for 48 hours", RUN_JOB if is_over else "")


def _drops(shop: Shop, lost: Mapping[int, int]) -> Iterator[Finding]:
    today = int(shop.now.timestamp()) // SECONDS_OF_DAY
    newest, ever = sum(count for day, count in lost.items() if day >= today - 1), sum(lost.values())
    mend = "the shop's log has the reasons (disk, lock, queue)" if newest else ""
    yield Finding("dropped hits", f"{newest} since yesterday, {ever} in total", mend)
    waiting = []
    for path in (shop.state / "spool").glob("*.spool") if shop.state.is_dir() else ():
        with suppress(OSError):  # a worker has read it in since it was listed
            waiting.append(path.stat())
    size = sum(file.st_size for file in waiting)
    late = [file for file in waiting if shop.now.timestamp() - file.st_mtime > SLACK.total_seconds()]
    told = f"{len(waiting)} files with {size} bytes are waiting"
    yield Finding("spool", told, "start the shop: a worker reads them in" if late else "")
