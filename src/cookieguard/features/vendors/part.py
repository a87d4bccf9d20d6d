"""The page {prefix}vendor-changes: what staff changed, what waits for a second person, and a proposing form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config.purposes import NECESSARY
from cookieguard.features.outbox.outbox import OutboxDown, outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.sending import send_to
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.passkeys import PasskeyRefused
from cookieguard.features.people.staff_guard import (
    StaffGuard,
    asked_of,
    back_to,
    is_script,
    posted,
    staff_form,
)
from cookieguard.features.people.staff_sign_in import HEADERS_WITH_SCRIPT, SCRIPT, staff_only
from cookieguard.features.vendors.live import OFFICER, LiveVendors
from cookieguard.features.vendors.proposals import ACTS, confirmed, may_undo, number_of, proposed, stopped
from cookieguard.features.vendors.rows import ChangeRefused, Copy, Known
from cookieguard.features.vendors.values.changes import Kind, Row, Waiting
from cookieguard.features.vendors.values.declared import FIELDS
from cookieguard.identity.staff_token import ANYONE, Member
from cookieguard.identity.tokens import from_milliseconds, to_milliseconds
from cookieguard.office.layout import staff_page
from cookieguard.runtime.questions import Questions
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import StoreDown
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.assets import load_asset
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ_AND_POST, Part

logger = logging.getLogger("cookieguard")

PAGE = "vendor-changes"
NO_ADDRESS = "vendors: the owner is not mailed of a change, because staff.letter or mail.sender is empty"
NO_ANSWER = "The store does not answer. Look here again in a minute to see whether the change was made."
NO_ROLE = "This needs the role officer."
NO_PASSKEY = "This needs your own passkey, in a browser where you are signed in."
CLOSE_SECONDS = 5.0
MOST_SHOWN = 50  # changes that are over
MOST_FIELDS = 3  # in the query, which fills the form: name, purpose, hosts
Fields = Mapping[str, str]


class VendorsPart(Part):
    """Own the live vendors and the mail to the owner."""

    def __init__(self, guard: Guard, store: StoreSync) -> None:
        config = guard.config
        self._guard, self._config, self._store = guard, config, store
        self._staff: StaffGuard = guard.part(PeoplePart).staff
        copy = Copy(guard.state, guard.keyring)
        self.live = LiveVendors(config, copy, self._staff.members, guard.clock)
        outbox = outbox_opener(config.store, guard.state.path, environ=guard.environ)
        self._outbox = Questions("vendors", outbox, broken_by=(OutboxDown,), patience=CLOSE_SECONDS)
        opener = store_opener(config, guard.state.path, environ=guard.environ, keyring=guard.keyring)
        guard.on_built.append(partial(self.live.begin, store, opener))
        self.pages = [
            staff_only(self._staff, PAGE, READ_AND_POST, self.answer, role=ANYONE, title="Vendor changes")
        ]

    def close(self, deadline: float) -> None:
        """End the thread that mails the owner: what is not sent by then is not sent."""
        self._outbox.close(deadline)

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer the page; POST with act=hold|end|purpose|add|undo|confirm|stop, then 303 back to it."""
        if exchange.request.is_read:
            return self._shown(exchange, member)
        fields = await posted(exchange, receive, PAGE)
        if fields.get("act") != "stop" and not member.may(OFFICER):
            return self._shown(exchange, member, 403, NO_ROLE)
        try:
            await self._do(exchange, member, fields)
        except (ChangeRefused, PasskeyRefused) as error:
            return self._shown(exchange, member, 409, f"Not done: {error}.")
        except (StoreDown, OSError):
            return self._shown(exchange, member, 503, NO_ANSWER)
        return back_to(exchange, PAGE)

    async def _do(self, exchange: Exchange, member: Member, fields: Fields) -> None:
        act, now = fields.get("act", ""), to_milliseconds(exchange.now)
        number = number_of(fields)
        if act == "confirm":
            change = self.live.known.ledger.waiting.get(number)
            digest = "" if change is None else change.row.seal
            await self._signed(exchange, member, fields.get("answer", ""), digest)
            make = confirmed(number, digest, member, now)
        elif act == "stop":
            make = stopped(number, member, now)
        elif act in ACTS:
            make = proposed(fields, member, self._config, now)
        else:
            raise ChangeRefused("no such act")
        what = f"{act} {number or fields.get('name', '')}"
        await self._staff.note(exchange, "vendor changed", member, what=what)
        known = await self._written(make)
        waiting = known.ledger.waiting.get(number)
        if act == "confirm" and waiting is not None and waiting.due() is not None:
            self._tell_owner(exchange, waiting)

    async def _signed(self, exchange: Exchange, member: Member, answer: str, digest: str) -> None:
        """Raise unless a passkey of the member who asks signed this digest in this browser."""
        passkeys = self._staff.passkeys
        if passkeys is None or is_script(exchange) or not digest:
            raise PasskeyRefused(NO_PASSKEY)
        verify = partial(passkeys.verify, answer, asked_of(exchange), _about(digest))
        if await to_thread.run_sync(verify) != member.id:
            raise PasskeyRefused(NO_PASSKEY)

    async def _written(self, make: Callable[[Known], Row]) -> Known:
        future = self._store.ask(partial(self.live.append, make=make))
        known = await answer_of(future)
        if known is None:
            refused = future.exception() if future.done() else None
            raise refused if isinstance(refused, ChangeRefused) else StoreDown("vendors")
        return known

    def _tell_owner(self, exchange: Exchange, change: Waiting) -> None:
        """Have the outbox's thread send one mail to each address of `staff.letter`, once a change."""
        config = self._config
        if not (config.staff.letter and config.mail.sender):
            logger.warning(NO_ADDRESS)
            return
        row, due = change.row, change.due() or 0
        at = f"{from_milliseconds(due).astimezone(UTC):%H:%M} UTC"
        names = " and ".join(one.name for one in change.confirmed)
        lines = [
            f"{names} confirmed a change of the vendor {row.vendor}: {_words(row)}.",
            f"It takes effect at {at}. Until then, any member of staff can stop it:",
            f"{config.staff_base}{PAGE}",
        ]
        send = partial(
            send_to,
            run=f"vendor-change-{row.seal[:20]}",
            addresses=config.staff.letter,
            config=config,
            recipients=Recipients(self._guard.keyring),
            subject=f"Vendor {row.vendor}: a change takes effect at {at}",
            lines=lines,
            language="en",
            now=exchange.now,
            environ=self._guard.environ,
        )
        self._outbox.ask(lambda outbox: asyncio.run(send(outbox))).add_done_callback(_tell)

    def _shown(self, exchange: Exchange, member: Member, status: int = 200, message: str = "") -> Response:
        known, now = self.live.known, to_milliseconds(exchange.now)
        changes = [one for one in known.rows.values() if one.kind in (Kind.CHANGE, Kind.TIGHTEN)]
        waiting = [one for one in known.ledger.waiting.values() if not one.is_over(now)]
        passkeys = self._staff.passkeys
        asking = {}
        if member.may(OFFICER) and passkeys is not None:
            asked = asked_of(exchange)
            asking = {
                one.row.number: passkeys.asking(asked, _about(one.row.seal))
                for one in waiting
                if not one.is_confirmed_by(member.id, member.name)
            }
        values = {
            "message": message,
            "entered": first_values(exchange.request.query, MOST_FIELDS),
            "form": staff_form(exchange, PAGE),
            "known": known,
            "is_read": self.live.is_read,
            "vendors": self.live.vendors,
            "in_file": {one.name: one for one in self._config.vendors},
            "purposes": [one.id for one in self._config.purposes if one.id != NECESSARY],
            "waiting": waiting,
            "past": [one for one in reversed(changes) if one.number not in {w.row.number for w in waiting}][
                :MOST_SHOWN
            ],
            "may_undo": partial(may_undo, known=known),
            "words": _words,
            "moment": lambda at: f"{from_milliseconds(at):%Y-%m-%d %H:%M} UTC",
            "asking": asking,
            "is_officer": member.may(OFFICER),
            "code": load_asset(SCRIPT).name,
            "has_passkeys": passkeys is not None,
        }
        page = staff_page("vendor_changes.html", self._staff.shell(exchange, member, "Vendors"), **values)
        return HTMLResponse(page, status, HEADERS_WITH_SCRIPT)


