"""The history of what visitors are asked: policy, vendors and wording by day, whose changes explain the answers.

A worker adds a line to a file of the state directory whenever one of them differs from the last line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from cookieguard.config import Config
from cookieguard.config.languages import language_of
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.decision import version_at
from cookieguard.features.statistics.notes import Note
from cookieguard.storage.keyring_file import change_file
from cookieguard.web.banner.renderer import Renderer

ASKED_FILE = "asked.json"
MOST_LINES = 500  # ten years of a change a week
MOST_NAMES = 3  # of vendors in one mark
EXCERPT = 90  # characters of a wording: one line of a table


class Asked(NamedTuple):
    """Hold what visitors are asked from a UTC day on."""

    day: date
    policy: str
    vendors: Sequence[str]  # the vendors that need consent, each with its purpose
    wording: str  # the digest of the banner's text, in the shop's language
    excerpt: str


def asked_on(now: datetime, config: Config, renderer: Renderer) -> Asked:
    """Return what this worker asks visitors at a moment."""
    wording = renderer.banner_hash(language_of(config.consent.language))
    html = renderer.wordings[wording].decode()
    text = str(Markup(html.partition("</h2>")[2] or html).striptags())  # noqa: S704 - rendered by us
    return Asked(
        day=now.astimezone(UTC).date(),
        policy=version_at(config.policy, now),
        vendors=sorted(f"{who.name} ({who.purpose})" for who in config.vendors if who.purpose != NECESSARY),
        wording=wording,
        excerpt=text if len(text) <= EXCERPT else f"{text[:EXCERPT].rpartition(' ')[0]} ...",
    )


def note_asked(state: Path, asked: Asked) -> None:
    """Add a line if it differs from the last one; it replaces a line of the same day."""
    if [last._replace(day=asked.day) for last in read_asked(state)[-1:]] != [asked]:
        earlier = (line for line in read_asked(state) if line.day < asked.day)
        change_file(state / ASKED_FILE, lambda: [*earlier, asked][-MOST_LINES:], _dumps)


def read_asked(state: Path) -> Sequence[Asked]:
    """Read the lines in the order of days; empty if there is no file, or it cannot be read."""
    try:
        return [
            Asked(date.fromisoformat(day), *more)
            for day, *more in json.loads((state / ASKED_FILE).read_bytes())
        ]
    except (OSError, ValueError, TypeError):
        return ()


def changes(lines: Sequence[Asked]) -> Iterator[Note]:
    """Yield a note for the chart for each change of the policy, the vendors or the wording."""
    for before, now in pairwise(lines):
        new, gone = ({*these.vendors} - {*those.vendors} for these, those in ((now, before), (before, now)))
        marks = {
            "New vendor": _names(new),
            "Vendor removed": _names(gone),
            "New policy": now.policy if before.policy != now.policy else "",
            "New wording": now.excerpt if before.wording != now.wording else "",
        }
        yield from (Note("", now.day, f"{what}: {text}", "") for what, text in marks.items() if text)


def _names(vendors: set[str]) -> str:
    more = len(vendors) - MOST_NAMES
    return ", ".join(sorted(vendors)[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _dumps(lines: Sequence[Asked]) -> str:
    return json.dumps([(line.day.isoformat(), *line[1:]) for line in lines], indent=1) + "\n"
