"""The store in PostgreSQL: for shops on several machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cookieguard.storage.postgres_database import PostgresDatabase
from cookieguard.storage.store.protocol import MAX_BYTES, TABLES, Store, making_once

# For who erases a person: up to 2 GB are looked through, and no visitor waits for that connection.
ERASE_MILLISECONDS = 120_000
# The size of the table never shrinks; what is in it is looked at only where that is near.
SIZE = """
    SELECT CASE WHEN pg_total_relation_size('cookieguard_kept') < :most / 2 THEN 0 ELSE (
        SELECT coalesce(sum(octet_length(value) + 100), 0) FROM cookieguard_kept
    ) END
"""


class PostgresStore(Store):
    """Be a Store in the tables `cookieguard_*` of one database, made where there are none and `make` is true."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        self.database: PostgresDatabase = PostgresDatabase(url, TABLES, make=make)

    def keys(self, namespace: str, ending: str) -> list[str]:
        """Return the keys that end so, however many there are to look through."""
        with self.database.patient(ERASE_MILLISECONDS):
            return super().keys(namespace, ending)

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values, however many there are to look through."""
        with self.database.patient(ERASE_MILLISECONDS):
            super().erase_owned(namespace, owner)

    def size(self) -> int:
        """Return about how many bytes values take."""
        return int(self.database.value(SIZE, most=MAX_BYTES))


def opener(url: str) -> Callable[[], PostgresStore]:
    """Return what opens the store: the first time it makes the tables."""
    return making_once(partial(PostgresStore, url))
