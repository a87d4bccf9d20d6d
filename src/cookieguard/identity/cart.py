"""The cart: what this session and customer want to buy, in a cookie that opens for them only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cookieguard.identity import jsontext
from cookieguard.identity.channel import Channel, Mismatch, Refused
from cookieguard.identity.session import Session
from cookieguard.identity.state import Binding
from cookieguard.identity.tokens import Token
from cookieguard.identity.values import JsonMapping


class Cart(JsonMapping):
    """Be a dict of JSON values that belongs to one session and one customer; prices do not belong in it.

    At login it follows its session, at logout it is empty. Owns its entries until the response starts.
    """

    __slots__ = ("_channel", "_endings", "_is_open", "_session", "_token", "_version")

    def __init__(self, channel: Channel, session: Session) -> None:
        self._channel = channel
        self._session = session
        self._token: Token | None = None
        self._is_open = False
        self._version = 0
        self._endings = 0

    @property
    def version(self) -> int:
        """Return how often this cart was changed, as the browser presented it: 0 for one not yet written."""
        self.mark_accessed()
        return self._version

    @property
    def is_open(self) -> bool:
        """Say whether anything was read or written."""
        return self._is_open

    # From here on: for the visit.

    @property
    def is_presented(self) -> bool:
        """Say whether the browser sent a cart."""
        return self._session.presented.jar.has(self._channel.name)

    @property
    def is_kept(self) -> bool:
        """Say whether there is a cart to keep; an emptied one is, so that its older copies stay older."""
        return len(self) > 0 or self._version > 0

    def set_cookie(self, *, now: datetime) -> bytes | None:
        """Return the Set-Cookie header value that makes the browser's copy right, if it is not."""
        if not self.is_kept:
            return None if self._session.is_just_ended else self._channel.expire(self._session.presented)
        session = self._session
        is_changed = self._is_changed()
        if not (is_changed or self._must_follow(now)):
            return None
        text = self._text(session.binding, self._version + is_changed)
        # The session's last end, not its idle one: a cart outlives no session and needs no refreshing.
        return self._channel.write(text, host=self._session.presented.host, now=now, expires=session.ends)

    def _is_changed(self) -> bool:
        before = self._text(self._session.presented_binding, self._version)
        return self._token is None or before != self._token.text

    def _must_follow(self, now: datetime) -> bool:
        """Say whether an unchanged cart is written again: new session id or customer, or an old key."""
        session = self._session
        is_old = self._token is not None and not self._channel.is_current(self._token)
        return is_old or session.is_stale(now) or session.binding != session.presented_binding

    def _text(self, binding: Binding, version: int) -> bytes:
        return jsontext.encode(
            {"s": binding.session_id, "c": binding.customer, "v": version, "d": self.copy()}
        )

    def mark_accessed(self) -> None:
        """Open the cart, unless it is open; a logout in between has emptied it."""
        if not self._is_open or self._endings != self._session.endings:
            self._is_open = True
            self._fill(self._open())

    def _open(self) -> dict[str, Any]:
        session = self._session
        is_refused = session.was_refused  # its event is told; a cart without its session is the consequence
        self._token, self._version, self._endings = None, 0, session.endings
        if is_refused or session.endings:
            return {}
        found = self._channel.read(self._session.presented, self._parse)
        if found is None:
            return {}
        self._token, (self._version, entries) = found
        return entries

    def _parse(self, token: Token) -> tuple[int, dict[str, Any]]:
        payload = token.payload
        belongs_to = Binding(payload["s"], payload["c"])
        version, entries = payload["v"], payload["d"]
        if not (isinstance(version, int) and isinstance(entries, dict)):
            raise TypeError("cart payload")
        mismatch = _mismatch(belongs_to, self._session.presented_binding)
        if mismatch is not None:
            raise Refused(mismatch)
        return version, entries


def _mismatch(belongs_to: Binding, presented: Binding) -> Mismatch | None:
    if presented.session_id is None:
        return Mismatch.NO_SESSION
    if belongs_to.customer != presented.customer:
        return Mismatch.OTHER_CUSTOMER
    if belongs_to.session_id != presented.session_id:
        return Mismatch.OTHER_SESSION
    return None
