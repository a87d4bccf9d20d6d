"""The store in one SQLite file: for all workers of one machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cookieguard.storage.store.protocol import ROWS, Row, Store, making_once

EDGE = """
    SELECT number, key FROM cookieguard_ending WHERE what = :what AND number > :after
    ORDER BY number DESC, key DESC LIMIT 1 OFFSET :skipped
"""
# In the order of the table, as LEFT_OUT.
SINCE_EDGE = f"{ROWS} WHERE what = :what AND (+number, +key) > (:number, :key)"
ONE = f"{ROWS} WHERE what = :what AND key = :key"
SIZE = """
    SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()
"""


class SqliteStore(Store):
    """Be a Store in a file, made with mode 0600 where there is none and `make` is true."""

    def last_rows(self, what: str, after: int, count: int) -> Iterator[Row]:
        """Yield so many rows of a kind, the last ones, the first of these at the end; all as they are at one time."""
        with self.database.snapshot():
            edge = self.database.row(EDGE, what=what, after=after, skipped=count - 1)
            if edge is None:
                yield from super().last_rows(what, after, count)
                return
            number, key = edge
            yield from self.database.stream(SINCE_EDGE, what=what, number=number, key=key)
            yield from self.database.stream(ONE, what=what, key=key)

    def size(self) -> int:
        """Return how many bytes of the file are in use."""
        return int(self.database.value(SIZE))


def opener(path: Path) -> Callable[[], SqliteStore]:
    """Return what opens the store: the first time it makes the file."""
    return making_once(partial(SqliteStore, path))
