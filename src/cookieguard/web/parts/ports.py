"""What the core asks of capabilities. Each class here answers for one that is off; its part overrides that."""

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
    """Say that somebody agreed to something, or did not, and when; `id` is that of the record in the log."""

    topic: str
    given: bool
    time: datetime
    id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    recorded: Written | None = field(default=None, repr=False, compare=False)

    @property
    def is_recorded(self) -> bool:
        """Whether the log has it on disk; what is made in this request has a second or two for that."""
        return self.recorded is None or self.recorded.is_kept


class Records:
    """Know the records of choices. Without a consent log, cookies alone have them."""

    is_on = False

    @property
    def is_down(self) -> bool:
        """Whether the last call to the log's store failed."""
        return False

    def renewed(self, config: Config, renderer: Renderer) -> Records:
        """Return the same for other vendors."""
        return self

    def subject(self, known: str) -> str:
        """Return the name of a browser in the log: a new one for its first choice."""
        return ""

    def write(self, choice: Choice, *, address: str, now: datetime) -> tuple[Receipt, Written | None]:
        """Write a choice down; None in place of its record while a limit is reached."""
        return choice.receipt, None

    def is_recorded(self, receipt: Receipt, *, host: str, address: str, now: datetime) -> bool:
        """Return whether the log has by now what the receipt says is pending."""
        return False


class Agreements:
    """Keep in the consent log what visitors agreed to on forms."""

    def agree(self, asked: Any, form: Mapping[str, Any], *, who: str) -> Agreement:
        """Write down what a form said. Raises ValueError, and CookieGuardError without a log."""
        raise CookieGuardError("proof.enabled is false, so there is no log to write an agreement into")

    async def newest(self, asked: Any, who: str) -> tuple[Agreement, ...]:
        """Return the newest agreement of each topic; nothing where the log does not answer."""
        return ()


class Policy:
    """Know the versions of a policy; none if the shop serves its policy itself."""

    is_on = False
    matters: Matters | None = None

    def terms(self, now: datetime) -> Terms | None:
        """Return what a choice is made under."""
        return None

    def in_force(self, today: date) -> News | None:
        """Return the version that counts today."""
        return None

    def texts_of(self, version: str) -> Mapping[str, tuple[str, bytes]]:
        """Return the texts of a version by language, each with its digest."""
        return {}

    def upcoming(self, today: date) -> News | None:
        """Return the version that the shop's pages announce; most of the time there is none."""
        return None


RISK_EVENTS = ("login", "checkout", "payment_failure", "abuse")


def require_event(event: str) -> None:
    """Require a risk event of this name; raises ValueError."""
    if event not in RISK_EVENTS:
        raise ValueError(f"risk event {event[:40]!r}; allowed: {', '.join(RISK_EVENTS)}")


class Risks:
    """Take risk events for the vault."""

    def put(self, event: str, detail: str, *, address: str, customer: str | None, time: datetime) -> None:
        """Queue an event, or drop it; raises ValueError for one of another name."""
        require_event(event)


class Ports:
    """Hold what answers the core; a part puts itself in as it is made."""

    def __init__(self) -> None:
        self.records = Records()
        self.agreements = Agreements()
        self.policy = Policy()
        self.risks = Risks()
        self.counting: Counting | None = None
