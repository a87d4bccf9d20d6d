"""Decides, for one session or cart, when its entries move from the cookie to the store, and what is written there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cookieguard.identity.carts.stored_carts import StoreFirst, StoreNamespace, Write
from cookieguard.identity.oversized import MAX_OVERSIZED, OversizedContent, Place, check_oversized, pack
from cookieguard.identity.revocations import UNHEARD
from cookieguard.identity.token_cookie import Mismatch, Presented, Refused
from cookieguard.identity.tokens import to_milliseconds


class OversizedStorage:
    """Hold the place in the store, and what this request has written there.

    Owned by one session or cart. Entries stay in the store for as long as the session keeps its id, even if they
    become small enough again. Otherwise an older copy of the cookie could not be told apart from the newest.
    """

    __slots__ = ("_content", "_is_released", "is_missing", "place")

    def __init__(self, place: Place | None = None, *, is_missing: bool = False) -> None:
        self.place = place
        self.is_missing = is_missing
        self._is_released = False
        self._content: OversizedContent | None = None

    def own(self) -> OversizedStorage:
        """Return an instance that may be changed: a new one in place of the shared NOWHERE."""
        return OversizedStorage() if self is NOWHERE else self

    def left(self) -> OversizedStorage:
        """Return the storage after a logout: its place is still known, so that it can be removed."""
        return NOWHERE if self.place is None else OversizedStorage(self.place)

    def takes(self, text: bytes, fits: Callable[[bytes], bool], *, is_same: bool) -> bool:
        """Return whether these entries belong in the store."""
        return not self.is_missing and ((self.place is not None and is_same) or not fits(text))

    def place_of(self, text: bytes, *, cookie: str) -> Place:
        """Return where the store has this payload's entries. Raises StoreFirst if they are not written yet."""
        check_oversized(cookie, text)
        if self._content is None or self._content.text != text:
            raise StoreFirst
        return self._content.place

    def require_release(self) -> None:
        """Raise StoreFirst while the store still has entries to which no cookie refers any more."""
        if self.place is not None and not self._is_released:
            raise StoreFirst

    def release(self) -> list[Write]:
        """Return the removal of the entries from the store, once."""
        if self.place is None or self._is_released:
            return []
        self._is_released = True
        return [Write(StoreNamespace.OVERSIZED, self.place.key, None)]

    def spill(
        self,
        text: bytes,
        entries: dict[str, Any],
        fits: Callable[[bytes], bool],
        *,
        is_same: bool,
        now: datetime,
        until: datetime,
        owner: str,
    ) -> list[Write]:
        """Return the writes that put the entries into the store; an empty list if the cookie holds them."""
        if self.is_missing:
            return []
        writes = [] if is_same else self.release()
        if self.takes(text, fits, is_same=is_same) and len(text) <= MAX_OVERSIZED:
            last = self._content.place if self._content is not None else self.place if is_same else None
            self._content = pack(text, entries, last, now=now)
            place, value = self._content.place, self._content.value
            kept_until = to_milliseconds(until + UNHEARD)
            write = Write(StoreNamespace.OVERSIZED, place.key, value, place.number, kept_until, owner=owner)
            writes.append(write)
        return writes


NOWHERE = OversizedStorage()


def fetched(presented: Presented, place: Place, *, has_store: bool) -> dict[str, Any] | None:
    """Return the entries that the store had at a place; None if the read failed.

    Raises Refused if the entries are lost. A shop that switched the store off lost all of them.
    """
    oversized = presented.oversized
    if not has_store:
        raise Refused(Mismatch.GONE)
    if oversized is None:
        return None
    if place.key in oversized.gone:
        raise Refused(Mismatch.GONE)
    return oversized.entries.get(place.key)
