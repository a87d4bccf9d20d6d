"""Staff sessions and sign-in links, both kept in the store under a digest of their secret.

A session ends when it is idle for too long, too old, or signed out. Its row is kept for another day and says why.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cookieguard.config import Config
from cookieguard.config.people.staff import StaffSettings
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.runtime.questions import Questions
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.sqlite import SqliteStore

Ask = Callable[[Callable[[Store], Any]], "Future[Any]"]

NAMESPACE = "staff-session"
LINKS = "staff-link"
FILE = "staff.db"
TOUCH = timedelta(seconds=30)  # between writes of the last use, so that one page's requests write once
LINK_LIFE = timedelta(minutes=10)
KEPT = timedelta(days=1)  # after a session ended, so that the next visit can say why
LONGEST_ID = 100
CLOSE_SECONDS = 5.0
# Why a session ended.
IDLE, OLD, SIGNED_OUT, UNKNOWN = "idle", "old", "signed out", "unknown"


class SessionState(NamedTuple):
    """Hold the member whose session it is, or the reason why it does not count."""

    member: str = ""
    over: str = ""


class SessionRow(NamedTuple):
    """Hold the fields of a session in the store."""

    member: str
    began: float
    seen: float
    remembered: bool = False
    over: str = ""


class StaffSessions:
    """Begin, find and end sessions, and use links up. `ask` calls a function with the store, in the store's thread."""

    def __init__(self, settings: StaffSettings, ask: Ask) -> None:
        self._idle = timedelta(minutes=settings.idle_minutes)
        self._longest = timedelta(hours=settings.session_hours)
        self._ask = ask

    def begin(
        self, member: str, now: datetime, *, remembered: bool = False, instead_of: str = ""
    ) -> Future[str]:
        """Begin a member's session and return its new random id; end the session `instead_of`.

        A remembered session does not end when it is idle.
        """
        id_ = secrets.token_urlsafe(32)

        def write(store: Store) -> str:
            if instead_of:
                self._end(store, digest_of(instead_of))
            self._write(
                store, digest_of(id_), SessionRow(member, now.timestamp(), now.timestamp(), remembered)
            )
            return id_

        return self._ask(write)

    def find(self, id_: str, now: datetime) -> Future[SessionState]:
        """Return the id of the member whose session this is, or why it does not count."""
        key = digest_of(id_)

        def read(store: Store) -> SessionState:
            found = store.read(NAMESPACE, key)
            if found is None:
                return SessionState(over=UNKNOWN)
            row = SessionRow(*json.loads(found.value))
            over = row.over or self._over(row, now)
            idle = now.timestamp() - row.seen
            if over != row.over or (not over and idle > TOUCH.total_seconds()):
                # Only over the version that was read, so that a session that was ended meanwhile does not come back.
                touched = row._replace(over=over) if over else row._replace(seen=now.timestamp())
                self._write(store, key, touched, after=found.version)
            return SessionState(over=over) if over else SessionState(row.member)

        return self._ask(read)

    def of(self, members: Iterable[str], now: datetime) -> Future[dict[str, dict[str, SessionRow]]]:
        """Return the open sessions of each member, by key in the store."""

        def opened(store: Store, member: str) -> dict[str, SessionRow]:
            kept = {key: store.read(NAMESPACE, key) for key in store.keys(NAMESPACE, member)}
            rows = {key: SessionRow(*json.loads(row.value)) for key, row in kept.items() if row is not None}
            return {key: row for key, row in rows.items() if not (row.over or self._over(row, now))}

        return self._ask(lambda store: {member: opened(store, member) for member in members})

    def end(self, key: str) -> Future[str]:
        """End the session with this key in the store, so that no copy of its cookie is accepted any more."""
        return self._ask(lambda store: self._end(store, key))

    def linked(self, secret: str, now: datetime, *, use: bool) -> Future[str]:
        """Return the id of the member whom a link signs in; empty if the link was used or has expired.

        `use` uses the link up. If several browsers use it at once, only one gets the id.
        """

        def read(store: Store) -> str:
            found = store.read(LINKS, digest_of(secret))
            if found is None or to_milliseconds(now) >= found.until:
                return ""
            is_first = not use or store.erase(LINKS, digest_of(secret), after=found.version)
            return found.value.decode() if is_first else ""

        return self._ask(read)

    def _over(self, row: SessionRow, now: datetime) -> str:
        if now.timestamp() - row.began > self._longest.total_seconds():
            return OLD
        is_idle = now.timestamp() - row.seen > self._idle.total_seconds()
        return IDLE if is_idle and not row.remembered else ""

    def _end(self, store: Store, key: str) -> str:
        found = store.read(NAMESPACE, key)
        if found is not None:
            row = SessionRow(*json.loads(found.value))
            self._write(store, key, row._replace(over=row.over or SIGNED_OUT))
        return ""

    def _write(self, store: Store, key: str, row: SessionRow, *, after: int | None = None) -> None:
        until = to_milliseconds(datetime.fromtimestamp(row.began, UTC) + self._longest + KEPT)
        store.write(NAMESPACE, key, json.dumps(row).encode(), until=until, after=after, owner=row.member)


def make_link(store: Store, member: str, now: datetime) -> str:
    """Store a new sign-in link of a member for ten minutes, and return its secret."""
    secret = secrets.token_urlsafe(32)
    store.write(LINKS, digest_of(secret), member.encode(), until=to_milliseconds(now + LINK_LIFE))
    return secret


def staff_file(config: Config, state: Path, *, environ: Mapping[str, str]) -> Path | None:
    """Return the file in which workers keep sessions and counts of staff; None if a database server keeps them."""
    has_store = config.store.enabled and config.identity.enabled
    return store_file(config.store, state, environ=environ) if has_store else state / FILE


def open_staff_store(config: Config, state: Path, keyring: Keyring, *, environ: Mapping[str, str]) -> Store:
    """Open the store in which workers keep sessions and daily counts of staff; raises StoreDown."""
    if staff_file(config, state, environ=environ) == state / FILE:
        return SqliteStore(state / FILE, keyring)
    return store_opener(config, state, environ=environ, keyring=keyring)()


def own_store(directory: Path, keyring: Keyring, clock: Callable[[], datetime] | None = None) -> Ask:
    """Return the function that queries a store for staff alone, for a shop that switched its own store off.

    Each query deletes expired rows first, because the sync that does so in a shop's store does not run here.
    """

    def opened() -> SqliteStore:
        store = SqliteStore(directory / FILE, keyring)
        store.forget(to_milliseconds(datetime.now(UTC) if clock is None else clock()))
        return store

    # The store is opened for each query: opening deletes expired rows, and a backup may have replaced the file.
    return Questions("staff", opened, patience=CLOSE_SECONDS, keep_seconds=0).ask


def digest_of(secret: str) -> str:
    """Return the key under which the store keeps the row of a session's id or a link's secret."""
    return hashlib.sha256(secret[:LONGEST_ID].encode(errors="surrogatepass")).hexdigest()
