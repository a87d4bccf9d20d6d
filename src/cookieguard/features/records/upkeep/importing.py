"""Import of another consent tool's records into the log: each row of a CSV or JSON file is written once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from cookieguard.errors import ConfigError
from cookieguard.features.records.values.consents import Asker
from cookieguard.features.records.values.imports import RowUnusable, Source, read_row
from cookieguard.features.records.values.records import Record
from cookieguard.features.records.values.sealing import digest_of_id
from cookieguard.features.records.writer import LogWriter

DELIMITERS = ",;\t|"
CHUNK = 64 * 1024  # characters
MOST_OF_ROW = 1024 * 1024
LONGEST_DOCUMENT = 64 * 2**20  # characters; Python needs about ten times as much memory for its values
LISTS = ("data", "consents", "rows", "items", "results")  # names under which an object may have its rows
LONGEST_NUMBER = 30  # digits; longer ones stay text, since Python's `int` refuses too many digits
NO_ROW = RowUnusable("is not an object with names")


def rows_of_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield position and row, or the error of a bad row, from CSV, JSON lines, a JSON list or an object with one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.read(CHUNK)
            file.seek(0)
            if first.lstrip()[:1] not in ("[", "{"):
                yield from _csv_rows(file, first)
            elif _is_line_of_its_own(first):
                yield from _json_lines(file)
            else:
                yield from _rows_of_document(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        was = getattr(error, "strerror", None) or str(error)
        raise ConfigError(str(path), was=f"unreadable ({was})", allowed="CSV or JSON in UTF-8") from error


def _lines(file: TextIO) -> Iterator[str]:
    return iter(lambda: file.readline(MOST_OF_ROW), "")


def _csv_rows(file: TextIO, first: str) -> Iterator[tuple[str, Any]]:
    head = first.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.DictReader(_lines(file), delimiter=delimiter)
    reader.fieldnames  # noqa: B018 - reads the head outside the loop, since no row can be read without it
    while True:
        before = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # a field that is too long, mostly because of an unclosed quote
            yield f"lines {before + 1} to {reader.line_num}", RowUnusable(f"cannot be read: {error}")
            continue
        where = f"line {reader.line_num}"
        if None in row:  # more values than the head has names
            yield where, NO_ROW
        else:
            yield where, {name.strip(): value for name, value in row.items()}


def _is_line_of_its_own(first: str) -> bool:
    """Return whether a file's first line is a row by itself, instead of an object with a list of rows."""
    try:
        found = json.loads(first.lstrip().partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and not _list_in(found)


def _json_lines(file: TextIO) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_lines(file), 1):
        if line.strip():
            try:
                yield f"line {number}", _DECODER.decode(line)
            except (ValueError, RecursionError):
                yield f"line {number}", NO_ROW


def _rows_of_document(file: TextIO) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a JSON list, of an object's first list of objects, or the object itself, read at once."""
    text = file.read(LONGEST_DOCUMENT + 1)
    try:
        if len(text) > LONGEST_DOCUMENT:
            raise ValueError(f"longer than {LONGEST_DOCUMENT // 2**20} MB")
        found = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        was = str(error) if isinstance(error, ValueError) else "nested too deep"
        allowed = "a JSON list, or JSON lines of any length (jq -c '.[]')"
        raise ConfigError(
            file.name, was=f"a JSON document that cannot be read: {was}", allowed=allowed
        ) from error
    for number, row in enumerate(found if isinstance(found, list) else _list_in(found) or [found], 1):
        yield f"entry {number}", row


def _list_in(found: dict[str, Any]) -> list[Any]:
    """Return an object's list of rows, empty if it has none."""
    lists = (found.get(name) for name in LISTS)
    return next(
        (rows for rows in lists if isinstance(rows, list) and isinstance(next(iter(rows), None), dict)), []
    )


_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) <= LONGEST_NUMBER else digits)


AT_ONCE = 1000  # records written together; the writer's queue has room for ten times as many
TIMEOUT = 60.0  # seconds for these records
MOST_NAMED = 10_000  # bad rows that are listed; with the wrong columns, each row of a file is bad


@dataclass(slots=True)
class Imported:
    """Count the results for a file's rows. The first bad rows are listed with their positions."""

    written: int = 0
    known: int = 0
    old: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    more_bad: int = 0

    @property
    def rows(self) -> int:
        """Return the number of all rows."""
        return self.written + self.known + self.old + self.all_bad

    @property
    def all_bad(self) -> int:
        """Return the number of rows that could not be used."""
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
    """Write the rows that the log does not have; without a writer, only count them. Raises LogDown.

    Rows older than `oldest` are left out, since they would be pruned at once.
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
    """Write the records that the log does not have, and wait until they are on disk."""
    if writer is not None and batch:
        known = writer.ask(
            lambda stores: {new.id for new in batch if stores.log.row(digest_of_id(new.id)) is not None}
        ).result(TIMEOUT)
        futures: dict[str, Future[None]] = {
            record.id: writer.append(record) for record in batch if record.id not in known
        }
        for future in futures.values():
            future.result(TIMEOUT)
        done.known += len(batch) - len(futures)
        done.written += len(futures)
    elif batch:
        done.written += len(batch)
    batch.clear()
