"""The progress of an announcement: how many mails were sent, refused, or are still waiting."""

from __future__ import annotations

from dataclasses import dataclass

# One address in ten, rounded up, may be dead. More refusals indicate a relay that refuses all mail.
ONE_IN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The numbers of mails of an announcement: in total, accepted by a server, and permanently refused.

    `uncertain` counts mails whose sender or connection failed before the server's answer. They were sent again with the
    same Message-ID, so customers may have received them twice.
    """

    total: int = 0
    sent: int = 0
    refused: int = 0
    uncertain: int = 0
    is_filled: bool = False

    @property
    def waiting(self) -> int:
        """Return how many mails are still to be sent."""
        return self.total - self.sent - self.refused

    @property
    def summary(self) -> str:
        """Return the numbers in words."""
        if not (self.total or self.is_filled):
            return "none prepared yet"
        uncertain = (
            f", {self.uncertain} sent twice because the first was not confirmed" if self.uncertain else ""
        )
        refused = f", {self.refused} permanently refused" if self.refused else ""
        return f"{self.sent} of {self.total} sent{refused}{uncertain}"

    @property
    def is_complete(self) -> bool:
        """Return whether all mails are prepared, none is waiting, and few enough were refused."""
        return self.is_filled and self.waiting == 0 and self.refused <= -(-self.total // ONE_IN)
