"""How far the mails of one run came."""

from __future__ import annotations

from dataclasses import dataclass

# One address in ten may be dead, rounded up: more looks like a relay that refuses everybody, and nobody was told.
ONE_IN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Count the mails of an announcement: all, those a server accepted, those it refused for good.

    `uncertain`: a sender died, or the connection did, between handing one over and the answer; such a one was sent
    again under the same Message-ID, so its customer may have it twice.
    """

    total: int = 0
    sent: int = 0
    refused: int = 0
    uncertain: int = 0
    is_filled: bool = False

    @property
    def waiting(self) -> int:
        """Return how many are still to be sent."""
        return self.total - self.sent - self.refused

    @property
    def summary(self) -> str:
        """Return the counts in words."""
        uncertain = (
            f", {self.uncertain} sent twice because the first was not confirmed" if self.uncertain else ""
        )
        refused = f", {self.refused} permanently refused" if self.refused else ""
        return f"{self.sent} of {self.total} sent{refused}{uncertain}"

    @property
    def is_complete(self) -> bool:
        """Return whether everybody was told who can be."""
        return self.is_filled and self.waiting == 0 and self.refused <= -(-self.total // ONE_IN)
