"""What the rest of cookieguard asks of this package: one Identity per application, one Visit per request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cookieguard.config import CookieSettings, IdentitySettings
from cookieguard.identity.carts.cart import Cart
from cookieguard.identity.carts.stored_carts import (
    CARTS_KEPT,
    MOST_CARRIED,
    ORDERS_KEPT,
    Add,
    Keeping,
    StoredCart,
    StoreFirst,
    StoreNamespace,
    Write,
    cart_write,
    joined,
    merged_by,
    read_cart,
    read_orders,
)
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.cookies import CookieJar
from cookieguard.identity.encoding.canonical_json import NotJsonError
from cookieguard.identity.lifetime import Life
from cookieguard.identity.oversized import Place, place_of
from cookieguard.identity.remember_me import RememberState
from cookieguard.identity.revocations import Revocation, Revocations
from cookieguard.identity.session import Session
from cookieguard.identity.token_cookie import Channel, Presented
from cookieguard.identity.tokens import Token, TokenKind, from_milliseconds, to_milliseconds
from cookieguard.keyring import Keyring


class Identity:
    """Hold what sessions and carts need and no request changes: keys, cookies, limits."""

    __slots__ = ("cart_channel", "keeping", "life", "remember_channel", "revocations", "session_channel")

    def __init__(
        self,
        keyring: Keyring,
        cookies: CookieSettings,
        settings: IdentitySettings,
        *,
        dev: bool = False,
        revocations: Revocations | None = None,
        keeping: Keeping | None = None,
        steps: Steps | None = None,
    ) -> None:
        """Take `revocations` and `keeping` where there is a store: who keeps must do what the visit says it owes.

        `steps` knows of a clock that was set back.
        """
        self.revocations = revocations
        self.keeping = keeping
        self.life = Life.of(settings, remembered=timedelta(seconds=cookies.remember.max_age))
        channel = partial(Channel, keyring, dev=dev, steps=steps)
        self.session_channel = channel(kind=TokenKind.SESSION, spec=cookies.session)
        self.cart_channel = channel(kind=TokenKind.CART, spec=cookies.cart)
        self.remember_channel = channel(kind=TokenKind.REMEMBER, spec=cookies.remember)

    def is_presented(self, jar: CookieJar) -> bool:
        """Return whether a request brought what must be held against the store."""
        return jar.has(self.session_channel.name)

    def places(self, presented: Presented) -> list[Place]:
        """Return where the store has what cookies only refer to; none for a cart of another session."""
        found = []
        session, cart = self.session_channel.peek(presented), self.cart_channel.peek(presented)
        for token in (session, cart if _belongs(cart, session) else None):
            with suppress(TypeError, ValueError):
                place = None if token is None else place_of(token.payload.get("n"))
                if place is not None:
                    found.append(place)
        return found

    def open(self, jar: CookieJar, *, host: str, now: datetime, on_event: Callable[[str], None]) -> Visit:
        """Begin a visit. No cookie is looked at before the session or the cart is touched.

        `host` is the host the cookies are for, without its port (cookies do not know ports).
        `on_event` gets one line for each cookie that does not count, never a value.
        """
        presented = Presented(jar, host, now, on_event)
        return Visit(self, self.session(lambda: presented))

    def session(self, present: Callable[[], Presented]) -> Session:
        """Make a request's session; `present` is asked for its cookies when the session is first touched."""
        return Session(self.session_channel, self.life, present, self.revocations)


def _belongs(cart: Token | None, session: Token | None) -> bool:
    """Return whether a cart may open in a session: after a lost answer to a login it is of the one before."""
    if cart is None or session is None:
        return False
    of_cart, of_session = cart.payload, session.payload
    return of_cart.get("s") == of_session.get("i") and of_cart.get("c") == of_session.get("c")


