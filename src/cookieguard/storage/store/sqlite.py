"""The store in one SQLite file, for all workers of one machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cookieguard.keyring import Keyring
from cookieguard.storage.store.protocol import Store, making_once

SIZE = """
    SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()
"""


class SqliteStore(Store):
    """A Store in a file, created with mode 0600 and `make` if it is missing."""

    def size(self) -> int:
        """Return how many bytes of the file are in use."""
        return int(self.database.value(SIZE))


def opener(path: Path, keyring: Keyring) -> Callable[[], SqliteStore]:
    """Return a function that opens the store, and creates the file on its first call."""
    return making_once(partial(SqliteStore, path, keyring))
