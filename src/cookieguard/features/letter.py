"""The weekly letter to owner and officer: the tasks that are due, each with a link, and the consent log's checkpoint.

It names no customer. If a part cannot be read, the letter says so, and is never silently incomplete.
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

MOST_TASKS = 7  # so that the letter has about ten lines; the Due page has the others
LONGEST_LINE = 300
NOTHING = "Nothing is due."
ALL = "Everything that is due"


class Part(NamedTuple):
    """Hold one part of the letter: a day and what is due on it."""

    title: str
    lines: tuple[str, ...]
    is_due: bool = False


class Letter(NamedTuple):
    """Hold a letter; `due` counts the tasks that are due."""

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
    """Return the letter as of `now`; reads files and stores, so call it outside the event loop."""
    shop = with_vendors(Shop(config=config, environ=os.environ, now=now.astimezone(UTC), given=keyring))
    found = due_of(shop)
    due, base = [finding for finding in found if finding.is_due], config.staff_base or config.prefix
    urgent = due[:MOST_TASKS]
    days = tasks_by_day(urgent, today := today_of(shop))
    parts = [
        Part(title=day, lines=tuple(_line(finding, base, today) for finding in tasks), is_due=True)
        for day, tasks in days.items()
    ]
    later = sum(bool(finding.task) for finding in found) - sum(bool(finding.task) for finding in urgent)
    more = f"{later} more: " if later > 0 else ""
    last = [*([] if due else [NOTHING]), f"{more}{base}due", *_checkpoint(shop)]
    parts.append(Part(title=ALL, lines=tuple(map(plain, last))))
    host = config.origins[0].partition("://")[2] if config.origins else "the shop"
    things = "1 thing needs you" if len(due) == 1 else f"{len(due) or 'no'} things need you"
    subject, head = f"{shop.now:%-d %B %Y}: {things}", f"{shop.now:%A, %-d %B %Y}"
    return Letter(f"Privacy of {host}, {subject}", f"Privacy of {host}, {head}", tuple(parts), len(due))


def _line(task: Finding, base: str, today: date) -> str:
    """Return a task, with its page or with the remedy for the person who runs the server."""
    when = time_of(task, today)
    said = plain(f"{task.what} ({when})" if when else task.what)
    return f"{said}: {base}{task.page}" if task.page else plain(f"{said}; {task.mend or task.advice}")


def plain(text: str) -> str:
    """Return text as one line without control and bidirectional characters, which hosts and errors may contain."""
    kept = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in text[:LONGEST_LINE])
    return " ".join(kept.split())


def one_line(text: str) -> str:
    """Return text as `plain` does, but keep its indent."""
    return " " * (len(text) - len(text.lstrip(" "))) + plain(text)


def _checkpoint(shop: Shop) -> Sequence[str]:
    """Return the consent log's newest checkpoint: in a mailbox, it shows later that no entry is missing."""
    try:
        with stores_if_made(shop.config, shop.state, environ=shop.environ) as stores:
            note = None if stores is None else stores.log.checkpoint()
    except Exception as error:  # noqa: BLE001 - a store's driver may raise anything; the letter reports it
        return [f"The checkpoint of the consent log cannot be read ({type(error).__name__})"]
    if note is None:
        return []
    _, entries, root, *_ = note.splitlines()
    return [f"Keep this mail. Checkpoint of the consent log: entry {entries}, root {root}"]
