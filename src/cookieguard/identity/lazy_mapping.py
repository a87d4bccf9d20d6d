"""The base class of session and cart: a dict for the app, whose cookie is opened at the first access.

It is a real dict, so that it works wherever a framework's own session does: `isinstance`, `|`, JSON encoders.
JSON encoders written in C read the dict directly and bypass Python methods, so `mark_accessed` must run before them.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from cookieguard.identity.encoding.canonical_json import NotJsonError
from cookieguard.identity.encoding.fast_json import entries_of


class JsonMapping(dict[str, Any]):
    """A dict with text keys that its subclass fills at the first access."""

    __slots__ = ()
    __hash__ = None  # unhashable, like any dict

    def mark_accessed(self) -> None:
        """Open this mapping, unless it is open. Starlette and FastAPI call this from `request.session`."""
        raise NotImplementedError

    def mark_changed(self) -> None:
        """Open this mapping before an entry is set or removed, even if the value stays equal."""
        self.mark_accessed()

    @property
    def is_open(self) -> bool:
        """Return whether an entry was read or written."""
        raise NotImplementedError

    def replace(self, entries: Mapping[str, Any]) -> None:
        """Replace all entries with these."""
        kept = {_text(key): value for key, value in entries.items()}
        self.mark_changed()
        self._fill(kept)

    def _opened(self) -> dict[str, Any]:
        """Return the entries held so far, without opening the cookie."""
        return entries_of(self)

    def _fill(self, entries: Mapping[str, Any]) -> None:
        if dict.__len__(self):
            entries = dict(entries)  # copied first, because it may be this very dict
            dict.clear(self)
        dict.update(self, entries)

    def __getitem__(self, key: str) -> Any:
        self.mark_accessed()
        return dict.__getitem__(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.mark_changed()
        dict.__setitem__(self, _text(key), value)

    def __delitem__(self, key: str) -> None:
        self.mark_changed()
        dict.__delitem__(self, key)

    def __iter__(self) -> Iterator[str]:
        self.mark_accessed()
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        self.mark_accessed()
        return dict.__reversed__(self)

    def __len__(self) -> int:
        self.mark_accessed()
        return dict.__len__(self)

    def __contains__(self, key: object) -> bool:
        self.mark_accessed()
        return dict.__contains__(self, key)

    def __eq__(self, other: object) -> bool:
        self.mark_accessed()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __or__(self, other: Any) -> Any:
        self.mark_accessed()
        return self._opened() | other

    def __ror__(self, other: Any) -> Any:
        self.mark_accessed()
        return other | self._opened()

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under `key`, or `default` if there is none."""
        self.mark_accessed()
        return dict.get(self, key, default)

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # dict names its own private view classes
        """Return a view of the keys."""
        self.mark_accessed()
        return dict.keys(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]  # as above
        """Return a view of the values."""
        self.mark_accessed()
        return dict.values(self)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]  # as above
        """Return a view of the entries."""
        self.mark_accessed()
        return dict.items(self)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value under `key`; if there is none, store `default` there first."""
        self.mark_changed()
        return dict.setdefault(self, _text(key), default)

    def update(self, *entries: Any, **more: Any) -> None:
        """Add the entries of a mapping or of pairs, replacing values under the same keys."""
        new = dict(*entries, **more)
        self.mark_changed()
        dict.update(self, {_text(key): value for key, value in new.items()})

    def pop(self, key: str, *default: Any) -> Any:
        """Remove an entry and return its value, or `default` if there is none."""
        self.mark_changed()
        return dict.pop(self, key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the entry that was added last."""
        self.mark_changed()
        return dict.popitem(self)

    def clear(self) -> None:
        """Remove every entry."""
        self.mark_changed()
        dict.clear(self)

    def copy(self) -> dict[str, Any]:
        """Return the entries as a plain dict."""
        self.mark_accessed()
        return self._opened()

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        """Copy and pickle as a plain dict, so that signing keys and cookies do not leave this object."""
        return dict, (self.copy(),)

    def __reduce_ex__(self, _: Any) -> tuple[type, tuple[dict[str, Any]]]:
        return self.__reduce__()

    def __repr__(self) -> str:
        # Shows no key and no value, because both may be personal data, and does not open the cookie.
        held = f"{dict.__len__(self)} entries" if self.is_open else "unopened"
        return f"<{type(self).__name__} {held}>"


def _text(key: object) -> str:
    if not isinstance(key, str):
        raise NotJsonError(f"a cookie's keys must be text, not {type(key).__name__}")
    return key
