"""Run each statement, written once, on a SQLite file or on PostgreSQL.

Parameters are named (`:name`), and types are SQLite's. Apart from what both databases share, a statement may use:

| written | meaning |
|---|---|
| `PLACE` | the type of a key that grows with each row |
| `now()`, `later(:seconds)` | the time of the clock that all workers share, and a time so many seconds later |
| `seconds_until(column)` | seconds until a time, or 0 if it has passed |
| `MOMENT`, `LONG_AGO` | the type of such a column, and a time before all others |
| `IN (:these)` | one of the values passed to `rows_in` or `write_in` |
| `(a, b) IN (SELECT a, b FROM ... LIMIT :count)` | some rows of the same table, found by their key |
| `/*lock*/` | lock the rows found and skip those that others locked; a file is locked as a whole |
| `/*postgres ...*/` | text for PostgreSQL alone |

Statements use the table names of PostgreSQL; `Tables.short` maps them to those of a file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

NEWER = "its tables have schema {number}, this release knows {known}; run the release that wrote them"


class Step(NamedTuple):
    """Bring tables from one schema to the next."""

    statements: Sequence[str]
    unless: tuple[str, str] | None = None
    """A table and a column. If the column exists, a release that kept no number has done this step already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """Describe the tables of one part, and how long it waits for them."""

    main: str
    """If this table is missing, so are the others. PostgreSQL keeps the schema's number under its name."""
    steps: Sequence[Step]
    down: Callable[[str], Exception]
    """The error of this part; its reason holds no URL, no path and no value."""
    short: Sequence[tuple[str, str]]
    """Pairs of a word in a statement and its replacement in a file; applied in this order."""
    busy_seconds: float
    statement_milliseconds: int
    lock_milliseconds: int
    settings: Sequence[str] = ()
    """Statements for each connection to PostgreSQL."""


class Text(NamedTuple):
    """Hold a statement in the words of one database."""

    sql: str
    is_read: bool


class Database(ABC):
    """Run statements over one connection. Used by one thread at a time; raises the error that `Tables.down` makes.

    Each statement that writes is a transaction of its own, unless it is part of one.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._texts: dict[str, Text] = {}
        self._connection: Any = None
        self._run: Callable[[str, Mapping[str, Any]], Any]

    def rows(self, statement: str, /, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a statement."""
        text = self._text(statement)
        with self._asking() if text.is_read else self._writing():
            rows: list[tuple[Any, ...]] = self._run(text.sql, values).fetchall()
        return rows

    def row(self, statement: str, /, **values: Any) -> tuple[Any, ...] | None:
        """Return the first row of a statement, or None."""
        return next(iter(self.rows(statement, **values)), None)

    def value(self, statement: str, /, **values: Any) -> Any:
        """Return the first value of the first row, or None."""
        return next(iter(self.row(statement, **values) or ()), None)

    def rows_in(self, statement: str, these: Sequence[Any], /, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a statement for a list of values."""
        text, found = self._text(statement), list[tuple[Any, ...]]()
        with self._asking() if text.is_read else self._writing():
            for sql, some in self._parts(text.sql, these):
                found += self._run(sql, values | some).fetchall()
        return found

    def write(self, statement: str, /, **values: Any) -> int:
        """Return how many rows a statement wrote."""
        with self._writing():
            count: int = self._run(self._text(statement).sql, values).rowcount
        return count

    def write_in(self, statement: str, these: Sequence[Any], /, **values: Any) -> int:
        """Return how many rows a statement wrote for a list of values."""
        count = 0
        with self._writing():
            for sql, some in self._parts(self._text(statement).sql, these):
                count += self._run(sql, values | some).rowcount
        return count

    def write_each(self, statement: str, values: Iterable[Mapping[str, Any]]) -> int:
        """Run a statement once for each mapping, in one transaction; return how many rows it wrote."""
        with self.transaction():
            cursor = self._connection.cursor()
            cursor.executemany(self._text(statement).sql, values)
            return max(0, int(cursor.rowcount))

    def migrate(self, *, make: bool) -> bool:
        """Bring the tables to the schema of this release; return whether they exist.

        Missing tables are created only with `make`. Raises `down` if a newer release wrote them.
        """
        steps, number = self.tables.steps, self._number()
        if number is None and not make:
            return False
        if (number or 0) > len(steps):
            raise self.tables.down(NEWER.format(number=number, known=len(steps)))
        if (number or 0) < len(steps):
            with self._migrating():
                for step in steps[self._number() or 0 :]:
                    if step.unless is None or not self.has(*step.unless):
                        for statement in step.statements:
                            self.write(statement)
                self._put_number(len(steps))
        return True

    def _text(self, statement: str) -> Text:
        text = self._texts.get(statement)
        if text is None:
            is_read = not any(word in statement for word in ("INSERT ", "UPDATE ", "DELETE "))
            text = self._texts[statement] = Text(self._translated(statement), is_read)
        return text

    @abstractmethod
    def has(self, table: str, column: str) -> bool:
        """Return whether a table has a column."""

    @abstractmethod
    def stream(self, statement: str, /, **values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield rows as of one moment, without holding all of them in memory."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Run the body in one transaction, or as part of the current one."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Let all reads in the body see the same state of the database."""

    @abstractmethod
    def take_turns(self, name: str) -> None:
        """Wait, in a transaction, until other transactions that took turns under this name end."""

    @abstractmethod
    def require_own(self) -> None:
        """Raise `down` if another file has replaced the one in use."""

    @abstractmethod
    def empty_journal(self) -> None:
        """Remove deleted content from the file's journal; raise `down` if a reader holds the journal for too long."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; never raises."""

    @abstractmethod
    def _asking(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _writing(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _migrating(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _parts(self, sql: str, these: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]: ...

    @abstractmethod
    def _translated(self, statement: str) -> str: ...

    @abstractmethod
    def _number(self) -> int | None: ...

    @abstractmethod
    def _put_number(self, number: int) -> None: ...
