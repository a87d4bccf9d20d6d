"""Where a customer is logged in: one row of the store for each customer, so that they can end one session alone.

A session is a signed cookie, and nobody counts those; what is kept is that it began, when, and in which browser. One
that was left unused for too long stays in the list until the longest it could live is over, or it is ended.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cookieguard.runtime.worker import Worker
from cookieguard.stats.user_agents import UNKNOWN, read_agent
from cookieguard.storage.store.protocol import TRIES, Store, StoreDown
from cookieguard.storage.store.remember_me import SERIES_NAMESPACE

LOGINS_NAMESPACE = "logins"  # by customer
MOST_LOGINS = 20  # of more the oldest leave the list; they stay logged in, and "all devices" ends them
CONTENDED = "others changed this customer's logins at every try"
HANDLE_DIGITS = 16


class Login(NamedTuple):
    """Hold one: the session's id, when it began (milliseconds), its browser, and the series that remembers it."""

    session: str
    at: int
    agent: str
    series: str = ""

    @property
    def handle(self) -> str:
        """Return what a page calls it: a session's id stands in no page."""
        return hashlib.sha256(self.session.encode()).hexdigest()[:HANDLE_DIGITS]

    @property
    def began(self) -> datetime:
        """Return when it began."""
        return datetime.fromtimestamp(self.at / 1000, UTC)


class BrowserNames:
    """Load what names browsers, in a thread of its own from the first question on. Owns that thread.

    It takes 0.6 s of CPU. In the store's thread, all who wait for the store waited for that as well: the first login
    of each worker, and on a busy machine for longer than customers are known without a word of the store.
    """

    def __init__(self) -> None:
        self._is_loaded = False
        # A process that exits waits for it: one cut off in the parser's Rust aborts.
        self._worker = Worker("browsers", self._load, is_brief=True)

    def are_loaded(self) -> bool:
        """Return whether a browser is named at once; else begin to load."""
        if not self._is_loaded:
            self._worker.begin()
        return self._is_loaded

    def _load(self) -> None:
        read_agent(b"-")
        self._is_loaded = True


BROWSER_NAMES = BrowserNames()


def note_login(
    store: Store, customer: str, login: Login, *, before: str, header: bytes, longest: timedelta
) -> None:
    """Keep a login, in place of the session that became it; `header` says which browser."""
    agent = read_agent(header)
    named = login._replace(
        agent=", ".join(one for one in (agent.browser, agent.os) if one != UNKNOWN.browser)
    )
    until = login.at + int(longest.total_seconds() * 1000)

    def noted(kept: bytes | None) -> tuple[bytes, int]:
        others = [one for one in _logins(kept) if one.session not in (before, login.session)]
        return json.dumps([*others, named][-MOST_LOGINS:], separators=(",", ":")).encode(), until

    if not store.change(LOGINS_NAMESPACE, customer, noted):
        raise StoreDown(CONTENDED)


def logins_of(store: Store, customer: str) -> list[Login]:
    """Return a customer's logins, the newest last."""
    found = store.read(LOGINS_NAMESPACE, customer)
    return _logins(None if found is None else found.value)


def forget_login(store: Store, customer: str, session: str) -> None:
    """Take a login out of the list; of who is logged in nowhere nothing is left."""
    for _ in range(TRIES):
        found = store.read(LOGINS_NAMESPACE, customer)
        if found is None:
            return
        left = [one for one in _logins(found.value) if one.session != session]
        if not left and store.erase(LOGINS_NAMESPACE, customer, after=found.version):
            return
        value = json.dumps(left, separators=(",", ":")).encode()
        if left and store.write(LOGINS_NAMESPACE, customer, value, until=found.until, after=found.version):
            return
    raise StoreDown(CONTENDED)


def end_login(store: Store, customer: str, login: Login) -> None:
    """Take a login out of the list, and have its browser be remembered no more."""
    if login.series:
        store.erase(SERIES_NAMESPACE, login.series)
    forget_login(store, customer, login.session)


def _logins(value: bytes | None) -> list[Login]:
    try:
        rows = json.loads(value or b"[]")
        return [Login(str(id_), int(at), str(agent), str(series)) for id_, at, agent, series in rows]
    except (ValueError, TypeError):
        return []
