"""The weekly letter to owner and officer: what is due, each with a link to where it is done, and the log's checkpoint.

It says of no customer who they are. A part that cannot be read says so: a letter is never silently short.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import chain
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.checks import due_of, tasks_by_day, time_of, today_of, with_vendors
from cookieguard.features.records.store.open import stores_if_made
from cookieguard.keyring import Keyring

MOST_TASKS = 7  # the page has the others: the letter has about ten lines
LONGEST_LINE = 300
NOTHING = "Nothing is due."
ALL = "Everything that is due"


class Part(NamedTuple):
    """Hold one part of the letter: a day and what is due on it."""

    title: str
    lines: tuple[str, ...]
    is_due: bool = False


class Letter(NamedTuple):
    """Hold a letter; `due` counts the things that somebody must do."""

    subject: str
    head: str
    parts: tuple[Part, ...]
    due: int

    @property
    def text(self) -> list[str]:
        """Return the mail's lines."""
        of_parts = (["", part.title, *(f"- {line}" for line in part.lines)] for part in self.parts)
        return [self.head, *chain.from_iterable(of_parts)]


def write_letter(config: Config, keyring: Keyring, now: datetime) -> Letter:
    """Write the letter of this moment; reads files and stores, so call it outside the event loop."""
    shop = with_vendors(Shop(config=config, environ=os.environ, now=now.astimezone(UTC), given=keyring))
    found = due_of(shop)
    due, base = [one for one in found if one.is_due], config.staff_base or config.prefix
    urgent = due[:MOST_TASKS]
    days = tasks_by_day(urgent, today := today_of(shop))
    parts = [
        Part(title=day, lines=tuple(_line(one, base, today) for one in tasks), is_due=True)
        for day, tasks in days.items()
    ]
    later = sum(bool(one.task) for one in found) - sum(bool(one.task) for one in urgent)
    more = f"{later} more: " if later > 0 else ""
    last = [*([] if due else [NOTHING]), f"{more}{base}due", *_checkpoint(shop)]
    parts.append(Part(title=ALL, lines=tuple(map(plain, last))))
    host = config.origins[0].partition("://")[2] if config.origins else "the shop"
    things = "1 thing needs you" if len(due) == 1 else f"{len(due) or 'no'} things need you"
    subject, head = f"{shop.now:%-d %B %Y}: {things}", f"{shop.now:%A, %-d %B %Y}"
    return Letter(f"Privacy of {host}, {subject}", f"Privacy of {host}, {head}", tuple(parts), len(due))


def _line(one: Finding, base: str, today: date) -> str:
    """Return what to do, and where: a page, or what the person who runs the server does."""
    when = time_of(one, today)
    said = plain(f"{one.what} ({when})" if when else one.what)
    return f"{said}: {base}{one.page}" if one.page else plain(f"{said}; {one.mend or one.advice}")


def plain(text: str) -> str:
    """Return a text as one line that moves no cursor and turns no direction: hosts and errors are others' words."""
    kept = "".join(one if unicodedata.category(one)[0] != "C" else " " for one in text[:LONGEST_LINE])
    return " ".join(kept.split())


def one_line(text: str) -> str:
    """Return a text as `plain` does, its indent kept."""
    return " " * (len(text) - len(text.lstrip(" "))) + plain(text)


def _checkpoint(shop: Shop) -> Sequence[str]:
    """Return the consent log's newest checkpoint: in a mailbox, it shows later that no entry is missing."""
    try:
        with stores_if_made(shop.config, shop.state, environ=shop.environ) as stores:
            note = None if stores is None else stores.log.checkpoint()
    except Exception as error:  # noqa: BLE001 - a store's driver raises what it likes; told in its place
        return [f"The checkpoint of the consent log cannot be read ({type(error).__name__})"]
    if note is None:
        return []
    _, entries, root, *_ = note.splitlines()
    return [f"Keep this mail. Checkpoint of the consent log: entry {entries}, root {root}"]
