"""The record of one announced version: digests of its files, counts of its mails, and the reason of a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cookieguard.mail.runs import Run

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Hold the record of one announced version."""

    files: Mapping[str, str]  # digest by language
    at: datetime
    run: Run = field(default_factory=Run)
    completed: datetime | None = None
    reason: str = ""  # of the member who released it although notices were missing
    released: datetime | None = None
    forgotten: datetime | None = None
    """When the outbox deleted the recipients of the notice; from then on only the counts in `run` are known."""
    earliest: date | None = None
    """The day on which the notice period ends, counted from the last notice; None if an older release wrote this."""

    @property
    def is_complete(self) -> bool:
        """Return whether this version only waits for its day."""
        return self.completed is not None or self.released is not None


Ledger = Mapping[str, Announcement]  # by the version's name


def files_of(ledger: Ledger) -> dict[str, Mapping[str, str]]:
    """Return the digests of announced files, by version and language."""
    return {name: entry.files for name, entry in ledger.items()}


def write_announcement(entry: Announcement) -> dict[str, Any]:
    """Return an announcement as the ledger's JSON has it."""
    run = entry.run
    return {
        "v": FORMAT,
        "files": dict(entry.files),
        "at": entry.at.isoformat(),
        "run": [run.total, run.sent, run.refused, run.uncertain, run.is_filled],
        "completed": _text(entry.completed),
        "reason": entry.reason,
        "released": _text(entry.released),
        "forgotten": _text(entry.forgotten),
        "earliest": _text(entry.earliest),
    }


def read_announcement(kept: Any) -> Announcement:
    """Read what `write_announcement` returned; raises ValueError for anything else."""
    try:
        *counts, is_filled = kept["run"]
        total, sent, refused, uncertain = map(int, counts)
        earliest = kept.get("earliest", "")
        return Announcement(
            files={str(language): str(digest) for language, digest in kept["files"].items()},
            at=datetime.fromisoformat(kept["at"]),
            run=Run(total=total, sent=sent, refused=refused, uncertain=uncertain, is_filled=bool(is_filled)),
            completed=_moment(kept["completed"]),
            reason=str(kept["reason"]),
            released=_moment(kept["released"]),
            forgotten=_moment(kept.get("forgotten", "")),
            earliest=date.fromisoformat(earliest) if earliest else None,
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not an announcement") from error


def _text(moment: date | None) -> str:
    return "" if moment is None else moment.isoformat()


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
