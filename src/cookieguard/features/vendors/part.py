"""Vendors that staff change while the shop runs: what is in force, and the page {prefix}vendor-changes."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config import Vendor
from cookieguard.config.purposes import NECESSARY
from cookieguard.errors import ConfigError
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
from cookieguard.features.people.staff_list import StaffAuthenticator
from cookieguard.features.people.staff_sign_in import HEADERS_WITH_SCRIPT, SCRIPT, staff_only
from cookieguard.features.vendors.due import PAGE
from cookieguard.features.vendors.ledger import END, FIELDS, HELD, Ledger, Row, Waiting, declared, is_new
from cookieguard.features.vendors.proposals import ACTS, Asked, may_undo, row_of
from cookieguard.features.vendors.rows import NAMESPACE, ChangeRefused, Copy, append, ledger_by, refusable
from cookieguard.identity.staff_token import ANYONE, Member
from cookieguard.identity.tokens import from_milliseconds, to_milliseconds
from cookieguard.office.layout import staff_page
from cookieguard.runtime.questions import Questions
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.sealed_rows import Shelved
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.assets import load_asset
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.pages.form import Receive
from cookieguard.web.parts.guard import Guard, Renew
from cookieguard.web.parts.part import READ_AND_POST, Part

logger = logging.getLogger("cookieguard")

OFFICER = "officer"  # the role of those who change vendors
BROKEN = (
    "vendors: the row %s of the console's changes does not verify: it was removed or changed outside of cookieguard. "
    "Held until the file takes over (cookieguard vendors freeze): %s"
)
UNUSABLE = "vendors: the console's changes cannot be read or used (%s); those known still count"
NO_ADDRESS = "vendors: the owner is not mailed of a change, because staff.letter or mail.sender is empty"
NO_ANSWER = "The store does not answer. Look here again in a minute to see whether the change was made."
NO_ROLE = "This needs the role officer."
NO_PASSKEY = "This needs your own passkey, in a browser where you are signed in."
CLOSE_SECONDS = 5.0
MOST_SHOWN = 50  # changes that are over
NUMBER = re.compile("[0-9]{1,9}")
MOST_FIELDS = 3  # in the query, which fills the form: name, purpose, hosts


class LiveVendors:
    """Follow the rows. Owned by the store's thread, which looks each second; pages read `known`."""

    def __init__(self, guard: Guard, members: StaffAuthenticator) -> None:
        self._guard, self._config, self._members = guard, guard.config, members
        self._copy = Copy(guard.state, guard.keyring)
        seen = self._copy.read()
        # Until the store answers, it counts as empty: each vendor that a row is about is held
        self.known = replace(ledger_by((), guard.config, seen or {}), broken=())
        if seen is None:
            self.known = Ledger(held=refusable(guard.config), is_blind=True)
        self.vendors: tuple[Vendor, ...] = guard.config.vendors
        """The vendors in force."""
        self._renew: Renew = lambda _, __: None
        self._current: object = self.vendors, {}, guard.config.undeclared  # what requests use
        self.shelved: list[Shelved] | None = None  # as it was read last

    def begin(self, store: StoreSync, renew: Renew) -> None:
        """Read the store before the first request, and follow it from then on."""
        self._renew, guard = renew, self._guard
        opener = store_opener(guard.config, guard.state.path, environ=guard.environ, keyring=guard.keyring)
        with suppress(StoreDown), closing(opener()) as opened:
            self._read(opened)
        self._follow()
        store.listen(self.look)

    def look(self, store: Store | None) -> None:
        """Read the store; never raises. While it is down (None), the vendors known last stay in force."""
        try:
            if store is not None:
                self._read(store)
                self._apply_due(store)
                self._follow()
        except (StoreDown, ConfigError, ValueError, OSError) as error:
            logger.warning(UNUSABLE, error)

    def append(self, make: Callable[[Ledger], Row], store: Store) -> Ledger:
        """Write a row, and have it count here at once; raises StoreDown and ChangeRefused."""
        append(store, self._config, self.known.rows, make)
        self._read(store)
        self._follow()
        return self.known

    def _read(self, store: Store) -> None:
        shelved, before = store.shelf(NAMESPACE), self.known.broken
        if shelved == self.shelved:
            return
        self.shelved = shelved
        self.known = known = ledger_by(shelved, self._config, self.known.rows)
        with suppress(OSError):  # a full disk: this worker knows the rows
            self._copy.add(known.rows)
        if known.broken and known.broken != before:
            rows, held = ", ".join(map(str, known.broken)), ", ".join(sorted(known.held))
            logger.error(BROKEN, rows, held or "no vendor")

    def _apply_due(self, store: Store) -> None:
        """Put into force what two officers confirmed ten minutes ago, if both are officers still."""
        now = self._guard.clock()
        for change in list(self.known.waiting.values()):
            row = change.row
            found = [(one, self._members.by_id(one.by, now)) for one in change.confirmed]
            by_officers = [one for one, member in found if member is not None and member.may(OFFICER)]
            at, is_held = to_milliseconds(now), row.vendor in self.known.held
            if is_held or not self.known.may_apply(change, at, by_officers):
                continue
            applied = Row("apply", row.vendor, name="the shop", at=at, of=row.number, digest=row.seal)
            with suppress(ChangeRefused):  # another worker was first
                append(store, self._config, self.known.rows, partial(_once, applied))
            self._read(store)

    def _follow(self) -> None:
        """Have requests use the vendors in force."""
        known, config = self.known, self._config
        vendors = declared(config, known)
        asked = {(one.name, one.purpose) for one in vendors if not one.held}
        news = {name: found for name, found in known.news.items() if (name, found[0]) in asked}
        undeclared = "block" if known.is_blind else config.undeclared
        if (vendors, news, undeclared) == self._current:
            return
        self._renew(replace(config, vendors=vendors, undeclared=undeclared), news)
        self.vendors, self._current = vendors, (vendors, news, undeclared)


