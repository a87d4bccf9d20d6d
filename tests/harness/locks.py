"""A lock on a SQLite file that outlasts the wait of every writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Lock a database against other writers until the block ends."""
    with closing(
        sqlite3.connect(database, isolation_level=None, timeout=60, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
