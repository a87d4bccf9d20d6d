"""Files of days that are over, each written under a draft name and renamed, so that every file is a whole day."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.export.tables import date_of
from cookieguard.stats.hits import SECONDS_OF_DAY
from cookieguard.storage.state_directory import sync_directory, write_private

CLOSED_AFTER = timedelta(hours=1)  # hits that waited in a spool over midnight have been read in by then


def closed_days(span: Days | None, now: datetime) -> range:
    """Return the days of `span` that are over."""
    if span is None:
        return range(0)
    today = int((now - CLOSED_AFTER).timestamp()) // SECONDS_OF_DAY
    return range(span.first, min(span.last + 1, today))


def export_day(
    directory: Path, what: str, file_format: str, day: int, make: Callable[[], bytes], *, again: bool = False
) -> tuple[Path, bool]:
    """Write one day's file, and return its path and whether it is new; an existing file stays. Raises OSError.

    The directory is created with its first file, so that an export without files leaves no directory behind.
    """
    file = directory / f"{what}-{date_of(day)}.{file_format}"
    if file.exists() and not again:
        return file, False
    content = make()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = directory / f".{file.name}.{secrets.token_hex(8)}"
    try:
        write_private(draft, content)  # only its owner can read it, and may share it
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(directory)
    return file, True


def remove_drafts(directory: Path, before: datetime) -> None:
    """Remove the drafts of a killed export, but not those that another export is writing."""
    for what in ("sums", "hits"):
        for draft in directory.glob(f".{what}-????-??-??.*.{'?' * 16}"):
            if draft.stat().st_mtime < before.timestamp():
                draft.unlink(missing_ok=True)
