"""Opens what cookieguard keeps about a customer for a staff page: by the customer's code, or by two members."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from anyio import to_thread

from cookieguard.features.people.access import FILE, AccessRefused
from cookieguard.features.people.break_glass import BREAK_GLASS, BreakGlassRefused, Ground, Look
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.identity.staff_token import Member, person_of
from cookieguard.web.exchange import Exchange

NO_REASON = "Not opened: choose a ground, and enter the case and the reason."
NO_SECOND = "Not opened: this takes the valid token of an officer who is another person than you."
OFFICER = "officer"
LONGEST_WORDS = 500


class NotOpened(Exception):
    """Report why the data stay closed, with the status of the response."""


async def open_once(
    exchange: Exchange, member: Member, customer: str, fields: Mapping[str, str], staff: StaffGuard, what: str
) -> None:
    """Use up the code or the approval in a posted form. Raises NotOpened, StoreDown and RevealRefused.

    The look is counted and journaled only if the data will be opened, and before they are.
    """
    access = staff.access
    used: dict[str, Any] = {"code": fields.get("code", ""), "scope": FILE, "by": member.name}
    try:
        if "token" in fields:
            look = await _approved(exchange, member, fields, staff)
            used["code"] = await to_thread.run_sync(access.approve, customer, look)
        await to_thread.run_sync(partial(access.check, customer, **used))
        await staff.note_look(exchange, member, what, customer=customer)
        await to_thread.run_sync(partial(access.open, customer, **used))
    except (AccessRefused, BreakGlassRefused, ValueError) as error:
        raise NotOpened(403, f"Not opened: {error}.") from error


async def _approved(exchange: Exchange, member: Member, fields: Mapping[str, str], staff: StaffGuard) -> Look:
    """Return the look that a second person approves with their token; raises NotOpened."""
    said: dict[str, Any] = {
        name: fields.get(name, "").strip()[:LONGEST_WORDS] for name in ("ground", "event", "reason")
    }
    has_scope = FILE in staff.access.permissions.scopes
    if not has_scope or said["ground"] not in list(Ground) or not all(said.values()):
        raise NotOpened(400, NO_REASON)
    second = staff.members.member(fields["token"].strip(), exchange.now)
    is_self = second is not None and person_of(second.name) == person_of(member.name)
    if second is None or is_self or not second.may(OFFICER):
        await to_thread.run_sync(staff.journal.refuse, exchange.now, f"a second person's token for {FILE}")
        raise NotOpened(403, NO_SECOND)
    return Look(kind=BREAK_GLASS, scope=FILE, by=member.name, approved=second.name, at=exchange.now, **said)
