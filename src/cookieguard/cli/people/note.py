"""`cookieguard note`: adds, lists and removes the notes that mark days on the dashboard's chart, such as a deploy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cookieguard.cli.options import ConfigOption, JsonOption, require_state, shop_config
from cookieguard.cli.output import show_answer
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.notes import change_notes, new_note, read_notes, with_note

BY = "command line"


def note(
    text: Annotated[
        str, typer.Argument(help="One line, such as 'deploy 1.4'. Default: list all notes.")
    ] = "",
    *,
    day: Annotated[str, typer.Option("--day", help="The note's day, like 2026-11-23. Default: today.")] = "",
    remove: Annotated[str, typer.Option("--remove", help="Remove the note with this id.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mark a day on the dashboard, such as a deploy or the start of a campaign. Release scripts can call it."""
    if remove and (text or day):
        raise ConfigError("--remove", was="given together with a note", allowed="one of them at a time")
    if day and not text:
        raise ConfigError("--day", was="given without a note", allowed="the text of a note for that day")
    state = Path(shop_config(config).state_dir).absolute()
    if remove:
        _remove(state, remove)
    elif text:
        made = new_note(day or f"{datetime.now(UTC):%Y-%m-%d}", text, BY)
        require_state(state)
        change_notes(state, lambda before: with_note(before, made))
    found = read_notes(state)
    facts = {"notes": [{**note._asdict(), "day": note.day.isoformat()} for note in found]}
    lines = (f"{note.id}  {note.day}  {note.text} ({note.by})" for note in found)
    show_answer(facts, *lines, as_json=as_json)


def _remove(state: Path, note_id: str) -> None:
    if not any(note.id == note_id for note in read_notes(state)):
        raise ConfigError("--remove", was="not a note's id", allowed="an id that `cookieguard note` lists")
    change_notes(state, lambda before: [note for note in before if note.id != note_id])
