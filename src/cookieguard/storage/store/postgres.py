"""The store in PostgreSQL, for shops on several machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cookieguard.keyring import Keyring
from cookieguard.storage.store.protocol import MAX_BYTES, Store, making_once

# The values are added up only if the table's size on disk, which never shrinks, is near the limit.
SIZE = """
    SELECT CASE WHEN pg_total_relation_size('cookieguard_kept') < :most / 2 THEN 0 ELSE (
        SELECT coalesce(sum(octet_length(sealed) + 100), 0) FROM cookieguard_kept
    ) END
"""


class PostgresStore(Store):
    """A Store in the tables `cookieguard_*` of a database, created with `make` if they are missing."""

    def size(self) -> int:
        """Return approximately how many bytes the values take."""
        return int(self.database.value(SIZE, most=MAX_BYTES))


def opener(url: str, keyring: Keyring) -> Callable[[], PostgresStore]:
    """Return a function that opens the store, and creates the tables on its first call."""
    return making_once(partial(PostgresStore, url, keyring))