class VendorsPart(Part):
    """Own the live vendors and the mail to the owner."""

    def __init__(self, guard: Guard, store: StoreSync) -> None:
        config = guard.config
        self._guard, self._config, self._store = guard, config, store
        self._staff: StaffGuard = guard.part(PeoplePart).staff
        self.live = LiveVendors(guard, self._staff.members)
        outbox = outbox_opener(config.store, guard.state.path, environ=guard.environ)
        self._outbox = Questions("vendors", outbox, broken_by=(OutboxDown,), patience=CLOSE_SECONDS)
        guard.on_built.append(partial(self.live.begin, store))
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

    async def _do(self, exchange: Exchange, member: Member, fields: Mapping[str, str]) -> None:
        of, now = fields.get("of", ""), to_milliseconds(exchange.now)
        number = int(of) if NUMBER.fullmatch(of) else 0
        asked = Asked(fields.get("act", ""), number, fields, member, self._config, now)
        if asked.act not in ACTS:
            raise ChangeRefused("no such act")
        if asked.act == "confirm":
            change = self.live.known.waiting.get(asked.of)
            asked = asked._replace(digest="" if change is None else change.row.seal)
            await self._signed(exchange, asked)
        what = f"{asked.act} {asked.of or fields.get('name', '')}"
        await self._staff.note(exchange, "vendor changed", member, what=what)
        future = self._store.ask(partial(self.live.append, partial(row_of, asked)))
        known = await answer_of(future)
        if known is None:
            refused = future.exception() if future.done() else None
            raise refused if isinstance(refused, ChangeRefused) else StoreDown("vendors")
        change = known.waiting.get(asked.of)
        if asked.act == "confirm" and change is not None and change.due() is not None:
            self._tell_owner(exchange, change)

    async def _signed(self, exchange: Exchange, asked: Asked) -> None:
        """Raise unless a passkey of the member who asks signed this digest in this browser."""
        passkeys = self._staff.passkeys
        if passkeys is None or is_script(exchange) or not asked.digest:
            raise PasskeyRefused(NO_PASSKEY)
        answer = asked.fields.get("answer", "")
        verify = partial(passkeys.verify, answer, asked_of(exchange), _about(asked.digest))
        if await to_thread.run_sync(verify) != asked.member.id:
            raise PasskeyRefused(NO_PASSKEY)

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
        known, now, passkeys = self.live.known, to_milliseconds(exchange.now), self._staff.passkeys
        waiting = {number: one for number, one in known.waiting.items() if not one.is_over(now)}
        asking = {
            number: passkeys.asking(asked_of(exchange), _about(one.row.seal))
            for number, one in waiting.items()
            if passkeys and member.may(OFFICER) and not one.is_confirmed_by(member.id, member.name)
        }
        rows = reversed(known.rows.values())
        past = [one for one in rows if one.kind == "change" and one.number not in waiting]
        page = staff_page(
            "vendor_changes.html",
            self._staff.shell(exchange, member, "Vendors"),
            message=message,
            entered=first_values(exchange.request.query, MOST_FIELDS),
            form=staff_form(exchange, PAGE),
            known=known,
            is_read=self.live.shelved is not None,
            vendors=self.live.vendors,
            in_file={one.name: one for one in self._config.vendors},
            purposes=[one.id for one in self._config.purposes if one.id != NECESSARY],
            waiting=waiting.values(),
            past=past[:MOST_SHOWN],
            may_undo=partial(may_undo, known=known),
            words=_words,
            moment=lambda at: f"{from_milliseconds(at):%Y-%m-%d %H:%M} UTC",
            asking=asking,
            is_officer=member.may(OFFICER),
            code=load_asset(SCRIPT).name,
            has_passkeys=passkeys is not None,
        )
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
    said = ["new vendor"] if is_new(row) else []
    for name in (*FIELDS[1:], END):
        if before.get(name) != after.get(name):
            value = after.get(name, "none" if "hosts" in after else "as in the file")
            text = value if isinstance(value, str) else ", ".join(value)
            said.append(f"{name.replace('_', ' ')} {text}")
    if before.get(HELD) != after.get(HELD):
        said.append("held for every visitor" if HELD in after else "no longer held")
    return "; ".join(said)


def _once(row: Row, known: Ledger) -> Row:
    if row.of not in known.waiting:
        raise ChangeRefused("this change does not wait any more")
    return row
