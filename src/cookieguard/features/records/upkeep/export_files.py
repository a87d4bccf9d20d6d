"""The rows of a file that another tool exported, one after the other: CSV, JSON lines, or one JSON document."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from cookieguard.errors import ConfigError
from cookieguard.features.records.values.imports import RowUnusable

DELIMITERS = ",;\t|"
CHUNK = 64 * 1024  # characters
MOST_OF_ROW = 1024 * 1024
LONGEST_DOCUMENT = 64 * 2**20  # characters; Python needs about ten times as much memory for its values
LISTS = ("data", "consents", "rows", "items", "results")  # where an object has its rows
LONGEST_NUMBER = 30  # digits; of more Python refuses to make a number
NO_ROW = RowUnusable("is not an object with names")


def rows_of_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each row with where it stands, or why it is none: CSV, JSON lines, a JSON list or an object with one."""
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
    reader.fieldnames  # noqa: B018 - reads the head: without one there is nothing to go on with
    while True:
        before = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # a field that is too long: of a quote that nobody closed, mostly
            yield f"lines {before + 1} to {reader.line_num}", RowUnusable(f"cannot be read: {error}")
            continue
        where = f"line {reader.line_num}"
        if None in row:  # more values than the head has names
            yield where, NO_ROW
        else:
            yield where, {name.strip(): value for name, value in row.items()}


def _is_line_of_its_own(first: str) -> bool:
    """Return whether a file's first line is a row, and not an object that has the rows."""
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
    """Yield what a JSON list has, or an object's first list of objects; else the object. It is read as a whole."""
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
    """Return an object's list of rows, empty where it has none."""
    lists = (found.get(name) for name in LISTS)
    return next(
        (one for one in lists if isinstance(one, list) and isinstance(next(iter(one), None), dict)), []
    )


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits


_DECODER = json.JSONDecoder(parse_int=_integer)