def serve(guard: Guard) -> VendorsPart | None:
    """Return the part; None without the store, in which the changes are."""
    return None if guard.store is None else VendorsPart(guard, guard.store)


def _tell(sent: Future[Any]) -> None:
    error = None if sent.cancelled() else sent.exception()
    if error is not None:
        logger.warning("vendors: the owner could not be mailed of a change (%s)", type(error).__name__)


def _about(digest: str) -> str:
    return f"change of vendors {digest}"


def _words(row: Row) -> str:
    """Return what a change does, in words."""
    before, after = row.before, row.after
    said = []
    if after.table is not None and after.table != before.table:
        hosts, purpose = _text(after.table.get("hosts")), after.table.get("purpose")
        said.append(f"{'new vendor' if before.table is None else 'other facts'}: {hosts} for {purpose}")
        given = {**(before.table or {}), **after.table}
        facts = [name for name in FIELDS if name in given and name not in ("name", "purpose", "hosts")]
        said += [f"{name.replace('_', ' ')} {_text(after.table.get(name))}" for name in facts]
    if after.purpose != before.purpose:
        said.append(f"purpose {after.purpose or 'as in the file'}")
    if after.held != before.held:
        said.append("held for every visitor" if after.held else "no longer held")
    if after.end != before.end:
        said.append(f"contract ends on {after.end}" if after.end else "contract end as in the file")
    return "; ".join(said)


def _text(value: str | Sequence[str] | None) -> str:
    return (value if isinstance(value, str) else ", ".join(value or ())) or "none"
