"""What visitors are asked, and since which day: policy, vendors and wording. Their changes explain the answers.

A worker adds a line to a file of the state directory when one of them differs from the last line.
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
    """Hold what visitors are asked from one UTC day on."""

    day: date
    policy: str
    vendors: Sequence[str]  # those that need consent, each with its purpose
    wording: str  # the digest of the banner's text, in the shop's language
    excerpt: str


def asked_on(now: datetime, config: Config, renderer: Renderer) -> Asked:
    """Return what this worker asks."""
    wording = renderer.banner_hash(language_of(config.consent.language))
    html = renderer.wordings[wording].decode()
    text = str(Markup(html.partition("</h2>")[2] or html).striptags())  # noqa: S704 - rendered by us
    return Asked(
        day=now.astimezone(UTC).date(),
        policy=version_at(config.policy, now),
        vendors=sorted(f"{one.name} ({one.purpose})" for one in config.vendors if one.purpose != NECESSARY),
        wording=wording,
        excerpt=text if len(text) <= EXCERPT else f"{text[:EXCERPT].rpartition(' ')[0]} ...",
    )


def note_asked(state: Path, asked: Asked) -> None:
    """Add a line if it differs from the last one, in place of a line of the same day."""
    if [one._replace(day=asked.day) for one in read_asked(state)[-1:]] != [asked]:
        earlier = (one for one in read_asked(state) if one.day < asked.day)
        change_file(state / ASKED_FILE, lambda: [*earlier, asked][-MOST_LINES:], _dumps)


def read_asked(state: Path) -> Sequence[Asked]:
    """Read the lines in the order of days; none if there is no file, or it is not readable."""
    try:
        return [
            Asked(date.fromisoformat(day), *more)
            for day, *more in json.loads((state / ASKED_FILE).read_bytes())
        ]
    except (OSError, ValueError, TypeError):
        return ()


def changes(lines: Sequence[Asked]) -> Iterator[Note]:
    """Yield a mark for each change: of the policy, of the vendors, of the wording."""
    for before, now in pairwise(lines):
        new, gone = ({*one.vendors} - {*other.vendors} for one, other in ((now, before), (before, now)))
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
    return json.dumps([(one.day.isoformat(), *one[1:]) for one in lines], indent=1) + "\n"
