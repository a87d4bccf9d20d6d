"""The session that apps use as `request.session`: the shop's values, the customer, login and logout, in one cookie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

from cookieguard.errors import CookieGuardError, OtherSession
from cookieguard.identity.remember_me import COPY_USED, Link, RememberState, SecurityWarning, Series
from cookieguard.identity.revocations import ended_customer, ended_session
from cookieguard.identity.session_cookie import SessionCookie
from cookieguard.identity.session_state import Claim, customer_number, new_id
from cookieguard.identity.tokens import from_milliseconds

NO_STORE = "logging out everywhere needs the store, but store.enabled is false"
NO_MEMORY = "login(remember=True) needs the store, but store.enabled is false"


class Session(SessionCookie):
    """The app's `request.session`: a dict of JSON values, with the customer it belongs to.

    The cookie is opened at the first access.
    """

    __slots__ = ()

    @property
    def id(self) -> str:
        """Return the random id of this session. Reading the id also makes sure that the session is kept."""
        identity = self._identified().id or ""
        self._is_id_asked = True
        return identity

    @property
    def customer(self) -> str | None:
        """Return the customer number of this session; None for a guest, or while the store cannot be read."""
        return None if self.is_uncertain else self._open().customer

    @property
    def auth_time(self) -> datetime | None:
        """Return when the customer logged in."""
        moment = self._open().authenticated
        return None if moment is None else from_milliseconds(moment)

    @property
    def auth_age(self) -> timedelta | None:
        """Return how long ago the customer logged in, None for a guest. A checkout may require a recent login."""
        moment = None if self.customer is None else self.auth_time
        return None if moment is None else max(self.presented.now - moment, timedelta(0))

    @property
    def created(self) -> datetime:
        """Return when this session began; login begins a new one."""
        return from_milliseconds(self._open().begun)

    @property
    def is_remembered(self) -> bool:
        """Return whether a remember-me cookie began this session, without a password."""
        link = None if self.customer is None else self.link
        return link is not None and link.is_remembered

    @property
    def warnings(self) -> tuple[SecurityWarning, ...]:
        """Return the security warnings to show to this customer, until `take_warnings` removes them."""
        warned = None if self.customer is None else self._open().warned
        return () if warned is None else (SecurityWarning(COPY_USED, from_milliseconds(warned)),)

    def take_warnings(self) -> tuple[SecurityWarning, ...]:
        """Return the warnings and remove them; the caller shows them to the customer."""
        warnings, state = self.warnings, self._open()
        if warnings:
            self._news().shown, state.warned = state.warned, None
        return warnings

    def login(self, customer: str | int, *, remember: bool = False) -> None:
        """Begin a new session of this customer. A guest's entries and cart move into it, another customer's do not.

        Raises CookieGuardError for `remember` without a store, which would hold the remember-me series.
        """
        number = customer_number(customer)
        if remember and self._revocations is None:
            raise CookieGuardError(NO_MEMORY)
        if self._open().customer not in (None, number):
            self.logout()
        self._end_presented()
        before, state = self._open(), self._begin()
        state.customer = number
        state.authenticated = state.begun
        state.link = before.link and Link(before.link.series, before.link.unseen)
        state.orders, state.new_orders = before.orders, before.new_orders
        state.merges = self._revocations is not None
        self._has_logged_in = True
        if self._revocations is not None:
            remembering = self._news()
            remembering.has_logged_in, remembering.is_wanted = True, remember

    def logout(self) -> None:
        """End the session. The next one has no customer, no entries, an empty cart and a new id."""
        self._open()
        self._end_presented()
        self._leave_series()
        self._begin()
        self._hidden = None
        self._oversized = self._oversized.left()
        self._fill({})
        self._is_id_asked = False
        self._has_logged_in = False
        self.revocations += 1

    def logout_everywhere(self) -> None:
        """End every session of this customer, including this one. A later login is valid.

        Raises CookieGuardError without a store, because the other browsers' sessions could not be ended.
        """
        if self._revocations is None:
            raise CookieGuardError(NO_STORE)
        customer, now = self._open().customer, self.presented.now
        if customer is not None:
            latest = self._revocations.latest(now)
            self.ended.append(ended_customer(customer, now=latest, longest=self._life.longest))
        self.logout()

    def clear(self) -> None:
        """Remove every entry, including hidden ones; customer and cart stay.

        Shops call it to log out and before a login, so the session gets a new id, and copies of the cookie that
        held the entries are refused from then on.
        """
        state = self._open()
        if len(self) or self._hidden is not None:
            self._end_presented()
            state.id = new_id()
        self._hidden = None
        self._oversized = self._oversized.left()
        super().clear()

    def renew_id(self) -> None:
        """Give the session a new id and keep all else, at a change of privilege. Copies with the old id are ended."""
        state = self._open()
        self._end_presented()
        state.id = new_id()
        self._is_id_asked = True

    # The following methods serve other sources of the customer, and the shop's own signed cookies.

    def believe(self, claim: Callable[[], Claim]) -> None:
        """Let `claim` decide whose session this is. It is called once, at the first access."""
        self._claim = claim
        if self.is_open:
            self.heed()

    def heed(self) -> None:
        claim, self._claim = self._claim, None
        if claim is None:
            return
        self.peek()
        claimed = claim()
        state = self._state or self._read()
        if not claimed.is_certain:
            self._hide()
        elif claimed.customer != state.customer:
            self.logout() if claimed.customer is None else self.login(claimed.customer)
            if not claimed.lasts:
                self._leave_browser()

    @property
    def is_overtaken(self) -> bool:
        """Return whether another request replaced this request's session in the meantime, for instance by a login.

        Unless this request logs in or out itself, its response must not set a cookie: that would undo the login.
        """
        revocations = self._revocations
        if revocations is None or not self.is_just_ended or self.customer is not None or self.revocations:
            return False
        token = self._channel.peek(self.presented)
        return token is not None and revocations.is_ended(str(token.payload.get("i")))

    def lets_late_login_pass(self) -> bool:
        """Return whether a login came too late for a cookie; the browser then keeps its session as it is."""
        is_late = self._state is not None and self._has_logged_in
        if is_late and not self.revocations:  # a logout by the app remains in force
            self._leave_browser()
        return is_late

    def _leave_browser(self) -> None:
        """Apply the changes to this request only; the browser keeps the session that it presented."""
        self.ended, self.remember_state = [], None
        self._has_logged_in = self._has_ended = False

    # The following methods serve remember-me and the synchronization of consent between browsers.

    @property
    def followed(self) -> int:
        """Return how far consent was synchronized: 0 not at all, 1 refusals of other browsers, 2 the signal too."""
        return self._open().followed

    @followed.setter
    def followed(self, level: int) -> None:
        self._open().followed = level

    def is_owed(self, level: int) -> bool:
        """Return whether an open session of a customer has not reached this level of `followed`."""
        state = self._state
        return state is not None and state.customer is not None and state.followed < level

    @property
    def link(self) -> Link | None:
        """Return the series that this session is tied to."""
        return self._open().link

    @link.setter
    def link(self, link: Link | None) -> None:
        self._open().link = link

    def warn(self, moment: int) -> None:
        """Warn the customer that a copy of the remember-me cookie was used at `moment`."""
        self._open().warned = moment

    def resume(self, series: Series, link: Link) -> None:
        """Begin a session of a remembered customer, which keeps the time of the original login."""
        self._end_presented()
        state = self._begin()
        state.customer, state.authenticated, state.link = series.customer, series.authenticated, link
        state.merges = self._revocations is not None
        state.ends = min(state.ends, series.ends)  # the session must not outlive the series that began it

    @property
    def _wrapped(self) -> NoReturn:
        raise AttributeError("_wrapped")

    @_wrapped.setter
    def _wrapped(self, session: object) -> None:
        """Raise OtherSession: Channels sets this attribute to fill Django's lazy objects with its own session."""
        raise OtherSession("Django Channels uses a session of its own")

    def leave(self) -> bool:
        """End the presented session, which is empty now, and return whether there is a revocation to store."""
        self._end_presented()
        return len(self.ended) > 0

    def _end_presented(self) -> None:
        """Add a revocation of the presented session, once; copies of its cookie are refused from then on."""
        session_id, customer = self.presented_binding
        if self._revocations is not None and session_id is not None and not self._has_ended:
            self._has_ended = True
            now, since = self.presented.now, self.presented_since
            # A copy of the cookie may date from when the clock was ahead.
            idle = self._life.idle + (self._revocations.latest(now) - now)
            self.ended.append(ended_session(session_id, now=now, idle=idle, customer=customer, since=since))

    def _news(self) -> RememberState:
        if self.remember_state is None:
            self.remember_state = RememberState()
        self.remember_state.is_news = True
        return self.remember_state

    def _leave_series(self) -> None:
        """Stop remembering this browser; all other sessions that its series began end too."""
        if self._revocations is None:
            return
        remembering, link = self._news(), self.link
        remembering.token, remembering.is_wanted, remembering.has_logged_in = None, False, False
        if link is not None:
            remembering.left.append(link.series)
