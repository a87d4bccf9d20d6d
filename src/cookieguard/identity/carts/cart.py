"""The cart: what this session and customer want to buy, in a cookie that opens for them only."""

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
    """Be a dict of JSON values that belongs to one session and one customer; prices do not belong in it.

    At login it follows its session, at logout it is empty. Owns its entries until the response starts.
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
        "_token",
        "_told",
        "_version",
        "_written",
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
        self._written = 0  # the version that was told to the store
        self._told = b""  # and the payload that it stands for
        self._revocations = 0
        self._before = b""  # the payload as it came, with what the store had of it
        self._oversized = NOWHERE

    @property
    def version(self) -> int:
        """Return how often this cart was changed, as the browser presented it: 0 for one not yet written."""
        self.mark_accessed()
        return self._version

    @property
    def is_open(self) -> bool:
        return self._is_open

    # From here on: for the visit.

    @property
    def is_presented(self) -> bool:
        """Return whether the browser sent a cart."""
        return self._session.presented.jar.has(self._channel.name)

    @property
    def is_kept(self) -> bool:
        """Return whether there is a cart to keep; an emptied one is, so that its older copies stay older."""
        return len(self) > 0 or self._version > 0

    @property
    def is_outdated(self) -> bool:
        """Return whether the browser presented an older version, which does not count."""
        return self._is_outdated

    @property
    def is_missing(self) -> bool:
        """Return whether the entries are in a store that could not be asked."""
        return self._oversized.is_missing

    def set_cookie(self, *, now: datetime, has_store: bool = False) -> bytes | None:
        """Return the Set-Cookie header value that makes the browser's copy right, if it is not.

        Raises StoreFirst where the store did not hear of a change.
        """
        overflow, session = self._oversized, self._session
        if not self.is_kept:
            if has_store:
                overflow.require_release()
            return None if session.is_just_ended else self._channel.expire(session.presented)
        is_changed = self.is_changed
        if not (is_changed or self._must_follow(now)):
            return None
        version = (self._written or self._version + 1) if is_changed else self._version
        text, is_oversized = self._text(version), overflow.is_missing
        if has_store and is_changed:
            check_oversized(self._channel.name, text)
            if text != self._told:
                raise StoreFirst
        if has_store and overflow.takes(text, self._channel.fits, is_same=self._is_same):
            place = overflow.place_of(text, cookie=self._channel.name)
            text, is_oversized = _payload(session.binding, version, {}, place), True
        # The session's last end, not its idle one: a cart outlives no session and needs no refreshing.
        return self._channel.write(
            text, host=session.presented.host, now=now, expires=session.ends, is_oversized=is_oversized
        )

    @property
    def is_changed(self) -> bool:
        """Return whether the entries are others than those that came."""
        if self._token is None and not self._is_returned:
            return len(self) > 0 or self._version > 0
        return self._text(self._version, self._session.presented_binding) != self._before

    def outdate(self, *, now: datetime) -> list[Revocation]:
        """Give a changed cart the next version, and return what ends the ones before; once for each change."""
        session_id = self._session.binding.session_id
        if not self.is_changed or self._lowest_versions is None or session_id is None:
            return []
        if self._told == self._text(self._written) and not self.is_outrun:
            return []
        self._written = max(self._version, self._written, self._lowest_version(session_id).version) + 1
        self._told = self._text(self._written)
        if len(self._told) > MAX_OVERSIZED:
            return []
        return [outdated_carts(session_id, LowestVersion.at(self._written, now), until=self._session.ends)]

    @property
    def newest_version(self) -> int:
        """Return the version that this response writes, or the one that came."""
        return max(self._version, self._written)

    def catch_up(self) -> None:
        """Stop being outdated: the newest content is known."""
        self._is_outdated = False

    def gets_back(self, kept: StoredCart) -> bool:
        """Become the newest cart again where this session's older one came and the app added nothing; say whether.

        Under its own version: with another one the copies that others hold of the newest would be the older ones.
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
        """Return whether a newer version was written meanwhile: the response that starts last has the last word."""
        session_id = self._session.binding.session_id
        return bool(self._written and session_id) and self._lowest_version(session_id).version > self._written

    def spill(self, *, now: datetime) -> list[Write]:
        """Return what the store is to keep of this cart, and what no more."""
        if not self.is_kept:
            return self._oversized.release()
        is_changed = self.is_changed
        if not (is_changed or self._must_follow(now)):
            return []
        self._oversized = self._oversized.own()
        text = self._text((self._written or self._version + 1) if is_changed else self._version)
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
        """Return whether an unchanged cart is written again: new session id or customer, or an old key."""
        session = self._session
        if not self._is_same or self._is_returned:
            return True
        if self._token is None or self._version < self._lowest_version(session.binding.session_id).version:
            return False  # a newer one is on its way to the browser
        return session.is_stale(now) or not self._channel.is_current(self._token)

    def _text(self, version: int, binding: Binding | None = None) -> bytes:
        overflow = self._oversized
        place = overflow.place if overflow.is_missing else None
        return _payload(binding or self._session.binding, version, self.copy(), place)

    def mark_accessed(self) -> None:
        """Open the cart, unless it is open; a logout in between has emptied it."""
        if not self._is_open or self._revocations != self._session.revocations:
            self._is_open = True
            self._fill(self._open())

    def _open(self) -> dict[str, Any]:
        session = self._session
        is_refused = session.was_refused  # its event is told; a cart without its session is the consequence
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
        """Return where the store still has the cart of a session that is over, to give it up."""
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
