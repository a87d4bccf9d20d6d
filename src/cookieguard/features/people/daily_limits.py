"""Limits of how many customers a member of staff may open in a day, counted in the store for all machines.

A customer counts once a day. The store holds keyed digests of customers, as the access journal does.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cookieguard.config import Config
from cookieguard.errors import RevealRefused
from cookieguard.features.people.journal import Journal, marks_of
from cookieguard.features.people.sessions import open_staff_store
from cookieguard.identity.staff_token import Member, person_of
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.store.protocol import Store, StoreDown

NAMESPACE = "staff-day"
REPORTED_DAYS = 7  # the letter is weekly
REFUSED = "{} reached {}; it is free again on {} at 00:00 UTC, or if the person who runs the server raises that setting"


class Use(StrEnum):
    """Name each kind of access that is counted, by the setting of its limit."""

    VIEW = "daily_views"
    ERASURE = "daily_erasures"
    EXPORT = "daily_exports"


def refusal(
    store: Store, config: Config, journal: Journal, *, member: Member, use: Use, opened: str, now: datetime
) -> str:
    """Count an access and return why it is refused, empty if it is allowed. Raises StoreDown and OSError."""
    most, day = getattr(config.staff, use), now.astimezone(UTC).date()
    row, marks = f"{use}:{person_of(member.name)}", marks_of(journal.keyring, opened)
    is_refused = is_first = False

    def counted(value: bytes | None) -> tuple[bytes, int] | None:
        nonlocal is_refused, is_first
        rows = {} if value is None else json.loads(value)
        name, reached, *known = rows.get(row, [member.name, False])
        is_known = not set(marks).isdisjoint(known)
        is_refused = len(known) >= most and not is_known
        is_first = is_refused and not reached
        if is_known or (is_refused and reached):
            return None
        rows[row] = [name, reached or is_refused, *known, *([] if is_refused else marks[:1])]
        until = to_milliseconds(now + timedelta(days=REPORTED_DAYS + 1))
        return json.dumps(rows).encode(), until

    if not store.change(NAMESPACE, str(day), counted):
        raise StoreDown("others changed the counts of this day at every try")
    limit = f"staff.{use} ({most})"
    if is_first:
        journal.write(now, "reached the limit", who=member.name, role=member.role, what=limit)
    return REFUSED.format(member.name, limit, day + timedelta(days=1)) if is_refused else ""


def require_turn(config: Config, journal: Journal, member: Member, use: Use, opened: str) -> None:
    """Count an access by a command line; raises RevealRefused at the limit, StoreDown and OSError."""
    state, now = Path(config.state_dir).absolute(), datetime.now(UTC)
    with closing(open_staff_store(config, state, journal.keyring, environ=os.environ)) as store:
        refused = refusal(store, config, journal, member=member, use=use, opened=opened, now=now)
    if refused:
        raise RevealRefused(refused)
