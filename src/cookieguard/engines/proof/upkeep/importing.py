"""Bringing what another consent tool wrote down into the log: rows of a CSV or JSON file, each once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cookieguard.engines.proof.protocol import Stores
from cookieguard.engines.proof.writer import LogWriter
from cookieguard.errors import ConfigError
from cookieguard.proof.consents import Asker
from cookieguard.proof.imports import RowUnusable, Source, read_row
from cookieguard.proof.records import Record
from cookieguard.proof.sealing import digest_of_id

AT_ONCE = 1000  # records that wait for one answer: the writer keeps ten times as many
PATIENCE = 60.0  # seconds for these
DELIMITERS = ",;\t|"
SNIFFED = 64 * 1024  # characters
LISTS = ("data", "consents", "rows", "items", "results")  # where an object has its rows


@dataclass(slots=True)
class Imported:
    """Count what became of a file's rows; the bad ones are named by where they stand."""

    written: int = 0
    known: int = 0
    old: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Return how many rows there were."""
        return self.written + self.known + self.old + len(self.bad)


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
                raise RowUnusable("is no object with names")
            record = read_row(source, row, asker, now=now)
        except RowUnusable as error:
            done.bad.append((where, str(error)))
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
        known = writer.ask(lambda stores: _known(stores, batch)).result(PATIENCE)
        futures: dict[str, Future[None]] = {
            one.id: writer.append(one) for one in batch if one.id not in known
        }
        for future in futures.values():
            future.result(PATIENCE)
        done.known += len(batch) - len(futures)
        done.written += len(futures)
    elif batch:
        done.written += len(batch)
    batch.clear()


def _known(stores: Stores, batch: list[Record]) -> set[str]:
    return {one.id for one in batch if stores.log.row(digest_of_id(one.id)) is not None}


def rows_of_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each row with where it stands: CSV, a JSON list, an object that has one, or JSON lines."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.read(SNIFFED)
            file.seek(0)
            if first.lstrip()[:1] in ("[", "{"):
                yield from _json_rows(file.read())
            else:
                yield from _csv_rows(file, first)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        was = getattr(error, "strerror", None) or str(error)
        raise ConfigError(str(path), was=was, allowed="a CSV or JSON file in UTF-8") from error


def _csv_rows(file: Any, first: str) -> Iterator[tuple[str, Mapping[str, str] | None]]:
    head = first.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.DictReader(file, delimiter=delimiter)
    for row in reader:
        where = f"line {reader.line_num}"
        if None in row:  # more values than the head has names
            yield where, None
        else:
            yield where, {name.strip(): value for name, value in row.items() if name is not None}


def _json_rows(text: str) -> Iterator[tuple[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError:
        yield from _json_lines(text)
        return
    except RecursionError as error:
        raise ConfigError("the file", was="JSON nested too deep", allowed="rows") from error
    if isinstance(found, dict):
        found = next((found[name] for name in LISTS if isinstance(found.get(name), list)), [found])
    for number, row in enumerate(found, 1):
        yield f"entry {number}", row


def _json_lines(text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", json.loads(line)
        except (ValueError, RecursionError):
            yield f"line {number}", None
