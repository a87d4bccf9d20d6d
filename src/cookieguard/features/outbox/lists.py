"""Who may be sent which list: off until confirmed by a signed link, and off again by one click, without a login.

The newest decision counts. A link that brings mail counts only if it was made after the last time its reader stopped
it, so no old one brings back what was stopped; one that stops it counts however often it is used.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from cookieguard.config import Config
from cookieguard.config.mail import STOP_LIFE
from cookieguard.errors import ConfigError
from cookieguard.identity.tokens import TokenCodec, TokenError, TokenKind
from cookieguard.keyring import Keyring
from cookieguard.mail.headers import MailError
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import FOR_EVER, Store
from cookieguard.storage.store.sync import open_store_sync

Answer = TypeVar("Answer")
Ask = Callable[[Callable[[Store], Answer]], "Future[Answer]"]

NAMESPACE = "mail-list"
HOST = "mail"
CONFIRM_LIFE = timedelta(days=7)
BACK_LIFE = timedelta(minutes=30)
TRIES = 5
LONGEST_NUMBER = 200


class Act(StrEnum):
    """Name what a link does; each has tokens of its own."""

    STOP = "stop"
    CONFIRM = "confirm"
    BACK = "back"


LIVES = {Act.STOP: STOP_LIFE, Act.CONFIRM: CONFIRM_LIFE, Act.BACK: BACK_LIFE}


class Standing(NamedTuple):
    """Say whether a wish counts, and whether it changes anything."""

    counts: bool
    changes: bool


class Wish(NamedTuple):
    """Hold what a genuine link says."""

    act: Act
    customer: str
    list: str
    at: int  # milliseconds


def open_lists(config: Config) -> MailLists:
    """Make the links of a shop's lists in a process of its own, such as a job that sends mail; raises ConfigError."""
    if not config.mail.lists:
        raise ConfigError("mail.lists", was="empty", allowed="the names of the shop's marketing lists")
    state = StateDirectory(config.state_dir)
    keyring = load_keyring(state, config.keys, environ=os.environ)
    store_sync = open_store_sync(config, state, keyring, environ=os.environ)
    if store_sync is None:
        raise ConfigError("store.enabled", was="false", allowed="true when mail.lists is set")
    return MailLists(config, keyring, store_sync.ask)


class MailLists:
    """Make the links of a shop's lists and keep what their readers decide. `ask` speaks with the store."""

    def __init__(
        self,
        config: Config,
        keyring: Keyring,
        ask: Callable[[Callable[[Store], Any]], Future[Any]],
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._lists = config.mail.lists
        self._base = f"{config.mailed_base}mail/"
        self._clock = clock or (lambda: datetime.now(UTC))
        self.ask = ask
        self._codecs = {
            act: TokenCodec(keyring, kind=TokenKind.MAIL, name=f"list-{act}", sealed=True) for act in Act
        }

    def stop_link(self, customer: str, list_: str) -> str:
        return f"{self._base}{Act.STOP}?t={self.token(Act.STOP, customer, list_)}"

    def confirm_link(self, customer: str, list_: str) -> str:
        return f"{self._base}{Act.CONFIRM}?t={self.token(Act.CONFIRM, customer, list_)}"

    async def agreed(self, customer: str, list_: str) -> bool:
        self._require(customer, list_)
        try:
            return await asyncio.wrap_future(self.ask(reading(customer, list_)))
        except Exception:  # noqa: BLE001 - whatever the store says: nobody is sent what nobody knows to be wanted
            return False

    def token(self, act: Act, customer: str, list_: str) -> str:
        """Return the token of a link; raises MailError for a list that is not configured."""
        self._require(customer, list_)
        now = self._clock()
        return self._codecs[act].dumps(
            {"c": customer, "l": list_}, host=HOST, issued=now, expires=now + LIVES[act]
        )

    def wish(self, act: Act, token: str) -> Wish | None:
        """Return what a token says; None for one that is not genuine, for something else, or over."""
        try:
            opened = self._codecs[act].loads(token, host=HOST, now=self._clock())
        except TokenError:
            return None
        customer, list_ = str(opened.payload.get("c", "")), str(opened.payload.get("l", ""))
        return Wish(act, customer, list_, opened.issued_at) if list_ in self._lists else None

    def standing(self, wish: Wish) -> Future[Standing]:
        """Return whether a decision would count now, and change something."""
        return self.ask(lambda store: _standing(store, wish)[0])

    def obey(self, wish: Wish) -> Future[bool]:
        """Write a decision; False where a later one stands against it."""
        moment = int(self._clock().timestamp() * 1000)
        return self.ask(lambda store: _decide(store, wish, moment))

    def _require(self, customer: str, list_: str) -> None:
        if list_ not in self._lists:
            raise MailError(f"there is no list {list_[:40]!r}; mail.lists has: {', '.join(self._lists)}")
        if not customer or len(customer) > LONGEST_NUMBER or not customer.isprintable():
            raise MailError(f"a customer number has 1 to {LONGEST_NUMBER} printable characters")


def reading(customer: str, list_: str) -> Callable[[Store], bool]:
    """Return the question whether a customer may be sent a list."""

    def read(store: Store) -> bool:
        found = store.read(NAMESPACE, _key(customer, list_))
        return found is not None and _loads(found.value)[0]

    return read


def names_of(store: Store, customer: str) -> list[str]:
    """Return the lists that a customer decided on, also those that the configuration no longer names."""
    return [key.partition(":")[0] for key in store.keys(NAMESPACE, customer)]


def _decide(store: Store, wish: Wish, moment: int) -> bool:
    key, is_on = _key(wish.customer, wish.list), wish.act is not Act.STOP
    for _ in range(TRIES):
        standing, version = _standing(store, wish)
        if not standing.counts:
            return False
        # A stop is written each time: no link made before it brings mail back
        if is_on and not standing.changes:
            return True
        value = json.dumps({"on": is_on, "at": moment, "by": wish.act}).encode()
        if store.write(NAMESPACE, key, value, until=FOR_EVER, after=version, owner=wish.customer):
            return True
    return False


def _standing(store: Store, wish: Wish) -> tuple[Standing, int]:
    """Return how a wish stands now, and the version of what is stored."""
    found, is_on = store.read(NAMESPACE, _key(wish.customer, wish.list)), wish.act is not Act.STOP
    was_on, since = (False, 0) if found is None else _loads(found.value)
    is_over = is_on and not was_on and wish.at < since  # stopped after this link was made
    if found is None:  # a stop as well is a decision then, and the first one
        return Standing(counts=True, changes=True), 0
    return Standing(not is_over, was_on is not is_on), found.version


def _loads(value: bytes) -> tuple[bool, int]:
    """Read a decision; what cannot be read lets nobody be mailed."""
    try:
        kept = json.loads(value)
        return kept["on"] is True, int(kept["at"])
    except (ValueError, TypeError, KeyError):
        return False, 0


def _key(customer: str, list_: str) -> str:
    return f"{list_}:{customer}"
