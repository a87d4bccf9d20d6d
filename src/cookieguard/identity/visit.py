"""The door to this package: one Identity per application, one Visit per request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cookieguard.config import CookieSettings, IdentitySettings
from cookieguard.identity.cart import Cart
from cookieguard.identity.channel import Channel, Presented
from cookieguard.identity.cookies import CookieJar
from cookieguard.identity.endings import Endings
from cookieguard.identity.remember import Memory
from cookieguard.identity.session import Session
from cookieguard.identity.state import Life
from cookieguard.identity.tokens import Kind, from_milliseconds
from cookieguard.keyring import Keyring


class Identity:
    """Hold what sessions and carts need and no request changes: keys, cookies, limits."""

    __slots__ = ("cart_channel", "endings", "life", "remember_channel", "session_channel")

    def __init__(
        self,
        keyring: Keyring,
        cookies: CookieSettings,
        settings: IdentitySettings,
        *,
        dev: bool = False,
        endings: Endings | None = None,
    ) -> None:
        self.endings = endings
        self.life = Life.of(settings, remembered=timedelta(seconds=cookies.remember.max_age))
        self.session_channel = Channel(keyring, kind=Kind.SESSION, spec=cookies.session, dev=dev)
        self.cart_channel = Channel(keyring, kind=Kind.CART, spec=cookies.cart, dev=dev)
        self.remember_channel = Channel(keyring, kind=Kind.REMEMBER, spec=cookies.remember, dev=dev)

    def is_presented(self, jar: CookieJar) -> bool:
        """Say whether a request brought what must be held against the store."""
        return jar.has(self.session_channel.name)

    def open(self, jar: CookieJar, *, host: str, now: datetime, on_event: Callable[[str], None]) -> Visit:
        """Begin a visit. No cookie is looked at before the session or the cart is touched.

        `host` is the host the cookies are for, without its port (cookies do not know ports).
        `on_event` gets one line for each cookie that does not count, never a value.
        """
        presented = Presented(jar, host, now, on_event)
        return Visit(self, self.session(lambda: presented))

    def session(self, present: Callable[[], Presented]) -> Session:
        """Make a request's session; `present` is asked for its cookies when the session is first touched."""
        return Session(self.session_channel, self.life, present, self.endings)


class Visit:
    """Hold one request's session and its cart, which is made when it is first asked for."""

    __slots__ = ("_cart", "_identity", "session")

    def __init__(self, identity: Identity, session: Session) -> None:
        self._identity = identity
        self._cart: Cart | None = None
        self.session = session
        """It opens when something in it is touched."""

    @property
    def cart(self) -> Cart:
        """Return the cart; it opens when something in it is touched."""
        if self._cart is None:
            self._cart = Cart(self._identity.cart_channel, self.session)
        return self._cart

    @property
    def touched(self) -> bool:
        """Say whether anything of ours was read or written (a cart opens its session first)."""
        return self.session.is_open

    def set_cookies(self, *, now: datetime) -> list[bytes]:
        """Return the Set-Cookie header values for what changed, must be refreshed or does not count.

        Changes nothing itself. Raises NotJsonError or CookieTooLarge, so ask before the response starts.
        """
        if not self.touched:
            return []
        session, cart = self.session, self.cart
        is_needed = session.is_needed
        if cart.is_open or (cart.is_presented and self._concerns_cart(now, is_needed=is_needed)):
            is_needed = cart.is_kept or is_needed
        lines = [session.set_cookie(now=now, is_needed=is_needed)]
        if cart.is_open:
            lines.append(cart.set_cookie(now=now))
        if session.memory is not None:
            channel, presented = self._identity.remember_channel, session.presented
            lines.append(remember_cookie(session.memory, channel, presented, now=now))
        return [line for line in lines if line is not None]

    def _concerns_cart(self, now: datetime, *, is_needed: bool) -> bool:
        """Say whether a cart nobody touched moves with its session, is renewed with it, or keeps it alive."""
        session = self.session
        return not (is_needed and session.is_continued) or session.is_stale(now)

    def __repr__(self) -> str:
        return f"<Visit {'touched' if self.touched else 'untouched'}>"


def remember_cookie(memory: Memory, channel: Channel, presented: Presented, *, now: datetime) -> bytes | None:
    """Return the Set-Cookie header value of the remember-me cookie, if the browser's copy is to change."""
    ticket = memory.ticket
    if ticket is None:
        return channel.expire(presented) if memory.is_over else None
    expires = from_milliseconds(ticket.ends)
    return channel.write(ticket.encode(), host=presented.host, now=now, expires=expires)
