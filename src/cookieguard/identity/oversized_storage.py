"""Where the store keeps the entries of one session or one cart while they are too large for its cookie."""

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
    """Know the place in the store, and what of this request the store was told.

    Owned by one session or cart. Once there, entries stay there as long as the session has its id: so nobody
    can tell a cookie that went back to being small from an older copy of it.
    """

    __slots__ = ("_content", "_is_released", "is_missing", "place")

    def __init__(self, place: Place | None = None, *, is_missing: bool = False) -> None:
        self.place = place
        self.is_missing = is_missing
        self._is_released = False
        self._content: OversizedContent | None = None

    def own(self) -> OversizedStorage:
        """Return one that may be changed."""
        return OversizedStorage() if self is NOWHERE else self

    def left(self) -> OversizedStorage:
        """Return what is left after a logout: a place to give up."""
        return NOWHERE if self.place is None else OversizedStorage(self.place)

    def takes(self, text: bytes, fits: Callable[[bytes], bool], *, is_same: bool) -> bool:
        """Return whether these entries belong into the store."""
        return not self.is_missing and ((self.place is not None and is_same) or not fits(text))

    def place_of(self, text: bytes, *, cookie: str) -> Place:
        """Return where the store has them by now. Raises StoreFirst where it has not, or CookieTooLarge."""
        check_oversized(cookie, text)
        if self._content is None or self._content.text != text:
            raise StoreFirst
        return self._content.place

    def require_release(self) -> None:
        """Raise StoreFirst where the store still has what nobody refers to any more."""
        if self.place is not None and not self._is_released:
            raise StoreFirst

    def release(self) -> list[Write]:
        """Return how the store lets go of it."""
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
        """Return how the store takes the entries; nothing where the cookie holds them."""
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
    """Return the entries the store had there, None where it could not be asked. Raises Refused once they are gone.

    With the store they are gone: where it is switched off nobody would ever have them again.
    """
    oversized = presented.oversized
    if not has_store:
        raise Refused(Mismatch.GONE)
    if oversized is None:
        return None
    if place.key in oversized.gone:
        raise Refused(Mismatch.GONE)
    return oversized.entries.get(place.key)
