"""The forms of {prefix}privacy: get and enter a code, send or withdraw a request, download a copy, end sessions.

Only a page of the shop may post them. A request needs a fresh login or a code. The answer about another customer's
request is the same as about one that does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.responses import Response

from cookieguard.config.languages import texts_of
from cookieguard.features.records.values.records import new_id
from cookieguard.features.rights.enqueue import NewRequest, ask
from cookieguard.features.rights.requests import Requests
from cookieguard.features.rights.values.answers import RightsTexts
from cookieguard.features.rights.values.requests import (
    PERSON,
    Act,
    Request,
    RequestRefused,
    State,
    Via,
    answer_told,
    noted,
)
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.rights.web.codes import Codes
from cookieguard.features.rights.web.desk import Desk, Letter, Room, loop_here
from cookieguard.features.rights.web.page import (
    PRIVACY_PAGE,
    Asker,
    Shown,
    asker_of,
    logins_of_customer,
    requests_of,
    session_of,
    show,
    show_erasure,
)
from cookieguard.identity.revocations import ended_customer, ended_series, ended_session
from cookieguard.identity.tokens import TokenCodec, TokenError, TokenKind
from cookieguard.mail.messages import AddressError, require_address
from cookieguard.storage.store.logins import end_login
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.banner.form_value import ERASURE, FIELD, has_form_value
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import answer_of, is_done
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.post_choice import refusal
from cookieguard.web.pages.same_origin import own_pairs
from cookieguard.web.request import is_ahead

PASS_LIFE = timedelta(minutes=15)
NOT_OURS = "this form can only be posted from a page of this shop"
COPY_HEADERS = {
    "cache-control": "private, no-store",
    "content-type": "application/zip",
    "x-content-type-options": "nosniff",
}
CODE_LENGTH = 20
ERASE = "erase"  # the act that the confirmation page posts
FRESH_ACTS = ("ask", ERASE, "copy")  # they need a fresh login or a code


async def answer_privacy(exchange: Exchange, receive: Receive, *, room: Room) -> Response:
    """Answer {prefix}privacy: GET shows the page; POST with act=code|open|ask|erase|withdraw|copy|sessions|end."""
    if exchange.request.is_read:
        return await _show_own(exchange, room)
    try:
        fields = dict(reversed(await own_pairs(exchange, receive, not_ours=NOT_OURS)))
    except BadRequestError as error:
        return refusal(error.status, f"{error}\n")
    desk, name = room.desk, fields.get("act", "")
    act = ACTS.get(name)
    if desk is None or act is None:
        return refusal(400, f"act is {name[:40]!a}; allowed: {', '.join(ACTS)}\n")
    posted, page = _PostedForm(exchange, room, desk, fields), ERASURE if name == ERASE else PRIVACY_PAGE
    if not has_form_value(exchange, fields.get(FIELD, ""), page, *await session_of(exchange)):
        address = fields.get("address", "") if name == "open" else ""
        return await posted.page("", status=403, address=address, message=posted.stale)
    if name in FRESH_ACTS and not (asker := await posted.asker()).is_fresh:
        return await posted.page("fresh", status=403, asker=asker)
    return await act(posted)


async def _show_own(exchange: Exchange, room: Room) -> Response:
    asker = await asker_of(exchange)
    requests = await requests_of(room, asker.number)
    response = await show(exchange, Shown(asker=asker, requests=requests), room)
    answers = [request.id for request in requests if request.answer_pending]
    if answers and room.desk is not None and _is_seen(exchange):
        await answer_of(room.desk.ask(lambda queue: _note_read(queue, exchange, answers)))
    return response


def _is_seen(exchange: Exchange) -> bool:
    """Return whether a person sees the answer: not for HEAD, a prefetch, or a page loaded as a subresource."""
    is_page = exchange.destination is None or exchange.request.is_navigation
    return exchange.request.method == "GET" and is_page and not is_ahead(exchange.headers)


def _note_read(queue: Requests, exchange: Exchange, answers: list[str]) -> None:
    """Note that the person has the answers that their page shows."""
    for id_ in answers:
        queue.change(id_, lambda old: answer_told(old, now=exchange.now, by=PERSON, text="on the page"))


class _PostedForm:
    """Hold a posted form, and the room and the exchange in which it is answered."""

    def __init__(self, exchange: Exchange, room: Room, desk: Desk, fields: dict[str, str]) -> None:
        self.exchange = exchange
        self.room = room
        self.desk = desk
        self.fields = fields
        self.ticket = fields.get("ticket", "")
        self.texts = RightsTexts.of(language_asked(exchange))
        self.stale: str = texts_of(self.texts.lang)["page"]["stale"]
        self.codes = Codes(exchange.parts.keyring)
        self._pass = TokenCodec(exchange.parts.keyring, kind=TokenKind.MAIL, name="privacy-pass", sealed=True)

    async def asker(self) -> Asker:
        """Return who posted the form: by the pass that a valid code earned, else by the session."""
        text = self.fields.get("pass", "")
        if not text:
            return await asker_of(self.exchange)
        try:
            opened = self._pass.loads(text, host=self.exchange.request.origin.host, now=self.exchange.now)
        except TokenError:
            return Asker()
        return Asker(number=str(opened.payload["c"]), is_fresh=True, proof=text)

    def pass_for(self, number: str) -> Asker:
        """Return a guest whose code was valid, with a pass for their next forms."""
        now, host = self.exchange.now, self.exchange.request.origin.host
        text = self._pass.dumps({"c": number}, host=host, issued=now, expires=now + PASS_LIFE)
        return Asker(number=number, is_fresh=True, proof=text)

    def may(self, what: str) -> bool:
        """Count an attempt, and return whether the network address had one left this hour."""
        turns = {"code": self.desk.codes, "try": self.desk.tries, "request": self.desk.requests}[what]
        return turns.take(self.exchange.throttle_key(f"privacy {what}"), self.exchange.now)

    async def page(
        self, key: str, *, asker: Asker | None = None, status: int = 200, address: str = "", message: str = ""
    ) -> Response:
        """Show the page with a message."""
        shown = Shown(
            asker=await self.asker() if asker is None else asker,
            status=status,
            message=message or self.texts.texts[key],
            is_wrong=status >= 400,
            address=address,
            ticket=self.ticket,
        )
        return await show(self.exchange, shown, self.room)


async def _send_code(form: _PostedForm) -> Response:
    """Send a code to an address on file; the response is the same for an unknown address."""
    if not form.may("code"):
        return await form.page("often", status=429)
    try:
        address = require_address(form.fields.get("address", "").strip())
    except AddressError:
        return await form.page("wrong", status=400)
    sync = form.exchange.parts.store_sync
    if sync is None or not form.desk.knows_guests:
        return await form.page("down", status=503)
    form.ticket, now = new_id(), form.exchange.now
    whose = partial(form.desk.number, address, loop_here())
    keep = partial(form.codes.make, address, ticket=form.ticket, now=now)
    send = partial(
        form.desk.letters.code, address, language=form.texts.lang, name=f"{new_id()}.code", now=now
    )
    if not form.desk.mails.later(partial(_make_code, sync, whose, keep, send)):
        return await form.page("down", status=503, asker=Asker())
    return await form.page("code_sent", address=address, asker=Asker())


async def _make_code(
    sync: StoreSync,
    whose: Callable[[], Awaitable[str | None]],
    keep: Callable[[str], Callable[[Store], str]],
    send: Callable[[str], Coroutine[Any, Any, None]],
) -> Letter | None:
    number = await whose()
    code = "" if number is None else await asyncio.wrap_future(sync.ask(keep(number)))
    return partial(send, code) if code else None


async def _open(form: _PostedForm) -> Response:
    """Identify a guest by a code."""
    address, code = form.fields.get("address", "").strip(), form.fields.get("code", "").strip()[:CODE_LENGTH]
    sync = form.exchange.parts.store_sync
    if not form.may("try"):
        return await form.page("often", status=429, asker=Asker())
    if sync is None:
        return await form.page("down", status=503)
    future = sync.ask(form.codes.check(address, form.ticket, code, form.exchange.now))
    if not await is_done(future) or future.exception() is not None:
        return await form.page("down", status=503, address=address, asker=Asker())
    number = future.result()
    if number is None:
        return await form.page("wrong", status=403, address=address, asker=Asker())
    return await form.page("requests", asker=form.pass_for(number))


async def _ask(form: _PostedForm, *, is_confirmed: bool = False) -> Response:
    """Put a request into the queue; an erasure must first be confirmed on a page of its own."""
    asker = await form.asker()
    kind = RequestKind.ERASE if is_confirmed else form.fields.get("kind", "")
    if kind not in list(RequestKind):
        return await form.page("missing", status=400, asker=asker)
    if kind == RequestKind.ERASE and not is_confirmed:
        return await show_erasure(form.exchange, asker, form.fields.get("text", ""))
    return await _record(form, asker, RequestKind(kind))


async def _record(form: _PostedForm, asker: Asker, kind: RequestKind) -> Response:
    if not form.may("request") or not form.desk.customers.take(asker.number, form.exchange.now):
        return await form.page("often", status=429, asker=asker)
    exchange, config = form.exchange, form.exchange.parts.config
    version = exchange.parts.policy.in_force(exchange.now.date())
    asking = NewRequest(
        kind=kind,
        via=Via.CODE if asker.proof else Via.LOGIN,
        customer=asker.number,
        text=form.fields.get("text", ""),
        language=form.texts.lang,
        policy="" if version is None else version.name,
    )
    future = form.desk.ask(lambda queue: ask(queue, config, asking, now=exchange.now))
    error = future.exception() if await is_done(future) else TimeoutError()
    if isinstance(error, RequestRefused):
        return await form.page("missing", status=400, asker=asker)
    if error is not None:
        return await form.page("down", status=503, asker=asker)
    request, _ = future.result()
    if kind is RequestKind.ERASE:
        await _end_sessions(form, asker.number)
    message = form.texts.line("recorded", date=request.due(exchange.now))
    return await form.page("recorded", asker=asker, message=message)


async def _withdraw(form: _PostedForm) -> Response:
    """Withdraw a request of which no step is done."""
    asker, id_ = await form.asker(), form.fields.get("id", "")
    withdraw = partial(noted, act=Act.WITHDRAWN, now=form.exchange.now, by=PERSON)

    def change(queue: Requests) -> bool:
        return _own(queue, id_, asker) is not None and queue.change(id_, withdraw) is not None

    future = form.desk.ask(change)
    if not await is_done(future):
        return await form.page("down", status=503, asker=asker)
    is_withdrawn = future.exception() is None and future.result()
    return await form.page(
        "withdrawn" if is_withdrawn else "down", asker=asker, status=200 if is_withdrawn else 404
    )


async def _copy(form: _PostedForm) -> Response:
    """Return the copy of a customer's data."""
    asker, id_ = await form.asker(), form.fields.get("id", "")

    def read(queue: Requests) -> bytes | None:
        found = _own(queue, id_, asker)
        return queue.file(id_) if found is not None and found.state is State.DONE else None

    content = await answer_of(form.desk.ask(read))
    if content is None:
        return await form.page("down", status=404, asker=asker)
    name = f"data-{form.exchange.now:%Y-%m-%d}.zip"
    return Response(
        content, headers={**COPY_HEADERS, "content-disposition": f'attachment; filename="{name}"'}
    )


