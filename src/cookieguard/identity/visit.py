"""The entry to this package: one Identity per application, and one Visit per request with its session and cart."""

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
    """Hold what all requests share: the keys, cookies and lifetimes of sessions and carts."""

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
        """Pass `revocations` and `keeping` only with a store: the caller must then write what `Visit.owed` returns.

        `steps` knows whether the clock was set back.
        """
        self.revocations = revocations
        self.keeping = keeping
        self.life = Life.of(settings, remembered=timedelta(seconds=cookies.remember.max_age))
        channel = partial(Channel, keyring, dev=dev, steps=steps)
        self.session_channel = channel(kind=TokenKind.SESSION, spec=cookies.session)
        self.cart_channel = channel(kind=TokenKind.CART, spec=cookies.cart)
        self.remember_channel = channel(kind=TokenKind.REMEMBER, spec=cookies.remember)

    def is_presented(self, jar: CookieJar) -> bool:
        """Return whether a request has a session cookie, which must be checked against the store."""
        return jar.has(self.session_channel.name)

    def places(self, presented: Presented) -> list[Place]:
        """Return the places in the store to which session and cart cookie refer; skip a cart of another session."""
        found = []
        session, cart = self.session_channel.peek(presented), self.cart_channel.peek(presented)
        for token in (session, cart if _belongs(cart, session) else None):
            with suppress(TypeError, ValueError):
                place = None if token is None else place_of(token.payload.get("n"))
                if place is not None:
                    found.append(place)
        return found

    def open(self, jar: CookieJar, *, host: str, now: datetime, on_event: Callable[[str], None]) -> Visit:
        """Begin a visit. Cookies are parsed only when the app touches the session or the cart.

        `host` has no port, because cookies are not bound to ports (RFC 6265, 8.5).
        `on_event` receives one log line for each refused cookie, never the cookie's value.
        """
        presented = Presented(jar, host, now, on_event)
        return Visit(self, self.session(lambda: presented))

    def session(self, present: Callable[[], Presented]) -> Session:
        """Return a request's session, which calls `present` for its cookies when it is first touched."""
        return Session(self.session_channel, self.life, present, self.revocations)


def _belongs(cart: Token | None, session: Token | None) -> bool:
    """Return whether a cart belongs to a session.

    It belongs to the session before if the browser never received the response to a login.
    """
    if cart is None or session is None:
        return False
    of_cart, of_session = cart.payload, session.payload
    return of_cart.get("s") == of_session.get("i") and of_cart.get("c") == of_session.get("c")


