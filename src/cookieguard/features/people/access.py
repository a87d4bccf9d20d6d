"""What opens a customer's data to the shop's people: a code, used up; a record of the log; an entry of the journal."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass
from datetime import UTC, datetime

from cookieguard.errors import CookieGuardError
from cookieguard.features.people.journal import Journal
from cookieguard.features.people.permissions import Permissions
from cookieguard.features.records.acts import Acts
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.records import customer as subject_of
from cookieguard.storage.store.protocol import StoreDown

TIMEOUT = 10.0  # seconds for the store
REFUSED = (
    "this code is not valid here: it is wrong, used, older than 10 minutes or for something else, or was tried too "
    "often; ask the customer to make a new one"
)
LONGEST_NAME = 60


class AccessRefused(CookieGuardError):
    """Say that a customer's data are not opened; never why, and nothing of the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Say what was opened, to whom and when: for this once."""

    scope: str
    by: str
    at: datetime


class Access:
    """Open customers' data, one thing, once. Blocks for a few milliseconds: call it in a thread."""

    def __init__(
        self,
        permissions: Permissions,
        acts: Acts | None,
        journal: Journal,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.permissions = permissions
        self._acts = acts
        self._journal = journal
        self._clock = clock or (lambda: datetime.now(UTC))

    def make(self, customer: str, scope: str) -> str:
        """Make a code for a customer who is logged in; raises AccessRefused where it cannot be kept and recorded."""
        now = self._clock()
        try:
            self._record("permission-made", customer, {"scope": scope})
            return self.permissions.make(customer, scope, now).result(TIMEOUT)
        except (StoreDown, LogDown, NoAnswer, ValueError) as error:
            raise AccessRefused("no code can be made at the moment; try again in a minute") from error

    def open(self, customer: str, *, code: str, scope: str, by: str) -> Grant:
        """Use a code up, and have it written down; raises AccessRefused, and opens nothing then."""
        now = self._clock()
        if not by or len(by) > LONGEST_NAME or not by.isprintable():
            raise AccessRefused(
                f"by must name the person who looks, in 1 to {LONGEST_NAME} printable characters"
            )
        try:
            found = self.permissions.use(customer, code, scope, now).result(TIMEOUT)
            if not found:
                self._journal.refuse(now, f"a code for {scope}")
                raise AccessRefused(REFUSED)
            self._record("permission-used", customer, {"scope": found, "by": by})
            self._journal.write(now, "looked", who=by, what=found, customer=customer)
        except (StoreDown, LogDown, NoAnswer, OSError) as error:
            raise AccessRefused("store, log or journal cannot be written, so nothing is opened") from error
        return Grant(scope=found, by=by, at=now)

    def _record(self, kind: str, customer: str, fields: dict[str, str]) -> None:
        if self._acts is not None:
            self._acts.append(kind, fields, subject=subject_of(customer))