class Visit:
    """Hold one request's session and its cart, which is made when it is first asked for."""

    __slots__ = ("_cart", "_elsewhere", "_has_asked", "_has_cleared", "_identity", "_is_ahead", "session")

    def __init__(self, identity: Identity, session: Session) -> None:
        self._identity = identity
        self._cart: Cart | None = None
        self._has_asked = False
        self._has_cleared = False
        self._is_ahead = False  # the store was asked before the app, and has not heard what came of it
        self._elsewhere: dict[str, dict[str, Any]] = {}  # the cart that the store had, by whose it is
        self.session = session
        """It opens when something in it is touched."""

    @property
    def cart(self) -> Cart:
        """Return the cart; it opens when something in it is touched."""
        if self._cart is None:
            identity = self._identity
            self._cart = Cart(identity.cart_channel, self.session, identity.revocations)
        return self._cart

    @property
    def touched(self) -> bool:
        """Return whether anything of ours was read or written (a cart opens its session first)."""
        return self.session.is_open

    def set_cookies(self, *, now: datetime) -> list[bytes]:
        """Return the Set-Cookie header values for what changed, must be refreshed or does not count.

        Changes nothing itself. Raises NotJsonError or CookieTooLarge, so ask before the response starts; and
        StoreFirst where the store is to hear of it before (see `owed`).
        """
        if not self.touched or self._is_at_rest(now):
            return []
        session, has_store = self.session, self._identity.keeping is not None
        if has_store and (self.asks or self._is_ahead):
            raise StoreFirst
        is_needed = self._needs_session(now)
        if has_store and not is_needed and session.leave():  # before the browser forgets it
            raise StoreFirst
        lines = [session.set_cookie(now=now, is_needed=is_needed, has_store=has_store)]
        cart = self._cart
        if cart is not None and cart.is_open and not self._waits_for_store:
            lines.append(cart.set_cookie(now=now, has_store=has_store))
        if session.remember_state is not None:
            channel, presented = self._identity.remember_channel, session.presented
            lines.append(remember_cookie(session.remember_state, channel, presented, now=now))
        if has_store and session.state.new_orders:  # the last: what no cookie can hold comes before
            raise StoreFirst
        return [line for line in lines if line is not None]

    def _is_at_rest(self, now: datetime) -> bool:
        """Return whether the session was only read, and the cart not even that: then there is nothing to do."""
        return (self._cart is None or not self._cart.is_open) and self.session.is_at_rest(now)

    def _needs_session(self, now: datetime) -> bool:
        session, is_needed = self.session, self.session.is_needed
        if self._cart is None and not session.presented.jar.has(self._identity.cart_channel.name):
            return is_needed
        cart = self.cart
        if cart.is_open or (cart.is_presented and self._concerns_cart(now, is_needed=is_needed)):
            return cart.is_kept or is_needed
        return is_needed

    def _concerns_cart(self, now: datetime, *, is_needed: bool) -> bool:
        """Return whether a cart nobody touched moves with its session, is renewed with it, or keeps it alive."""
        session = self.session
        return not (is_needed and session.is_continued) or session.is_stale(now)

    # From here on: for the middleware, where there is a store.

    @property
    def asks(self) -> tuple[tuple[StoreNamespace, str], ...]:
        """Return what to ask the store for: what the customer left elsewhere, or the newest of an outdated cart.

        Once for each request; what could not be asked is asked at a later one.
        """
        keeping, session, cart = self._identity.keeping, self.session, self._cart
        if keeping is None or self._has_asked:
            return ()
        if not (session.state.merges or (cart is not None and cart.is_outdated)) or session.is_uncertain:
            return ()
        owner = session.binding.owner
        asks: tuple[tuple[StoreNamespace, str], ...] = ()
        if keeping.keep_carts and (session.state.merges or self.cart.is_outdated):
            asks = ((StoreNamespace.CART, owner),)
        if session.state.merges:
            asks += ((StoreNamespace.ORDERS, owner),)
            before = session.presented_binding
            if before.customer is None and len(session.state.orders) == MOST_CARRIED:
                asks += ((StoreNamespace.ORDERS, before.owner),)
        return asks

    def hear(
        self,
        answer: Mapping[tuple[StoreNamespace, str], bytes | None] | None,
        on_event: Callable[[str], None],
        *,
        is_ahead: bool = False,
    ) -> None:
        """Take what the store had; None where it could not be asked. `is_ahead`: before the app is called."""
        self._has_asked, self._is_ahead = True, is_ahead
        if answer is None:
            return
        state, owner = self.session.state, self.session.binding.owner
        if (StoreNamespace.CART, owner) in answer:
            self._merge(read_cart(answer[StoreNamespace.CART, owner]), on_event)
        if (StoreNamespace.ORDERS, owner) in answer:
            own, before = state.orders, self.session.presented_binding.owner
            state.take_over(read_orders(answer[StoreNamespace.ORDERS, owner]))
            state.new_orders = joined(
                state.new_orders, own, read_orders(answer.get((StoreNamespace.ORDERS, before)))
            )

    def _merge(self, kept: StoredCart, on_event: Callable[[str], None]) -> None:
        keeping, cart = self._identity.keeping, self.cart
        if keeping is None or cart.gets_back(kept):
            return
        here = cart.copy()
        cart.catch_up()
        merged = merged_by(keeping.merge_carts, here, kept.entries, on_event)
        if merged is None:
            return
        self._elsewhere[self.session.binding.owner] = kept.entries
        if merged != here:
            cart.replace(merged)

    def owed(self, *, now: datetime) -> tuple[list[Revocation], list[Write | Add]]:
        """Return what the store is to hear: versions that are over, and what it is to keep. Each once.

        What no cookie can be made of is left out: `set_cookies` raises.
        """
        session, cart = self.session, self.cart
        self._is_ahead = False
        if self._is_at_rest(now):
            return [], []
        revocations: list[Revocation] = []
        works: list[Write | Add] = []
        with suppress(NotJsonError):
            is_unsure = session.is_uncertain and session.state.customer is not None
            if is_unsure and (session.state.new_orders or (cart.is_open and cart.is_changed)):
                session.state.merges = True  # whose it is will be known at a later request
            works += session.spill(now=now, is_needed=self._needs_session(now))  # it has its id from here on
            works += self._orders(now, is_unsure=is_unsure)
            if cart.is_open:
                revocations += cart.outdate(now=now)
                works += cart.spill(now=now)
                works += self._writes_of_cart(now, is_changed=bool(revocations), is_unsure=is_unsure)
            works += self._left_behind()
        return revocations, works

    def _orders(self, now: datetime, *, is_unsure: bool, is_late: bool = False) -> list[Add]:
        """Return a customer's new orders, and those of a guest that the cookie does not hold."""
        session = self.session
        state = session.state
        orders, state.new_orders = state.new_orders, ()
        if state.customer is None and not is_late:
            orders = tuple(one for one in orders if one not in state.orders)
        if not orders or is_unsure or state.id is None:
            return []
        until = now + ORDERS_KEPT if state.customer is not None else session.ends
        return [Add(session.binding.owner, orders, to_milliseconds(until))]

    def _writes_of_cart(self, now: datetime, *, is_changed: bool, is_unsure: bool) -> list[Write]:
        """Return the newest content of a cart, unless it is still to be merged with what the store has."""
        keeping, session, cart = self._identity.keeping, self.session, self.cart
        if keeping is None or not keeping.keep_carts or is_unsure or cart.is_missing or session.state.merges:
            return []
        elsewhere = self._elsewhere.pop(session.binding.owner, None)
        if not is_changed and (elsewhere is None or elsewhere == cart.copy()):
            return []
        if self._identity.revocations is not None:  # of two carts the later must have the later time
            now = self._identity.revocations.latest(now)
        until = now + CARTS_KEPT if session.state.customer is not None else session.ends
        owner, session_id = session.binding.owner, session.binding.session_id or ""
        version = cart.newest_version
        return [cart_write(owner, cart.copy(), session_id=session_id, version=version, now=now, until=until)]

    def late_orders(self, *, now: datetime) -> list[Add]:
        """Return the orders of after the start: no cookie can carry them any more, but the store can."""
        session = self.session
        if not (session.is_open and session.state.new_orders) or session.is_uncertain:
            return []
        return self._orders(now, is_unsure=False, is_late=True)

    def _left_behind(self) -> list[Write]:
        """Return what nobody asks for any more: a guest's, after login and logout."""
        before, binding = self.session.presented_binding, self.session.binding
        is_left = before.customer is None and before.session_id is not None and before.owner != binding.owner
        if not is_left or self._has_cleared:
            return []
        self._has_cleared = True
        return [
            Write(namespace, before.owner, None) for namespace in (StoreNamespace.CART, StoreNamespace.ORDERS)
        ]

    @property
    def _waits_for_store(self) -> bool:
        """Return whether an outdated cart stays in the browser, since its newest content was not to be had."""
        keeping, cart = self._identity.keeping, self.cart
        return keeping is not None and keeping.keep_carts and cart.is_outdated and not cart.is_kept

    def __repr__(self) -> str:
        return f"<Visit {'touched' if self.touched else 'untouched'}>"


def remember_cookie(
    state: RememberState, channel: Channel, presented: Presented, *, now: datetime
) -> bytes | None:
    """Return the Set-Cookie header value of the remember-me cookie, if the browser's copy is to change."""
    token = state.token
    if token is None:
        return channel.expire(presented) if state.is_over else None
    expires = from_milliseconds(token.ends)
    return channel.write(token.encode(), host=presented.host, now=now, expires=expires)