class Visit:
    """Hold the session of one request, and its cart from the first access on."""

    __slots__ = ("_cart", "_elsewhere", "_has_asked", "_has_cleared", "_identity", "_is_ahead", "session")

    def __init__(self, identity: Identity, session: Session) -> None:
        self._identity = identity
        self._cart: Cart | None = None
        self._has_asked = False
        self._has_cleared = False
        self._is_ahead = False  # the store was read before the app ran, and the result is not written yet
        self._elsewhere: dict[str, dict[str, Any]] = {}  # the carts read from the store, by owner
        self.session = session
        """The session, whose cookie is opened at the first access to an entry."""

    @property
    def cart(self) -> Cart:
        """Return the cart, whose cookie is opened at the first access to an entry."""
        if self._cart is None:
            identity = self._identity
            self._cart = Cart(identity.cart_channel, self.session, identity.revocations)
        return self._cart

    @property
    def touched(self) -> bool:
        """Return whether the app read or wrote the session or the cart (opening the cart opens its session)."""
        return self.session.is_open

    def set_cookies(self, *, now: datetime) -> list[bytes]:
        """Return the Set-Cookie header values of cookies that changed, need a refresh or must be removed.

        Call it before the response starts, because it raises NotJsonError or CookieTooLarge. It raises StoreFirst
        while the store has to be read or written first (see `asks` and `owed`). Does not change the visit.
        """
        if not self.touched or self._is_at_rest(now):
            return []
        session, has_store = self.session, self._identity.keeping is not None
        if has_store and (self.asks or self._is_ahead):
            raise StoreFirst
        is_needed = self._needs_session(now)
        if has_store and not is_needed and session.leave():  # the store must know before the browser drops it
            raise StoreFirst
        lines = [session.set_cookie(now=now, is_needed=is_needed, has_store=has_store)]
        cart = self._cart
        if cart is not None and cart.is_open and not self._waits_for_store:
            lines.append(cart.set_cookie(now=now, has_store=has_store))
        if session.remember_state is not None:
            channel, presented = self._identity.remember_channel, session.presented
            lines.append(remember_cookie(session.remember_state, channel, presented, now=now))
        if has_store and session.state.new_orders:  # checked last, so that CookieTooLarge is raised first
            raise StoreFirst
        return [line for line in lines if line is not None]

    def _is_at_rest(self, now: datetime) -> bool:
        """Return whether the session was only read and the cart not opened, so that both cookies stay as they are."""
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
        """Return whether an untouched cart must follow a new session, be refreshed with it, or keep it alive."""
        session = self.session
        return not (is_needed and session.is_continued) or session.is_stale(now)

    # The rest is called by the middleware if there is a store.

    @property
    def asks(self) -> tuple[tuple[StoreNamespace, str], ...]:
        """Return the store keys to read: a customer's cart and orders of other browsers, or an outdated cart's newest.

        Returns them once per request. A read that fails is repeated at a later request.
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
        """Take over the values read from the store, None if the read failed. `is_ahead`: the app has not run yet."""
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
        """Return what to write to the store: revocations, and values of sessions, carts and orders. Each only once.

        Entries that are no JSON are left out here; `set_cookies` raises for them.
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
                session.state.merges = True  # a later request will know whether the session still counts
            works += session.spill(now=now, is_needed=self._needs_session(now))  # also assigns a missing id
            works += self._orders(now, is_unsure=is_unsure)
            if cart.is_open:
                revocations += cart.outdate(now=now)
                works += cart.spill(now=now)
                works += self._writes_of_cart(now, is_changed=bool(revocations), is_unsure=is_unsure)
            works += self._left_behind()
        return revocations, works

    def _orders(self, now: datetime, *, is_unsure: bool, is_late: bool = False) -> list[Add]:
        """Return a customer's new orders, or those of a guest that do not fit into the cookie."""
        session = self.session
        state = session.state
        orders, state.new_orders = state.new_orders, ()
        if state.customer is None and not is_late:
            orders = tuple(order for order in orders if order not in state.orders)
        if not orders or is_unsure or state.id is None:
            return []
        until = now + ORDERS_KEPT if state.customer is not None else session.ends
        return [Add(session.binding.owner, orders, to_milliseconds(until))]

    def _writes_of_cart(self, now: datetime, *, is_changed: bool, is_unsure: bool) -> list[Write]:
        """Return the write of a cart's newest content, unless it must first be merged with the stored cart."""
        keeping, session, cart = self._identity.keeping, self.session, self.cart
        if keeping is None or not keeping.keep_carts or is_unsure or cart.is_missing or session.state.merges:
            return []
        elsewhere = self._elsewhere.pop(session.binding.owner, None)
        if not is_changed and (elsewhere is None or elsewhere == cart.copy()):
            return []
        if self._identity.revocations is not None:  # the later of two carts needs the later time on any clock
            now = self._identity.revocations.latest(now)
        until = now + CARTS_KEPT if session.state.customer is not None else session.ends
        owner, session_id = session.binding.owner, session.binding.session_id or ""
        version = cart.newest_version
        return [cart_write(owner, cart.copy(), session_id=session_id, version=version, now=now, until=until)]

    def late_orders(self, *, now: datetime) -> list[Add]:
        """Return orders added after the response started: too late for a cookie, but the store can hold them."""
        session = self.session
        if not (session.is_open and session.state.new_orders) or session.is_uncertain:
            return []
        return self._orders(now, is_unsure=False, is_late=True)

    def _left_behind(self) -> list[Write]:
        """Return the removals of a guest's cart and orders, which are unreachable after a login or logout."""
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
        """Return whether an outdated cart stays in the browser because its newest content could not be read."""
        keeping, cart = self._identity.keeping, self.cart
        return keeping is not None and keeping.keep_carts and cart.is_outdated and not cart.is_kept

    def __repr__(self) -> str:
        return f"<Visit {'touched' if self.touched else 'untouched'}>"


def remember_cookie(
    state: RememberState, channel: Channel, presented: Presented, *, now: datetime
) -> bytes | None:
    """Return the Set-Cookie header value of the remember-me cookie; None if the browser's copy is right."""
    token = state.token
    if token is None:
        return channel.expire(presented) if state.is_over else None
    expires = from_milliseconds(token.ends)
    return channel.write(token.encode(), host=presented.host, now=now, expires=expires)
