"""Keeps which customer may be sent which marketing list: signed links confirm and stop them, without a login.

A list is off until its reader confirms it, and the newest decision counts. A link that confirms a list counts only if
it was made after the reader last stopped that list, so no old link brings a stopped list back. A stop always counts.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

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

NAMESPACE = "mail-list"
HOST = "mail"
CONFIRM_LIFE = timedelta(days=7)
BACK_LIFE = timedelta(minutes=30)
TRIES = 5
LONGEST_NUMBER = 200


class Act(StrEnum):
    """What a link does; each act has a kind of token of its own."""

    STOP = "stop"
    CONFIRM = "confirm"
    BACK = "back"


LIVES = {Act.STOP: STOP_LIFE, Act.CONFIRM: CONFIRM_LIFE, Act.BACK: BACK_LIFE}


class Effect(NamedTuple):
    """Say whether a decision counts, and whether it changes anything."""

    counts: bool
    changes: bool


class Decision(NamedTuple):
    """Hold the decision that a genuine link carries."""

    act: Act
    customer: str
    list: str
    at: int  # milliseconds


def open_lists(config: Config) -> MailLists:
    """Return a shop's lists for a process without the middleware, such as a job that sends mail; raises ConfigError."""
    if not config.mail.lists:
        raise ConfigError("mail.lists", was="empty", allowed="the names of the shop's marketing lists")
    state = StateDirectory(config.state_dir)
    keyring = load_keyring(state, config.keys, environ=os.environ)
    store_sync = open_store_sync(config, state, keyring, environ=os.environ)
    if store_sync is None:
        raise ConfigError("store.enabled", was="false", allowed="true when mail.lists is set")
    return MailLists(config, keyring, store_sync.ask)


class MailLists:
    """Make the links of a shop's lists, and store their readers' decisions. `ask` runs a function on the store."""

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
            return await asyncio.wrap_future(self.ask(lambda store: _may_mail(store, customer, list_)))
        except Exception:  # noqa: BLE001 - without an answer from the store no mail is sent, whatever the error
            return False

    def token(self, act: Act, customer: str, list_: str) -> str:
        """Return the token of a link; raises MailError for a list that is not configured."""
        self._require(customer, list_)
        now = self._clock()
        return self._codecs[act].dumps(
            {"c": customer, "l": list_}, host=HOST, issued=now, expires=now + LIVES[act]
        )

    def decision_in(self, act: Act, token: str) -> Decision | None:
        """Return the decision in a token, or None if the token is forged, expired, or for another act."""
        try:
            opened = self._codecs[act].loads(token, host=HOST, now=self._clock())
        except TokenError:
            return None
        customer, list_ = str(opened.payload.get("c", "")), str(opened.payload.get("l", ""))
        return Decision(act, customer, list_, opened.issued_at) if list_ in self._lists else None

    def effect(self, decision: Decision) -> Future[Effect]:
        """Return whether a decision would count now, and whether it would change anything."""
        return self.ask(lambda store: _effect(store, decision)[0])

    def apply(self, decision: Decision) -> Future[bool]:
        """Store a decision, and return False if a later decision overrules it."""
        moment = int(self._clock().timestamp() * 1000)
        return self.ask(lambda store: _decide(store, decision, moment))

    def _require(self, customer: str, list_: str) -> None:
        if list_ not in self._lists:
            raise MailError(f"there is no list {list_[:40]!r}; mail.lists has: {', '.join(self._lists)}")
        if not customer or len(customer) > LONGEST_NUMBER or not customer.isprintable():
            raise MailError(f"a customer number has 1 to {LONGEST_NUMBER} printable characters")


def _may_mail(store: Store, customer: str, list_: str) -> bool:
    found = store.read(NAMESPACE, _key(customer, list_))
    return found is not None and _loads(found.value)[0]


def names_of(store: Store, customer: str) -> list[str]:
    """Return the lists that a customer decided on, including those that the configuration no longer names."""
    return [key.partition(":")[0] for key in store.keys(NAMESPACE, customer)]


def _decide(store: Store, decision: Decision, moment: int) -> bool:
    key, is_on = _key(decision.customer, decision.list), decision.act is not Act.STOP
    for _ in range(TRIES):
        effect, version = _effect(store, decision)
        if not effect.counts:
            return False
        # A stop is stored every time: no link made before the latest stop brings mail back
        if is_on and not effect.changes:
            return True
        value = json.dumps({"on": is_on, "at": moment, "by": decision.act}).encode()
        if store.write(NAMESPACE, key, value, until=FOR_EVER, after=version, owner=decision.customer):
            return True
    return False


def _effect(store: Store, decision: Decision) -> tuple[Effect, int]:
    """Return whether a decision counts and changes anything, and the version of the stored decision."""
    found, is_on = store.read(NAMESPACE, _key(decision.customer, decision.list)), decision.act is not Act.STOP
    was_on, since = (False, 0) if found is None else _loads(found.value)
    is_over = is_on and not was_on and decision.at < since  # stopped after this link was made
    if found is None:  # the first decision always changes something, even a stop
        return Effect(counts=True, changes=True), 0
    return Effect(not is_over, was_on is not is_on), found.version


def _loads(value: bytes) -> tuple[bool, int]:
    """Return whether a stored decision allows mail, and when it was made; one that cannot be read does not."""
    try:
        kept = json.loads(value)
        return kept["on"] is True, int(kept["at"])
    except (ValueError, TypeError, KeyError):
        return False, 0


def _key(customer: str, list_: str) -> str:
    return f"{list_}:{customer}"
