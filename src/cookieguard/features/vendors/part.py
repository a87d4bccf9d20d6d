"""Changes of vendors while the shop runs: each worker follows them, and the page {prefix}vendor-changes makes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.terms import News
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
from cookieguard.features.people.staff_sign_in import HEADERS_WITH_SCRIPT, SCRIPT, staff_only
from cookieguard.features.vendors import ledger
from cookieguard.features.vendors.due import PAGE
from cookieguard.features.vendors.ledger import ChangeRefused, Ledger, Row, Waiting
from cookieguard.features.vendors.rows import NAMESPACE, Copy, append, ledger_by
from cookieguard.identity.staff_token import ANYONE, Member
from cookieguard.identity.tokens import from_milliseconds, to_milliseconds
from cookieguard.office.layout import staff_page
from cookieguard.runtime.questions import Questions
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.sealed_rows import Opened
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
BROKEN = "vendors: row %s of the console's changes does not verify; held until cookieguard vendors freeze: %s"
UNUSABLE = "vendors: the console's changes cannot be read or used (%s); those known still count"
NOT_MAILED = "vendors: the owner was not mailed of a change (%s); see staff.letter, mail.sender and the relay"
NO_ANSWER = "The store does not answer. Look here again in a minute to see whether the change was made."
NO_PASSKEY = "This needs your own passkey, in a browser where you are signed in."
CLOSE_SECONDS = 5.0
ABOUT = "change of vendors "  # before a change's digest: the purpose of a passkey's signature
MOST_SHOWN = 50  # changes that no longer wait
MOST_FIELDS = 3  # in the query, which fills the form: name, purpose, hosts


class VendorsPart(Part):
    """Own the ledger, which the store's thread reads again each second, and mail the owner about laxer changes."""

    def __init__(self, guard: Guard, store: StoreSync) -> None:
        config = guard.config
        self._guard, self._config, self._store = guard, config, store
        self._staff: StaffGuard = guard.part(PeoplePart).staff
        self._copy = Copy(guard.state, guard.keyring)
        seen = self._copy.read()
        # Until the store answers, all rows of the copy count as broken; without a copy, a row of an unknown vendor does
        unread = [] if seen is not None else [None]
        self.known = replace(ledger_by(unread, config, seen or {}), broken=())
        self._in_force: tuple[Config, News] = config, {}
        self.vendors = config.vendors
        self._is_blind = seen is None  # no row was ever read here: any host may be a vendor's of the console
        self._shelved: list[Opened | None] | None = None  # the rows at the last read
        outbox = outbox_opener(config.store, guard.state.path, environ=guard.environ)
        self._outbox = Questions("vendors", outbox, broken_by=(OutboxDown,), patience=CLOSE_SECONDS)
        guard.on_built.append(self._start)
        page = partial(staff_only, self._staff, PAGE, READ_AND_POST, self.answer)
        self.pages = [page(role=ANYONE, title="Vendor changes")]

    def close(self, deadline: float) -> None:
        """End the thread that mails the owner; mails that are not sent by the deadline are dropped."""
        self._outbox.close(deadline)

    async def answer(self, exchange: Exchange, receive: Receive, member: Member) -> Response:
        """Answer the page; POST with act=hold|end|purpose|add|undo|confirm|stop, then 303 back to it."""
        if exchange.request.is_read:
            return self._shown(exchange, member)
        fields = await posted(exchange, receive, PAGE)
        if fields.get("act") != "stop" and not member.may(OFFICER):
            return self._shown(exchange, member, 403, "This needs the role officer.")
        try:
            await self._do(exchange, member, fields)
        except (ChangeRefused, PasskeyRefused) as error:
            return self._shown(exchange, member, 409, f"Not done: {error}.")
        except (StoreDown, OSError):
            return self._shown(exchange, member, 503, NO_ANSWER)
        return back_to(exchange, PAGE)

    async def _do(self, exchange: Exchange, member: Member, fields: ledger.Fields) -> None:
        act, of, at = fields.get("act", ""), fields.get("of", ""), to_milliseconds(exchange.now)
        if act not in ledger.ACTS:
            raise ChangeRefused("no such act")
        number = int(of) if of.isascii() and of.isdecimal() and len(of) < 10 else 0
        digest = ""
        if act == "confirm":
            digest = await self._signed(exchange, member, number, fields.get("answer", ""))
        kind, who = ledger.KINDS.get(act, "change"), member.name
        asked = Row(kind, "", by=member.id, name=who, at=at, of=number, digest=digest)
        what = f"{act} {number or fields.get('name', '')}"
        await self._staff.note(exchange, "vendor changed", member, what=what)
        make = partial(ledger.row_of, asked, act, fields, self._config)
        future = self._store.ask(partial(self._append, make))
        known = await answer_of(future)
        if known is None:
            refused = future.exception() if future.done() else None
            raise refused if isinstance(refused, ChangeRefused) else StoreDown("vendors")
        change = known.waiting.get(number)
        if act == "confirm" and change is not None and change.due() is not None:
            self._mail_owner(exchange, change)

    async def _signed(self, exchange: Exchange, member: Member, number: int, answer: str) -> str:
        """Return the digest of a waiting change; raises unless the member's passkey signed it in this browser."""
        change, passkeys = self.known.waiting.get(number), self._staff.passkeys
        if passkeys is None or is_script(exchange) or change is None:
            raise PasskeyRefused(NO_PASSKEY)
        verify = partial(passkeys.verify, answer, asked_of(exchange), ABOUT + change.row.seal)
        if await to_thread.run_sync(verify) != member.id:
            raise PasskeyRefused(NO_PASSKEY)
        return change.row.seal

    def _mail_owner(self, exchange: Exchange, change: Waiting) -> None:
        """Have the outbox's thread send one mail about a change to each address of `staff.letter`."""
        config = self._config
        row, due = change.row, change.due() or 0
        at = f"{from_milliseconds(due).astimezone(UTC):%H:%M} UTC"
        names = " and ".join(row.name for row in change.confirmed)
        lines = [
            f"{names} confirmed a change of the vendor {row.vendor}: {_words(row)}.",
            f"It takes effect at {at}. Until then, any member of staff can stop it:",
            f"{config.staff_base}{PAGE}",
        ]
        send = partial(
            send_to,
            run=f"vendor-change-{row.seal[:20]}",
            addresses=config.staff.letter if config.mail.sender else (),
            config=config,
            recipients=Recipients(self._guard.keyring),
            subject=f"Vendor {row.vendor}: a change takes effect at {at}",
            lines=lines,
            language="en",
            now=exchange.now,
            environ=self._guard.environ,
        )
        self._outbox.ask(lambda outbox: asyncio.run(send(outbox))).add_done_callback(_warn_if_not_mailed)

    def _shown(self, exchange: Exchange, member: Member, status: int = 200, message: str = "") -> Response:
        known, now, passkeys = self.known, to_milliseconds(exchange.now), self._staff.passkeys
        waiting = {number: change for number, change in known.waiting.items() if not change.is_over(now)}
        asking = {
            number: passkeys.asking(asked_of(exchange), ABOUT + change.row.seal)
            for number, change in waiting.items()
            if passkeys and member.may(OFFICER) and not change.is_confirmed_by(member.id, member.name)
        }
        rows = reversed(known.rows.values())
        past = [row for row in rows if row.kind == "change" and row.number not in waiting]
        page = staff_page(
            "vendor_changes.html",
            self._staff.shell(exchange, member, "Vendors"),
            message=message,
            entered=first_values(exchange.request.query, MOST_FIELDS),
            form=staff_form(exchange, PAGE),
            known=known,
            is_read=self._shelved is not None,
            vendors=self.vendors,
            in_file={vendor.name: vendor for vendor in self._config.vendors},
            purposes=[purpose.id for purpose in self._config.purposes if purpose.id != NECESSARY],
            waiting=waiting.values(),
            past=past[:MOST_SHOWN],
            may_undo=partial(ledger.may_undo, known=known),
            words=_words,
            moment=lambda at: f"{from_milliseconds(at):%Y-%m-%d %H:%M} UTC",
            asking=asking,
            is_officer=member.may(OFFICER),
            code=load_asset(SCRIPT).name,
            has_passkeys=passkeys is not None,
        )
        return HTMLResponse(page, status, HEADERS_WITH_SCRIPT)

    def _start(self, renew: Renew) -> None:
        """Read the store before the first request, and again each second from then on."""
        self._renew, guard = renew, self._guard
        opener = store_opener(guard.config, guard.state.path, environ=guard.environ, keyring=guard.keyring)
        try:
            with closing(opener()) as opened:
                self._read(opened)
        except StoreDown:
            self._follow()
        self._store.listen(self._update)

    def _update(self, store: Store | None) -> None:
        """Read the store; never raises. While it is down (None), the vendors that were read last stay in force."""
        try:
            if store is not None:
                self._read(store)
                self._apply_due(store)
        except (StoreDown, ConfigError, ValueError, OSError) as error:
            logger.warning(UNUSABLE, error)

    def _append(self, make: Callable[[Ledger], Row], store: Store) -> Ledger:
        """Write a row and apply it in this worker at once; raises StoreDown and ChangeRefused."""
        append(store, self._config, self.known.rows, make)
        self._read(store)
        return self.known

    def _read(self, store: Store) -> None:
        shelved, before = store.shelf(NAMESPACE), self.known.broken
        if shelved == self._shelved:
            return
        self._shelved, self._is_blind = shelved, False
        self.known = known = ledger_by(shelved, self._config, self.known.rows)
        with suppress(OSError):  # the disk is full, but this worker keeps the rows in memory
            self._copy.add(known.rows)
        if known.broken and known.broken != before:
            rows, held = ", ".join(map(str, known.broken)), ", ".join(sorted(known.held))
            logger.error(BROKEN, rows, held or "no vendor")
        self._follow()

    def _apply_due(self, store: Store) -> None:
        """Apply changes that two officers confirmed ten minutes ago, if both are still officers."""
        now = self._guard.clock()
        for change in list(self.known.waiting.values()):
            row = change.row
            found = [(confirm, self._staff.members.by_id(confirm.by, now)) for confirm in change.confirmed]
            by_officers = [confirm for confirm, member in found if member is not None and member.may(OFFICER)]
            at, is_held = to_milliseconds(now), row.vendor in self.known.held
            if is_held or not self.known.may_apply(Waiting(row, by_officers), at):
                continue
            applied = Row("apply", row.vendor, name="the shop", at=at, of=row.number, digest=row.seal)
            with suppress(ChangeRefused):  # another worker was faster
                append(store, self._config, self.known.rows, applied)
            self._read(store)

    def _follow(self) -> None:
        """Give the vendors in force to the services that answer requests, if they changed."""
        known, config = self.known, self._config
        vendors = ledger.declared(config, known)
        asked = {(vendor.name, vendor.purpose) for vendor in vendors if not vendor.held}
        news = {name: found for name, found in known.news.items() if (name, found[0]) in asked}
        undeclared = "block" if self._is_blind else config.undeclared
        in_force = replace(config, vendors=vendors, undeclared=undeclared), news
        if in_force != self._in_force:
            self._renew(*in_force)
            self._in_force, self.vendors = in_force, vendors


def serve(guard: Guard) -> VendorsPart | None:
    """Return the part; None if the shop has no store to keep changes in."""
    return None if guard.store is None else VendorsPart(guard, guard.store)


def _warn_if_not_mailed(sent: Future[Any]) -> None:
    error = TimeoutError() if sent.cancelled() else sent.exception()
    if error is not None or not sent.result().sent:
        logger.warning(NOT_MAILED, type(error).__name__ if error else "to no address")


def _words(row: Row) -> str:
    """Describe a change in words."""
    before, after = row.before, row.after
    said = ["new vendor"] if ledger.is_new(row) else []
    for name in (*ledger.FIELDS[1:], ledger.END):
        if before.get(name) != after.get(name):
            value = after.get(name, "none" if "hosts" in after else "as in the file")
            text = value if isinstance(value, str) else ", ".join(value)
            said.append(f"{name.replace('_', ' ')} {text}")
    if before.get(ledger.HELD) != after.get(ledger.HELD):
        said.append("held for every visitor" if ledger.HELD in after else "no longer held")
    return "; ".join(said)
