"""Staff sessions: kept in the store under a digest of their id, over when idle or old, ended by signing out."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cookieguard.config.people.staff import StaffSettings
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.runtime.questions import Questions
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.sqlite import SqliteStore

Answer = TypeVar("Answer")
Ask = Callable[[Callable[[Store], Answer]], "Future[Answer]"]

NAMESPACE = "staff-session"
FILE = "staff.db"
TOUCH = timedelta(seconds=30)  # a page of many pictures writes once
LONGEST_ID = 100
CLOSE_SECONDS = 5.0


class StaffSessions:
    """Begin, find and end sessions. `ask` speaks with the store, in its thread."""

    def __init__(self, settings: StaffSettings, ask: Callable[[Callable[[Store], str]], Future[str]]) -> None:
        self._idle = timedelta(minutes=settings.idle_minutes)
        self._longest = timedelta(hours=settings.session_hours)
        self._ask = ask

    def begin(self, member: str, now: datetime) -> Future[str]:
        """Make a session of a member, and return its id."""
        id_ = secrets.token_urlsafe(32)

        def write(store: Store) -> str:
            until = to_milliseconds(now + self._longest)
            store.write(NAMESPACE, _key(id_), _dumps(member, now, now), until=until)
            return id_

        return self._ask(write)

    def member(self, id_: str, now: datetime) -> Future[str]:
        """Return the id of the member whose session this is; empty where it is none, or over."""

        def read(store: Store) -> str:
            found = store.read(NAMESPACE, _key(id_))
            if found is None or not found.value:
                return ""
            member, began, seen = _loads(found.value)
            if not member or now - seen > self._idle or now - began > self._longest:
                store.erase(NAMESPACE, _key(id_))
                return ""
            if now - seen > TOUCH:
                until = to_milliseconds(began + self._longest)
                # Over the version that was read: a session that ends meanwhile does not come back.
                store.write(
                    NAMESPACE, _key(id_), _dumps(member, began, now), until=until, after=found.version
                )
            return member

        return self._ask(read)

    def end(self, id_: str) -> Future[str]:
        """End a session: no copy of its cookie counts any more."""

        def erase(store: Store) -> str:
            store.erase(NAMESPACE, _key(id_))
            return ""

        return self._ask(erase)


def own_store(
    directory: Path, keyring: Keyring, clock: Callable[[], datetime] | None = None
) -> Callable[[Callable[[Store], str]], Future[str]]:
    """Return what asks a store of the staff alone, for a shop that has switched its own off.

    Each question takes out what is over: no sync of the shop's does it here.
    """

    def opened() -> SqliteStore:
        store = SqliteStore(directory / FILE, keyring)
        store.forget(to_milliseconds(datetime.now(UTC) if clock is None else clock()))
        return store

    # Opened again for the next question: this forgets, and the file may have been replaced by its backup.
    return Questions("staff", opened, patience=CLOSE_SECONDS, keep_seconds=0).ask


def _key(id_: str) -> str:
    return hashlib.sha256(id_[:LONGEST_ID].encode(errors="surrogatepass")).hexdigest()


def _dumps(member: str, began: datetime, seen: datetime) -> bytes:
    return json.dumps([member, began.timestamp(), seen.timestamp()]).encode()


def _loads(value: bytes) -> tuple[str, datetime, datetime]:
    try:
        member, began, seen = json.loads(value)
        return str(member), datetime.fromtimestamp(began, UTC), datetime.fromtimestamp(seen, UTC)
    except (ValueError, TypeError):
        past = datetime.fromtimestamp(0, UTC)
        return "", past, past
