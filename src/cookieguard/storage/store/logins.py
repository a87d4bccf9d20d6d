"""The list of each customer's logins, one row of the store per customer, so that customers can end single sessions.

Sessions are signed cookies, which cannot be listed. The store therefore keeps when each began and in which browser. A
session that expired unused stays in the list until its longest lifetime is over, or until it is ended.
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
MOST_LOGINS = 20  # beyond this the oldest leave the list, but stay logged in until "all devices" ends them
CONTENDED = "others changed this customer's logins at every try"
HANDLE_DIGITS = 16


class Login(NamedTuple):
    """A login: the session's id, when it began (milliseconds), the browser, and its remember-me series."""

    session: str
    at: int
    agent: str
    series: str = ""

    @property
    def handle(self) -> str:
        """Return the name of the login in pages, which must not contain the session's id."""
        return hashlib.sha256(self.session.encode()).hexdigest()[:HANDLE_DIGITS]

    @property
    def began(self) -> datetime:
        """Return when the session began."""
        return datetime.fromtimestamp(self.at / 1000, UTC)


class BrowserNames:
    """Load the parser of User-Agents in a separate thread, which begins with the first question. Owns that thread.

    Loading takes 0.6 s of CPU. In the store's thread it would delay all requests that wait for the store at the first
    login of each worker, on a busy machine for so long that customers would count as guests.
    """

    def __init__(self) -> None:
        self._is_loaded = False
        # An exiting process waits for the thread, because ending it inside the parser's Rust code aborts the process.
        self._worker = Worker("browsers", self._load, is_brief=True)

    def are_loaded(self) -> bool:
        """Return whether the parser is loaded; if not, begin to load it."""
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
    """Keep a login, which replaces the session `before` it; `header` is the browser's User-Agent."""
    agent = read_agent(header)
    named = login._replace(
        agent=", ".join(name for name in (agent.browser, agent.os) if name != UNKNOWN.browser)
    )
    until = login.at + int(longest.total_seconds() * 1000)

    def noted(kept: bytes | None) -> tuple[bytes, int]:
        others = [other for other in _logins(kept) if other.session not in (before, login.session)]
        return json.dumps([*others, named][-MOST_LOGINS:], separators=(",", ":")).encode(), until

    if not store.change(LOGINS_NAMESPACE, customer, noted):
        raise StoreDown(CONTENDED)


def logins_of(store: Store, customer: str) -> list[Login]:
    """Return a customer's logins, the newest last."""
    found = store.read(LOGINS_NAMESPACE, customer)
    return _logins(None if found is None else found.value)


def forget_login(store: Store, customer: str, session: str) -> None:
    """Remove a login from the list; erase the row if it was the last one."""
    for _ in range(TRIES):
        found = store.read(LOGINS_NAMESPACE, customer)
        if found is None:
            return
        left = [login for login in _logins(found.value) if login.session != session]
        if not left and store.erase(LOGINS_NAMESPACE, customer, after=found.version):
            return
        value = json.dumps(left, separators=(",", ":")).encode()
        if left and store.write(LOGINS_NAMESPACE, customer, value, until=found.until, after=found.version):
            return
    raise StoreDown(CONTENDED)


def end_login(store: Store, customer: str, login: Login) -> None:
    """Remove a login from the list, and forget its browser's remember-me series."""
    if login.series:
        store.erase(SERIES_NAMESPACE, login.series)
    forget_login(store, customer, login.session)


def _logins(value: bytes | None) -> list[Login]:
    try:
        rows = json.loads(value or b"[]")
        return [Login(str(id_), int(at), str(agent), str(series)) for id_, at, agent, series in rows]
    except (ValueError, TypeError):
        return []
