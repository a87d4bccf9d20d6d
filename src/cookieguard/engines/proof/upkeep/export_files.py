"""The rows of a file that another tool exported, one after the other: no file is read as a whole, however large."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from cookieguard.errors import ConfigError
from cookieguard.proof.imports import RowUnusable

DELIMITERS = ",;\t|"
CHUNK = 64 * 1024  # characters
MOST_OF_ROW = 1024 * 1024
LISTS = ("data", "consents", "rows", "items", "results")  # where an object has its rows
LONGEST_NUMBER = 30  # digits; of more Python refuses to make a number
NO_ROW = RowUnusable("is not an object with names")


def rows_of_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each row with where it stands, or why it is none: CSV, JSON lists, objects that have one, JSON lines."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.read(CHUNK)
            file.seek(0)
            if first.lstrip()[:1] not in ("[", "{"):
                yield from _csv_rows(file, first)
            elif _is_line_of_its_own(first):
                yield from _json_lines(file)
            else:
                yield from _entries(_Json(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        was = getattr(error, "strerror", None) or str(error)
        raise ConfigError(str(path), was=f"unreadable ({was})", allowed="CSV or JSON in UTF-8") from error


def _lines(file: TextIO) -> Iterator[str]:
    """Yield lines, those that are too long in pieces."""
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
    return isinstance(found, dict) and not any(
        isinstance(found.get(name), list) and isinstance(next(iter(found[name]), {}), dict) for name in LISTS
    )


def _json_lines(file: TextIO) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_lines(file), 1):
        if line.strip():
            try:
                yield f"line {number}", _DECODER.decode(line)
            except (ValueError, RecursionError):
                yield f"line {number}", NO_ROW


def _entries(text: _Json) -> Iterator[tuple[str, Any]]:
    number = 0
    try:
        while text.peek():
            for row in _rows(text):
                number += 1
                yield f"entry {number}", row
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError):  # where the next one begins nobody knows
        yield f"entry {number + 1}, and all after it,", NO_ROW


def _rows(text: _Json) -> Iterator[Any]:
    """Yield what a list has, or an object's first list of objects; else the object."""
    if text.take("[{") == "[":
        yield from _items(text)
        return
    whole: dict[str, Any] = {}
    has_rows = False
    while text.peek() != "}":
        name = text.value()
        text.take(":")
        if name in LISTS and text.peek() == "[":
            text.take("[")
            if not has_rows and text.peek() in "{]":
                has_rows = True
                yield from _items(text)
            else:
                whole[name] = list(_items(text))
        else:
            whole[str(name)] = text.value()
        if text.peek() != "}":
            text.take(",")
    text.take("}")
    if not has_rows:
        yield whole


def _items(text: _Json) -> Iterator[Any]:
    """Yield the items of a list that was begun, and end it."""
    while text.peek() != "]":
        yield text.value()
        if text.peek() != "]":
            text.take(",")
    text.take("]")


class _Json:
    """Read JSON a value at a time. Owns what of the file is read and not used yet."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text, self._at, self._is_all = "", 0, False

    def peek(self) -> str:
        """Return the next character that is no blank, empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_all:
                return ""
            self._read()

    def take(self, allowed: str) -> str:
        """Take one of these characters; raises ValueError."""
        found = self.peek()
        if not found or found not in allowed:
            raise ValueError
        self._at += 1
        return found

    def value(self) -> Any:
        """Take a value; raises ValueError, and RecursionError for one nested too deep."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if self._is_all or len(self._text) - self._at > MOST_OF_ROW:
                    raise
            else:
                if end < len(self._text) or self._is_all:  # else a number may go on
                    self._at = end
                    return value
            self._read()

    def _read(self) -> None:
        """Read on: each time as much again, so that a long value is not looked at too often."""
        left = self._text[self._at :]
        more = self._file.read(max(CHUNK, len(left)))
        self._text, self._at, self._is_all = left + more, 0, not more


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits


_DECODER = json.JSONDecoder(parse_int=_integer)