async def _sessions(form: _PostedForm) -> Response:
    """Log the customer out on every device, this one included."""
    asker = await form.asker()
    if not asker.number:
        return await form.page("fresh", status=403, asker=asker)
    if not await _end_sessions(form, asker.number):
        return await form.page("down", status=503, asker=asker)
    return await form.page("ended", asker=Asker())


async def _end_one(form: _PostedForm) -> Response:
    """Log the customer out on one device, and end its remembered login."""
    asker = await form.asker()
    if not asker.number or asker.proof:
        return await form.page("fresh", status=403, asker=asker)
    handle, number = form.fields.get("id", ""), asker.number
    found = await logins_of_customer(form.exchange, number)
    login = next((login for login in found if login.handle == handle), None)
    sync, identity = form.exchange.parts.store_sync, form.exchange.parts.identity
    if login is None or sync is None or identity is None:
        return await form.page("down", status=404, asker=asker)
    now, life = sync.revocations.latest(form.exchange.now), identity.life
    ended = [ended_session(login.session, now=now, idle=life.idle, customer=number, since=login.at)]
    if login.series:
        ended.append(ended_series(login.series, now=now, longest=life.remembered, customer=number))
    future = sync.record(ended)
    if not await is_done(future) or future.exception() is not None:
        return await form.page("down", status=503, asker=asker)
    await answer_of(sync.ask(partial(end_login, customer=number, login=login)))
    return await show(form.exchange, Shown(asker=asker), form.room)


async def _end_sessions(form: _PostedForm, number: str) -> bool:
    """End all sessions; if the store is down, this worker ends them at once, and the others when it is back."""
    sync, identity = form.exchange.parts.store_sync, form.exchange.parts.identity
    if sync is None or identity is None:
        return False
    now = sync.revocations.latest(form.exchange.now)
    future = sync.record([ended_customer(number, now=now, longest=identity.life.longest)])
    return await is_done(future) and future.exception() is None


def _own(queue: Requests, id_: str, asker: Asker) -> Request | None:
    """Return a request if it is this person's, else None."""
    found = queue.find(id_) if asker.number else None
    return found if found is not None and found.customer == asker.number else None


ACTS: dict[str, Callable[[_PostedForm], Awaitable[Response]]] = {
    "code": _send_code,
    "open": _open,
    "ask": _ask,
    ERASE: partial(_ask, is_confirmed=True),
    "withdraw": _withdraw,
    "copy": _copy,
    "sessions": _sessions,
    "end": _end_one,
}
