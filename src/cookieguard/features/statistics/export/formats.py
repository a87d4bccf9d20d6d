"""Tables as Parquet, CSV or JSON, each as the bytes of a whole file."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO, StringIO
from itertools import islice

from cookieguard.features.statistics.export.tables import Holds, Table, date_of

ROWS = 20_000  # of a piece; memory holds one piece and the finished file
# A beginning that spreadsheets read as a formula. Where the comma is for decimals, they may split lines at `;` instead
# and then respect quotes only at the start of a line. Chinese, Japanese and Korean ones also read full-width signs.
FORMULA = re.compile(r"(^|[;\t|\r\n][\s'\"]*)(?=[=+@\t\r\uff1d\uff0b\uff20\uff0d-])")


def to_parquet(table: Table) -> bytes:
    """Return a table as Parquet, compressed with zstd. Raises ImportError if the extra `export` is missing.

    The file is made in memory, because the library ends the whole process if the disk is full.
    """
    from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
    from arro3.io import write_parquet

    moment = DataType.timestamp("ms")  # in UTC, but without naming a zone, since DuckDB would need time zones
    types = {
        Holds.TEXT: DataType.string(),
        Holds.COUNT: DataType.int64(),
        Holds.DAY: DataType.date32(),
        Holds.TIME: moment,
    }
    schema = Schema(
        [Field(name, types[kind], nullable=kind is Holds.COUNT) for name, kind in table.columns.items()]
    )

    def array(kind: Holds, values: list[object]) -> Array:
        if kind is Holds.TIME:
            return Array([1000 * int(str(value)) for value in values], DataType.int64()).cast(moment)
        if kind is Holds.DAY:
            return Array(values, DataType.int32()).cast(DataType.date32())
        if kind is Holds.TEXT:  # Parquet allows no lone surrogates
            values = [str(value).encode("utf-8", "replace").decode() for value in values]
        return Array(values, types[kind])

    def batches() -> Iterator[RecordBatch]:
        for rows in _pieces(table):
            columns = zip(*rows, strict=True)
            arrays = [
                array(kind, list(column))
                for kind, column in zip(table.columns.values(), columns, strict=True)
            ]
            yield RecordBatch.from_arrays(arrays, schema=schema)

    file = BytesIO()
    write_parquet(
        RecordBatchReader.from_batches(schema, batches()),
        file,
        compression="zstd(3)",
        key_value_metadata=dict(table.about),
        created_by="cookieguard",
    )
    return file.getvalue()


def to_csv(table: Table) -> bytes:
    """Return a table as CSV with a line of heads and quoted cells; a would-be formula gets a `'` in front."""
    return csv_of(list(table.columns), ([*_readable(table, row).values()] for row in table.rows))


def csv_of(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return lines of cells as CSV in which no spreadsheet finds a formula."""
    file = StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    for row in (heads, *rows):
        writer.writerow([FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell for cell in row])
    return file.getvalue().encode("utf-8", "replace")


def to_json(table: Table) -> bytes:
    """Return a table as one JSON document: its description, and the rows."""
    rows = [_readable(table, row) for row in table.rows]
    return json.dumps({"about": table.about, "rows": rows}, indent=1).encode()


FORMATS: Mapping[str, Callable[[Table], bytes]] = {"parquet": to_parquet, "csv": to_csv, "json": to_json}


def _pieces(table: Table) -> Iterator[list[tuple[object, ...]]]:
    rows = iter(table.rows)
    while piece := list(islice(rows, ROWS)):
        yield piece


def _readable(table: Table, row: tuple[object, ...]) -> dict[str, object]:
    named = zip(table.columns.items(), row, strict=True)
    return {name: _text(kind, value) for (name, kind), value in named}


def _text(kind: Holds, value: object) -> object:
    if kind is Holds.DAY and isinstance(value, int):
        return date_of(value)
    if kind is Holds.TIME and isinstance(value, int):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return value
