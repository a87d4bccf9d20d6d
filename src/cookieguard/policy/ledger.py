"""What is kept of an announcement: the digests of its files, how far its mails came, and who lifted what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

FORMAT = 1
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
    def is_complete(self) -> bool:
        """Return whether everybody was told who can be."""
        return self.is_filled and self.waiting == 0 and self.refused <= -(-self.total // ONE_IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Hold what is kept of one announced version."""

    files: Mapping[str, str]  # digest by language
    at: datetime
    run: Run = field(default_factory=Run)
    completed: datetime | None = None
    reason: str = ""  # why somebody let it take effect without a complete run
    released: datetime | None = None
    forgotten: datetime | None = None
    """When the outbox forgot who was sent the notice; from then on `run` alone is known."""

    @property
    def is_complete(self) -> bool:
        """Return whether nothing but its day is in the way of this version."""
        return self.completed is not None or self.released is not None


Ledger = Mapping[str, Announcement]  # by the version's name


def write_announcement(entry: Announcement) -> bytes:
    """Write an announcement as JSON."""
    run = entry.run
    kept = {
        "v": FORMAT,
        "files": dict(entry.files),
        "at": entry.at.isoformat(),
        "run": [run.total, run.sent, run.refused, run.uncertain, run.is_filled],
        "completed": _text(entry.completed),
        "reason": entry.reason,
        "released": _text(entry.released),
        "forgotten": _text(entry.forgotten),
    }
    return json.dumps(kept, separators=(",", ":")).encode()


def read_announcement(value: bytes) -> Announcement:
    """Read what `write_announcement` wrote; raises ValueError for anything else."""
    try:
        kept = json.loads(value)
        total, sent, refused, uncertain, is_filled = kept["run"]
        return Announcement(
            files={str(language): str(digest) for language, digest in kept["files"].items()},
            at=datetime.fromisoformat(kept["at"]),
            run=Run(
                total=int(total),
                sent=int(sent),
                refused=int(refused),
                uncertain=int(uncertain),
                is_filled=bool(is_filled),
            ),
            completed=_moment(kept["completed"]),
            reason=str(kept["reason"]),
            released=_moment(kept["released"]),
            forgotten=_moment(kept.get("forgotten", "")),
        )
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("not an announcement") from error


def _text(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
