"""Bringing what another consent tool wrote down into the log: rows of a CSV or JSON file, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.upkeep.export_files import NO_ROW
from cookieguard.features.records.values.consents import Asker
from cookieguard.features.records.values.imports import RowUnusable, Source, read_row
from cookieguard.features.records.values.records import Record
from cookieguard.features.records.values.sealing import digest_of_id
from cookieguard.features.records.writer import LogWriter

AT_ONCE = 1000  # records that wait for one answer: the writer keeps ten times as many
TIMEOUT = 60.0  # seconds for these
MOST_NAMED = 10_000  # bad rows; of a file that is another tool's each one is


@dataclass(slots=True)
class Imported:
    """Count what became of a file's rows; the first bad ones are named by where they stand."""

    written: int = 0
    known: int = 0
    old: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    more_bad: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows there were."""
        return self.written + self.known + self.old + self.all_bad

    @property
    def all_bad(self) -> int:
        """Return how many could not be used."""
        return len(self.bad) + self.more_bad

    def refuse(self, where: str, what: str) -> None:
        """Count a row that cannot be used."""
        if len(self.bad) < MOST_NAMED:
            self.bad.append((where, what))
        else:
            self.more_bad += 1


def import_rows(
    rows: Iterator[tuple[str, Any]],
    source: Source,
    writer: LogWriter | None,
    *,
    asker: Asker,
    now: datetime,
    oldest: timedelta,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Write rows that are not there yet; without a writer only look. Raises LogDown.

    What is older than `oldest` would be let go at once, and is left out.
    """
    done, batch = Imported(), list[Record]()
    for where, row in rows:
        try:
            if not isinstance(row, dict):
                raise row if isinstance(row, RowUnusable) else NO_ROW
            record = read_row(source, row, asker, now=now)
        except (RowUnusable, RecursionError) as error:
            done.refuse(where, str(error) if isinstance(error, RowUnusable) else "is nested too deep")
            continue
        if record.time < now - oldest:
            done.old += 1
        else:
            batch.append(record)
        if len(batch) == AT_ONCE:
            _write(batch, writer, done)
            progress(done.rows)
    _write(batch, writer, done)
    return done


def _write(batch: list[Record], writer: LogWriter | None, done: Imported) -> None:
    """Write what the log does not have, and wait until it is on disk."""
    if writer is not None and batch:
        known = writer.ask(lambda stores: _ids_in_log(stores, batch)).result(TIMEOUT)
        futures: dict[str, Future[None]] = {
            one.id: writer.append(one) for one in batch if one.id not in known
        }
        for future in futures.values():
            future.result(TIMEOUT)
        done.known += len(batch) - len(futures)
        done.written += len(futures)
    elif batch:
        done.written += len(batch)
    batch.clear()


def _ids_in_log(stores: Stores, batch: list[Record]) -> set[str]:
    return {one.id for one in batch if stores.log.row(digest_of_id(one.id)) is not None}
