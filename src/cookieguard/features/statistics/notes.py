"""Notes that staff write about a day, shown beside the figures and kept in the state directory."""

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
MOST_NOTES = 500  # ten years of a note a week; further notes replace the oldest
ALLOWED = f"1 to {MAX_TEXT} characters in one line"
ALLOWED_DAY = "a date such as 2026-11-23"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Note(NamedTuple):
    """Hold one note: its day, its text, and the name of its author."""

    id: str
    day: date
    text: str
    by: str


def new_note(day: str, text: str, by: str) -> Note:
    """Return a note with an id of its own; raises ConfigError, which does not quote the text."""
    text = " ".join(text.split(" ")).strip()
    if not text or len(text) > MAX_TEXT or not _LINE.fullmatch(text):
        raise ConfigError("the note", was=f"{len(text)} characters long", allowed=ALLOWED)
    return Note(secrets.token_hex(4), day_of(day), text, by)


def day_of(text: str) -> date:
    """Parse a day such as 2026-11-23; raises ConfigError."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError("the day", was="not a date", allowed=ALLOWED_DAY) from None


def with_note(notes: Sequence[Note], note: Note) -> list[Note]:
    """Return the notes with one more, in the order of days, at most MOST_NOTES of the newest."""
    return sorted([*notes, note], key=lambda kept: (kept.day, kept.id))[-MOST_NOTES:]


def within(notes: Sequence[Note], first: date, last: date) -> list[Note]:
    """Return the notes from `first` to `last`, both included."""
    return [note for note in notes if first <= note.day <= last]


def read_notes(directory: Path) -> list[Note]:
    """Read the notes, none if there is no file; raises ConfigError."""
    path = directory / NOTES_FILE
    return _loads(read_keyring(path, SETTING)[0]) if path.exists() else []


def change_notes(directory: Path, change: Callable[[Sequence[Note]], Sequence[Note]]) -> Sequence[Note]:
    """Write the notes that `change` returns for the current ones; raises KeyringFixed and the errors of `change`."""
    return change_file(directory / NOTES_FILE, lambda: change(read_notes(directory)), _dumps)


def _dumps(notes: Sequence[Note]) -> str:
    rows = [{**note._asdict(), "day": note.day.isoformat()} for note in notes]
    return json.dumps(rows, indent=1) + "\n"


def _loads(text: str) -> list[Note]:
    try:
        rows: Sequence[Mapping[str, str]] = json.loads(text)
        return [Note(str(row["id"]), day_of(row["day"]), str(row["text"]), str(row["by"])) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError, ConfigError) as error:
        raise ConfigError(SETTING, was="not readable", allowed="a file that cookieguard wrote") from error
