"""The store in PostgreSQL: for shops on several machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cookieguard.keyring import Keyring
from cookieguard.storage.store.protocol import MAX_BYTES, Store, making_once

# The size of the table never shrinks; what is in it is looked at only where that is near.
SIZE = """
    SELECT CASE WHEN pg_total_relation_size('cookieguard_kept') < :most / 2 THEN 0 ELSE (
        SELECT coalesce(sum(octet_length(sealed) + 100), 0) FROM cookieguard_kept
    ) END
"""


class PostgresStore(Store):
    """Be a Store in the tables `cookieguard_*` of one database, made where there are none and `make` is true."""

    def size(self) -> int:
        """Return about how many bytes values take."""
        return int(self.database.value(SIZE, most=MAX_BYTES))


def opener(url: str, keyring: Keyring) -> Callable[[], PostgresStore]:
    """Return what opens the store: the first time it makes the tables."""
    return making_once(partial(PostgresStore, url, keyring))
