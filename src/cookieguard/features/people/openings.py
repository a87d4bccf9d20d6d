"""Opens what cookieguard keeps about a customer for a staff page: by the customer's code, or by two members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread

from cookieguard.features.people.access import FILE, Access, AccessRefused
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """Open customers' data once per code or approval. A look is counted and journaled only if it opens something."""

    staff: StaffGuard
    access: Access

    @property
    def has_scope(self) -> bool:
        """Whether codes can open what cookieguard keeps."""
        return FILE in self.access.permissions.scopes

    async def open(
        self, exchange: Exchange, member: Member, customer: str, fields: Mapping[str, str], what: str
    ) -> None:
        """Use up the code or the approval in a posted form. Raises NotOpened, StoreDown and RevealRefused."""
        used: dict[str, Any] = {"code": fields.get("code", ""), "scope": FILE, "by": member.name}
        try:
            if "token" in fields:
                look = await self._approved(exchange, member, fields)
                used["code"] = await to_thread.run_sync(self.access.approve, customer, look)
            await to_thread.run_sync(partial(self.access.check, customer, **used))
            await self.staff.note_look(exchange, member, what, customer=customer)
            await to_thread.run_sync(partial(self.access.open, customer, **used))
        except (AccessRefused, BreakGlassRefused) as error:
            raise NotOpened(403, f"Not opened: {error}.") from error

    async def _approved(self, exchange: Exchange, member: Member, fields: Mapping[str, str]) -> Look:
        """Return the look that a second person approves with their token; raises NotOpened."""
        now, ground = exchange.now, fields.get("ground", "")
        event, reason = (fields.get(name, "").strip()[:LONGEST_WORDS] for name in ("event", "reason"))
        if not self.has_scope or ground not in list(Ground) or not (event and reason):
            raise NotOpened(400, NO_REASON)
        second = self.staff.members.member(fields["token"].strip(), now)
        is_other = second is not None and person_of(second.name) != person_of(member.name)
        if second is None or not is_other or not second.may(OFFICER):
            await to_thread.run_sync(self.staff.journal.refuse, now, f"a second person's token for {FILE}")
            raise NotOpened(403, NO_SECOND)
        return Look(
            kind=BREAK_GLASS,
            ground=ground,
            event=event,
            reason=reason,
            scope=FILE,
            by=member.name,
            approved=second.name,
            at=now,
        )
