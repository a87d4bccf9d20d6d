"""Values of the store that are read, changed and written whole, and never end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cookieguard.storage.store.protocol import FOR_EVER, Store

TRIES = 20  # of two who write at once one begins anew
Table = TypeVar("Table", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class WholeValue(Generic[Table]):
    """Know where a table lies in the store, and how it is read and written; without one it is empty."""

    namespace: str
    key: str
    loads: Callable[[bytes], Table]
    dumps: Callable[[Table], bytes]

    def read(self, store: Store) -> Table:
        """Return the table; raises StoreDown, and what `loads` raises."""
        return self._read(store)[0]

    def change(self, store: Store, change: Callable[[Table], Table]) -> Table | None:
        """Write what `change` makes of the table, and return it; None where others write it all the time."""
        for _ in range(TRIES):
            before, version = self._read(store)
            after = change(before)
            if after == before or store.write(
                self.namespace, self.key, self.dumps(after), until=FOR_EVER, after=version
            ):
                return after
        return None

    def _read(self, store: Store) -> tuple[Table, int]:
        found = store.read(self.namespace, self.key)
        return (self.loads(b"{}"), 0) if found is None else (self.loads(found.value), found.version)
