"""Access of the shop's people to one customer's data, by a one-time code that the customer or two members make.

Each access uses the code up and writes a record of the consent log and an entry of the access journal. Until then
nothing counts as a look.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cookieguard.errors import CookieGuardError
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.break_glass import BreakGlass, Look, fields_of, read_look
from cookieguard.features.people.journal import Journal, digests_of
from cookieguard.features.records.acts import Acts
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.records import customer as subject_of
from cookieguard.identity.staff_token import person_of
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.storage.store.protocol import Store, StoreDown

Ask = Callable[[Callable[[Store], Any]], "Future[Any]"]

NAMESPACE = "permission"
USE = b"one-time permission"
LIFE = timedelta(minutes=10)
TRIES = 5
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without 0, 1, I and O, which are easily confused
CODE_LETTERS, GROUP = 8, 4  # 40 bits
LONGEST = 200
ROUNDS = 10  # of two concurrent writers, one has to try again


class Permissions:
    """Make and use codes, each of which opens one scope, once, within ten minutes. `ask` queries the store.

    A customer has one code at a time. Five wrong tries end it, so that it cannot be guessed. If several people use a
    code at the same moment, only one of them succeeds.
    """

    def __init__(self, keyring: Keyring, scopes: Sequence[str], ask: Ask) -> None:
        self._keyring = keyring
        self.scopes = tuple(scopes)
        self._ask = ask

    def make(self, customer: str, scope: str, now: datetime, look: Look | None = None) -> Future[str]:
        """Make a customer's code for a scope, which replaces the one before; raises ValueError for an unknown scope.

        Only the first of two members who approved a `look` can use its code.
        """
        if scope not in self.scopes or not customer or len(customer) > LONGEST:
            raise ValueError(f"allowed: a scope of {', '.join(self.scopes)}, and a customer number")
        letters = "".join(secrets.choice(LETTERS) for _ in range(CODE_LETTERS))
        code = "-".join(letters[at : at + GROUP] for at in range(0, CODE_LETTERS, GROUP))
        digest = self._marks(f"code {customer} {letters}")[0]

        def write(store: Store) -> str:
            value = _dumps(digest, scope, 0, {} if look is None else fields_of(look))
            store.write(NAMESPACE, self._marks(customer)[0], value, until=to_milliseconds(now + LIFE))
            return code

        return self._ask(write)

    def use(
        self, customer: str, code: str, scope: str, now: datetime, by: str, *, ends: bool = True
    ) -> Future[dict[str, str] | None]:
        """Use a code up and return the fields of its look, empty for a customer's own code; `ends=False` keeps it.

        None means that it is wrong, used, expired, or for another scope or member.
        """
        letters = "".join(letter for letter in code[:LONGEST].upper() if letter in LETTERS)
        digests = self._marks(f"code {customer[:LONGEST]} {letters}")
        keys = self._marks(customer[:LONGEST])

        def use(store: Store) -> dict[str, str] | None:
            found = (_used(store, key, digests, scope, now, by, ends=ends) for key in keys)
            return next((look for look in found if look is not None), None)

        return self._ask(use)

    def _marks(self, text: str) -> list[str]:
        return digests_of(self._keyring, text, USE)


def _used(
    store: Store, key: str, digests: Sequence[str], scope: str, now: datetime, by: str, *, ends: bool
) -> dict[str, str] | None:
    for _ in range(ROUNDS):
        found = store.read(NAMESPACE, key)
        if found is None or not 0 < found.until - to_milliseconds(now) <= LIFE.total_seconds() * 1000:
            return None
        digest, opened, tries, *rest = json.loads(found.value)
        look = rest[0] if rest else {}
        is_theirs = opened == scope and (not look or person_of(look["by"]) == person_of(by))
        is_right = is_theirs and any(hmac.compare_digest(digest, given) for given in digests)
        if tries >= TRIES:
            return None
        # Only over the version that was read: if two people use a code at once, the slower one finds it gone.
        if is_right and (not ends or store.erase(NAMESPACE, key, after=found.version)):
            return dict(look)
        value = _dumps(digest, opened, tries + 1, look)
        if not is_right and store.write(NAMESPACE, key, value, until=found.until, after=found.version):
            return None
    return None


def _dumps(digest: str, scope: str, tries: int, look: dict[str, str]) -> bytes:
    return json.dumps([digest, scope, tries, *([look] if look else [])]).encode()


TIMEOUT = 10.0  # seconds for the store
REFUSED = (
    "this code is not valid here: it is wrong, used, older than 10 minutes, for something or somebody else, or was "
    "tried too often; ask the customer to make a new one"
)
NOT_WRITTEN = "store, log or journal cannot be written, so nothing is opened"
LONGEST_NAME = 60
FILE = "file"  # the scope of codes that open the file of all that cookieguard keeps about a customer


class AccessRefused(CookieGuardError):
    """Say that a customer's data are not opened. The message does not identify the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Hold what one use of a code opened, for whom and when."""

    scope: str
    by: str
    at: datetime


