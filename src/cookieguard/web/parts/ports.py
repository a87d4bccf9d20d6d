"""The interfaces by which the core calls capabilities; a class here is used while its capability is off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cookieguard.config import Config
from cookieguard.consent import Matters, Receipt, Terms
from cookieguard.errors import CookieGuardError
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.http.policy_texts import News
from cookieguard.web.identity.store_wait import Written
from cookieguard.web.recording.choice import Choice
from cookieguard.web.recording.counting import Counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Hold an agreement or a refusal, with its time; `id` is the id of its record in the consent log."""

    topic: str
    given: bool
    time: datetime
    id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    recorded: Written | None = field(default=None, repr=False, compare=False)

    @property
    def is_recorded(self) -> bool:
        """Whether the log has it on disk, which may take a second or two after the form was posted."""
        return self.recorded is None or self.recorded.is_kept


class Records:
    """Keep records of choices; without a consent log, only the visitor's cookie has the choice."""

    is_on = False

    @property
    def is_down(self) -> bool:
        """Whether the last call to the log's store failed."""
        return False

    def renewed(self, config: Config, renderer: Renderer) -> Records:
        """Return a copy for changed vendors."""
        return self

    def subject(self, known: str) -> str:
        """Return the browser's name in the log: `known`, or a new one for its first choice."""
        return ""

    def write(self, choice: Choice, *, address: str, now: datetime) -> tuple[Receipt, Written | None]:
        """Write a choice; return its receipt, and its record, or None if a limit is reached."""
        return choice.receipt, None

    def is_recorded(self, receipt: Receipt, *, host: str, address: str, now: datetime) -> bool:
        """Return whether the log now has a choice that the receipt calls pending."""
        return False


class Agreements:
    """Keep in the consent log what visitors agreed to on forms."""

    def agree(self, asked: Any, form: Mapping[str, Any], *, who: str) -> Agreement:
        """Record a posted form's agreement. Raises ValueError, or CookieGuardError without a log."""
        raise CookieGuardError("proof.enabled is false, so there is no log to write an agreement into")

    async def newest(self, asked: Any, who: str) -> tuple[Agreement, ...]:
        """Return the newest agreement of each topic; empty if the log does not answer."""
        return ()


class Policy:
    """Find the versions of the shop's policy; there are none if the shop serves its policy itself."""

    is_on = False
    matters: Matters | None = None

    def terms(self, now: datetime) -> Terms | None:
        """Return the terms under which a choice is made now."""
        return None

    def in_force(self, today: date) -> News | None:
        """Return the version that is in force today."""
        return None

    def texts_of(self, version: str) -> Mapping[str, tuple[str, bytes]]:
        """Return the texts of a version by language, each with its digest."""
        return {}

    def upcoming(self, today: date) -> News | None:
        """Return the version that the shop's pages announce; None most of the time."""
        return None


RISK_EVENTS = ("login", "checkout", "payment_failure", "abuse")


def require_event(event: str) -> None:
    """Raise ValueError unless there is a risk event of this name."""
    if event not in RISK_EVENTS:
        raise ValueError(f"risk event {event[:40]!r}; allowed: {', '.join(RISK_EVENTS)}")


class Risks:
    """Queue risk events for the vault."""

    def put(self, event: str, detail: str, *, address: str, customer: str | None, time: datetime) -> None:
        """Queue an event, or drop it if the vault is off; raises ValueError for an unknown name."""
        require_event(event)


class Ports:
    """Hold the objects that the core calls; a part replaces its default when it is built."""

    def __init__(self) -> None:
        self.records = Records()
        self.agreements = Agreements()
        self.policy = Policy()
        self.risks = Risks()
        self.counting: Counting | None = None
