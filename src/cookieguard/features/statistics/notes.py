"""Notes beside the figures: what staff write of a day, in the state directory. No figure depends on one."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from cookieguard.errors import ConfigError
from cookieguard.storage.keyring_file import change_file, read_keyring

NOTES_FILE = "notes.json"
SETTING = "the file of notes"
MAX_TEXT = 100  # characters: one line under the chart
MOST_NOTES = 500  # ten years of a note a week; further ones push out the oldest
ALLOWED = f"1 to {MAX_TEXT} characters in one line"
ALLOWED_DAY = "a date such as 2026-11-23"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Note(NamedTuple):
    """Be one note."""

    id: str
    day: date
    text: str
    by: str


def new_note(day: str, text: str, by: str) -> Note:
    """Make a note of what somebody wrote; raises ConfigError, which shows none of it."""
    text = " ".join(text.split(" ")).strip()
    if not text or len(text) > MAX_TEXT or not _LINE.fullmatch(text):
        raise ConfigError("the note", was=f"{len(text)} characters long", allowed=ALLOWED)
    return Note(secrets.token_hex(4), day_of(day), text, by)


def day_of(text: str) -> date:
    """Read a day; raises ConfigError."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError("the day", was="not a date", allowed=ALLOWED_DAY) from None


def with_note(notes: Sequence[Note], note: Note) -> list[Note]:
    """Add a note, in the order of days; beyond the most there may be the oldest goes."""
    return sorted([*notes, note], key=lambda one: (one.day, one.id))[-MOST_NOTES:]


def within(notes: Sequence[Note], first: date, last: date) -> list[Note]:
    """Return the notes of some days, both included."""
    return [one for one in notes if first <= one.day <= last]


def read_notes(directory: Path) -> list[Note]:
    """Read the notes, none where there is no file; raises ConfigError."""
    path = directory / NOTES_FILE
    return _loads(read_keyring(path, SETTING)[0]) if path.exists() else []


def change_notes(directory: Path, change: Callable[[Sequence[Note]], Sequence[Note]]) -> Sequence[Note]:
    """Write what `change` makes of the notes; raises whatever it raises, and KeyringFixed."""
    return change_file(directory / NOTES_FILE, lambda: change(read_notes(directory)), _dumps)


def _dumps(notes: Sequence[Note]) -> str:
    rows = [{**one._asdict(), "day": one.day.isoformat()} for one in notes]
    return json.dumps(rows, indent=1) + "\n"


def _loads(text: str) -> list[Note]:
    try:
        rows: Sequence[Mapping[str, str]] = json.loads(text)
        return [Note(str(one["id"]), day_of(one["day"]), str(one["text"]), str(one["by"])) for one in rows]
    except (ValueError, TypeError, KeyError, AttributeError, ConfigError) as error:
        raise ConfigError(SETTING, was="not readable", allowed="a file that cookieguard wrote") from error
