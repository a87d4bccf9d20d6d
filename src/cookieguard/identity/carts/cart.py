"""The cart that apps use: what a customer wants to buy, in a cookie valid only in this session for this customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cookieguard.identity.carts.cart_versions import NO_LOWEST, LowestVersion
from cookieguard.identity.carts.stored_carts import StoredCart, StoreFirst, Write
from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.lazy_mapping import JsonMapping
from cookieguard.identity.oversized import MAX_OVERSIZED, Place, check_oversized, place_of
from cookieguard.identity.oversized_storage import NOWHERE, OversizedStorage, fetched
from cookieguard.identity.revocations import Revocation, Revocations, outdated_carts
from cookieguard.identity.session import Session
from cookieguard.identity.session_state import Binding
from cookieguard.identity.token_cookie import Channel, Mismatch, Refused
from cookieguard.identity.tokens import Token


class Cart(JsonMapping):
    """A dict of JSON values that belongs to one session and one customer. Keep prices out of it.

    At a login it moves to the new session, at a logout it is emptied. Owns its entries until the response starts.
    """

    __slots__ = (
        "_before",
        "_channel",
        "_is_open",
        "_is_outdated",
        "_is_returned",
        "_lowest_versions",
        "_oversized",
        "_revocations",
        "_session",
        "_stored_text",
        "_stored_version",
        "_token",
        "_version",
    )

    def __init__(
        self, channel: Channel, session: Session, lowest_versions: Revocations | None = None
    ) -> None:
        self._channel = channel
        self._session = session
        self._lowest_versions = lowest_versions
        self._token: Token | None = None
        self._is_open = False
        self._is_outdated = False
        self._is_returned = False
        self._version = 0
        self._stored_version = 0  # the version that was passed on to the store
        self._stored_text = b""  # the payload of that version
        self._revocations = 0
        self._before = b""  # the payload as it came, including the entries that the store had
        self._oversized = NOWHERE

    @property
    def version(self) -> int:
        """Return how often the cart that the browser presented was changed; 0 for a new cart."""
        self.mark_accessed()
        return self._version

    @property
    def is_open(self) -> bool:
        return self._is_open

    # The rest is called by the visit.

    @property
    def is_presented(self) -> bool:
        """Return whether the browser sent a cart."""
        return self._session.presented.jar.has(self._channel.name)

    @property
    def is_kept(self) -> bool:
        """Return whether to keep this cart. An emptied one is kept too, so that its older copies stay outdated."""
        return len(self) > 0 or self._version > 0

    @property
    def is_outdated(self) -> bool:
        """Return whether the browser presented an older version, which was refused."""
        return self._is_outdated

    @property
    def is_missing(self) -> bool:
        """Return whether the entries are in the store, which could not be read."""
        return self._oversized.is_missing

    def set_cookie(self, *, now: datetime, has_store: bool = False) -> bytes | None:
        """Return the Set-Cookie header value that updates the browser's copy; None if the copy is right.

        Raises StoreFirst if a change must first be written to the store.
        """
        overflow, session = self._oversized, self._session
        if not self.is_kept:
            if has_store:
                overflow.require_release()
            return None if session.is_just_ended else self._channel.expire(session.presented)
        is_changed = self.is_changed
        if not (is_changed or self._must_follow(now)):
            return None
        version = (self._stored_version or self._version + 1) if is_changed else self._version
        text, is_oversized = self._text(version), overflow.is_missing
        if has_store and is_changed:
            check_oversized(self._channel.name, text)
            if text != self._stored_text:
                raise StoreFirst
        if has_store and overflow.takes(text, self._channel.fits, is_same=self._is_same):
            place = overflow.place_of(text, cookie=self._channel.name)
            text, is_oversized = _payload(session.binding, version, {}, place), True
        # Expires with the session's absolute end, not with its idle time, so that it needs no refresh.
        return self._channel.write(
            text, host=session.presented.host, now=now, expires=session.ends, is_oversized=is_oversized
        )

    @property
    def is_changed(self) -> bool:
        """Return whether the entries differ from those that the browser presented."""
        if self._token is None and not self._is_returned:
            return len(self) > 0 or self._version > 0
        return self._text(self._version, self._session.presented_binding) != self._before

    def outdate(self, *, now: datetime) -> list[Revocation]:
        """Give a changed cart the next version, and return the revocation of older ones. Once for each change."""
        session_id = self._session.binding.session_id
        if not self.is_changed or self._lowest_versions is None or session_id is None:
            return []
        if self._stored_text == self._text(self._stored_version) and not self.is_outrun:
            return []
        self._stored_version = (
            max(self._version, self._stored_version, self._lowest_version(session_id).version) + 1
        )
        self._stored_text = self._text(self._stored_version)
        if len(self._stored_text) > MAX_OVERSIZED:
            return []
        return [
            outdated_carts(session_id, LowestVersion.at(self._stored_version, now), until=self._session.ends)
        ]

    @property
    def newest_version(self) -> int:
        """Return the version that this response writes, or else the presented one."""
        return max(self._version, self._stored_version)

    def catch_up(self) -> None:
        """Note that the newest content is known now, so that the cart is no longer outdated."""
        self._is_outdated = False

    def gets_back(self, kept: StoredCart) -> bool:
        """Take over the stored cart if the browser presented an older version of it and the app added no entries.

        Return whether this was done. The cart keeps the stored version number, because with a higher number other
        tabs' copies of the newest cart would count as outdated.
        """
        session_id = self._session.binding.session_id
        is_newest = kept.session_id == session_id and kept.version >= self._lowest_version(session_id).version
        if not (self._is_outdated and is_newest and self._is_same) or self._session.state.merges or len(self):
            return False
        self._is_outdated, self._is_returned, self._version = False, True, kept.version
        self._fill(kept.entries)
        self._before = _payload(self._session.presented_binding, kept.version, kept.entries)
        return True

    @property
    def is_outrun(self) -> bool:
        """Return whether another request wrote a newer version meanwhile. The response that starts last wins."""
        session_id = self._session.binding.session_id
        return (
            bool(self._stored_version and session_id)
            and self._lowest_version(session_id).version > self._stored_version
        )

    def spill(self, *, now: datetime) -> list[Write]:
        """Return the writes and removals that bring this cart's entries in the store up to date."""
        if not self.is_kept:
            return self._oversized.release()
        is_changed = self.is_changed
        if not (is_changed or self._must_follow(now)):
            return []
        self._oversized = self._oversized.own()
        text = self._text((self._stored_version or self._version + 1) if is_changed else self._version)
        fits, until, owner = self._channel.fits, self._session.ends, self._session.binding.owner
        return self._oversized.spill(
            text, self.copy(), fits, is_same=self._is_same, now=now, until=until, owner=owner
        )

    def _lowest_version(self, session_id: str | None) -> LowestVersion:
        return (
            NO_LOWEST
            if self._lowest_versions is None or session_id is None
            else self._lowest_versions.lowest_version(session_id)
        )

    @property
    def _is_same(self) -> bool:
        return self._session.binding == self._session.presented_binding

    def _must_follow(self, now: datetime) -> bool:
        """Return whether to write an unchanged cart again, for a new session id or customer, or an old key."""
        session = self._session
        if not self._is_same or self._is_returned:
            return True
        if self._token is None or self._version < self._lowest_version(session.binding.session_id).version:
            return False  # another response is bringing a newer version to the browser
        return session.is_stale(now) or not self._channel.is_current(self._token)

    def _text(self, version: int, binding: Binding | None = None) -> bytes:
        overflow = self._oversized
        place = overflow.place if overflow.is_missing else None
        return _payload(binding or self._session.binding, version, self.copy(), place)

    def mark_accessed(self) -> None:
        """Open the cart, unless it is open. After a logout, open it again: it is empty then."""
        if not self._is_open or self._revocations != self._session.revocations:
            self._is_open = True
            self._fill(self._open())

    def _open(self) -> dict[str, Any]:
        session = self._session
        is_refused = session.was_refused  # already logged, so the cart, which depends on it, logs no event
        self._token, self._version, self._revocations = None, 0, session.revocations
        self._oversized = self._oversized.left()
        self._is_outdated = self._is_returned = False
        if is_refused or session.revocations:
            if session.revocations and session.presented.oversized is not None:
                self._oversized = self._left_place()
            return {}
        found = self._channel.read(self._session.presented, self._parse)
        if found is None:
            return {}
        self._token, (self._version, entries) = found
        return entries

    def _left_place(self) -> OversizedStorage:
        """Return where the store has the cart of the session that was logged out, so that it can be removed."""
        token, session = self._channel.peek(self._session.presented), self._session
        if token is None or token.payload.get("s") != session.presented_binding.session_id:
            return NOWHERE
        return OversizedStorage(place_of(token.payload.get("n"))).left()

    def _parse(self, token: Token) -> tuple[int, dict[str, Any]]:
        payload = token.payload
        belongs_to = Binding(payload["s"], payload["c"])
        version, entries = payload["v"], payload["d"]
        if not (isinstance(version, int) and isinstance(entries, dict)):
            raise TypeError("cart payload")
        session = self._session
        mismatch = _mismatch(belongs_to, session.presented_binding)
        if mismatch is not None:
            raise Refused(mismatch)
        if self._lowest_version(belongs_to.session_id).refuses(version, session.presented.now):
            self._is_outdated = True
            raise Refused(Mismatch.OLD)
        self._before = token.text
        if "n" in payload:
            entries = self._fetch(place_of(payload["n"]), version, entries)
        return version, entries

    def _fetch(self, place: Place | None, version: int, added: dict[str, Any]) -> dict[str, Any]:
        if place is None:
            raise TypeError("place")
        entries = fetched(self._session.presented, place, has_store=self._lowest_versions is not None)
        self._oversized = OversizedStorage(place, is_missing=entries is None)
        if entries is None:
            return added
        self._before = _payload(self._session.presented_binding, version, entries)
        return {**entries, **added}


def _payload(binding: Binding, version: int, entries: dict[str, Any], place: Place | None = None) -> bytes:
    payload: dict[str, Any] = {"s": binding.session_id, "c": binding.customer, "v": version, "d": entries}
    if place is not None:
        payload["n"] = place
    return jsontext.encode(payload)


def _mismatch(belongs_to: Binding, presented: Binding) -> Mismatch | None:
    if presented.session_id is None:
        return Mismatch.NO_SESSION
    if belongs_to.customer != presented.customer:
        return Mismatch.OTHER_CUSTOMER
    if belongs_to.session_id != presented.session_id:
        return Mismatch.OTHER_SESSION
    return None
