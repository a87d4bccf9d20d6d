"""The store in one SQLite file: for all workers of one machine."""

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
    """Be a Store in a file, made with mode 0600 where there is none and `make` is true."""

    def size(self) -> int:
        """Return how many bytes of the file are in use."""
        return int(self.database.value(SIZE))


def opener(path: Path, keyring: Keyring) -> Callable[[], SqliteStore]:
    """Return what opens the store: the first time it makes the file."""
    return making_once(partial(SqliteStore, path, keyring))
