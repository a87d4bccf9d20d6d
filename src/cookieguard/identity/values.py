"""The mapping that sessions and carts share: a dict to the app, opened when it is first touched."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from cookieguard.identity.jsontext import NotJsonError


class JsonMapping(MutableMapping[str, Any]):
    """Be a dict with text keys. What lies in it, the owning subclass keeps and opens on first use."""

    __slots__ = ()

    @abstractmethod
    def _entries(self) -> dict[str, Any]:
        """Return the dict behind this mapping, opening it first."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Say whether anything was read or written."""

    def __getitem__(self, key: str) -> Any:
        return self._entries()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise NotJsonError(f"a cookie's keys are text, not {type(key).__name__}")
        self._entries()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._entries()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def __contains__(self, key: object) -> bool:
        return key in self._entries()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under `key`, else `default` (the inherited way raises and catches on a miss)."""
        return self._entries().get(key, default)

    def clear(self) -> None:
        """Remove every entry (the inherited way pops them one by one)."""
        self._entries().clear()

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the entry that came last, as a dict does (the inherited way takes the first)."""
        return self._entries().popitem()

    def copy(self) -> dict[str, Any]:
        """Return the entries as a plain dict."""
        return dict(self._entries())

    def replace(self, entries: Mapping[str, Any]) -> None:
        """Put other entries in the place of all there are."""
        kept = dict(entries)
        self.clear()
        self.update(kept)

    def __repr__(self) -> str:
        # Never a key or a value: both may be personal. Never opens.
        held = f"{len(self)} entries" if self.is_open else "unopened"
        return f"<{type(self).__name__} {held}>"