class Access:
    """Make codes for customers, and open data with them. Each call blocks for a few milliseconds: use a thread."""

    def __init__(
        self,
        permissions: Permissions,
        acts: Acts | None,
        journal: Journal,
        opener: Callable[[], Callable[[], Store]],
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.permissions = permissions
        self.acts = acts
        self._journal = journal
        self._opener = opener
        self._clock = clock or (lambda: datetime.now(UTC))

    def make(self, customer: str, scope: str) -> str:
        """Make a code for a customer who is logged in; raises AccessRefused if it cannot be stored and recorded."""
        now = self._clock()
        try:
            self._record("permission-made", customer, {"scope": scope})
            return self.permissions.make(customer, scope, now).result(TIMEOUT)
        except (StoreDown, LogDown, NoAnswer, ValueError) as error:
            raise AccessRefused("no code can be made at the moment; try again in a minute") from error

    def approve(self, customer: str, look: Look) -> str:
        """Make a code for what two members approved; raises StoreDown, NoAnswer and BreakGlassRefused."""
        with closing(self.open_store()) as store:
            self._ledger(store).require_new(look, customer)
        return str(self.permissions.make(customer, look.scope, look.at, look).result(TIMEOUT))

    def check(self, customer: str, *, code: str, scope: str, by: str, ends: bool = False) -> dict[str, str]:
        """Return the fields of a code's look; raises AccessRefused if `open` would not accept the code."""
        if not by or len(by) > LONGEST_NAME or not by.isprintable():
            raise AccessRefused(
                f"by must name the person who looks, in 1 to {LONGEST_NAME} printable characters"
            )
        now = self._clock()
        try:
            found = self.permissions.use(customer, code, scope, now, by, ends=ends).result(TIMEOUT)
        except (StoreDown, NoAnswer) as error:
            raise AccessRefused(NOT_WRITTEN) from error
        if found is None:
            self._journal.refuse(now, f"a code for {scope}")
            raise AccessRefused(REFUSED)
        return found

    def open(self, customer: str, *, code: str, scope: str, by: str) -> Grant:
        """Use a code up, record the access, and return the grant; raises AccessRefused if any of this fails."""
        now, event, what = self._clock(), "looked", scope
        try:
            fields = self.check(customer, code=code, scope=scope, by=by, ends=True)
            if fields:
                look = replace(read_look(fields), at=now)
                event, what = "looked without a code", f"{look.kind}: {scope}"
                with closing(self.open_store()) as store:
                    self._ledger(store).add(look, customer)
            self._record("permission-used", customer, {"scope": scope, "by": by})
            self._journal.write(now, event, who=by, what=what, customer=customer)
        except (StoreDown, LogDown, NoAnswer, OSError) as error:
            raise AccessRefused(NOT_WRITTEN) from error
        return Grant(scope=scope, by=by, at=now)

    def open_store(self) -> Store:
        """Open the shop's store; the caller closes it. Raises StoreDown."""
        return self._opener()()

    def _ledger(self, store: Store) -> BreakGlass:
        return BreakGlass(store, Recipients(self._journal.keyring), self.acts)

    def _record(self, kind: str, customer: str, fields: dict[str, str]) -> None:
        if self.acts is not None:
            self.acts.append(kind, fields, subject=subject_of(customer))
