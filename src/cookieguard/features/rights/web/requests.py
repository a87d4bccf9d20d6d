"""The staff page {prefix}requests: the list of privacy requests, one request in detail, and what staff do with it.

Support reads requests, enters letters and notes, and does manual steps; an officer decides. Each look at a request is
written into the access journal before the request is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import partial
from typing import NamedTuple, TypeVar

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.config.rights.settings import zone_of
from cookieguard.consent.decision import version_at
from cookieguard.features.people.daily_limits import Use
from cookieguard.features.people.staff_guard import (
    NOT_OURS,
    StaffGuard,
    has_staff_form,
    is_script,
    refuse,
    staff_form,
)
from cookieguard.features.records.acts import Acts
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.records import customer as subject_of
from cookieguard.features.rights.enqueue import NewRequest, ask
from cookieguard.features.rights.refusals_by_staff import refuse_for
from cookieguard.features.rights.requests import ID, Pending, Requests
from cookieguard.features.rights.values.answers import answer_of
from cookieguard.features.rights.values.by_staff import (
    DUTIES,
    ENTER,
    IN_DOUBT,
    OFFICER,
    WHO,
    Said,
    acted,
    in_words,
    is_readable,
    next_act,
    standing_of,
)
from cookieguard.features.rights.values.plan import MEANING, NAMES, by_hand, follows
from cookieguard.features.rights.values.requests import Act, Request, RequestRefused, Via, noted
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.rights.web.desk import Desk, Room
from cookieguard.features.rights.web.words import FIRST_SHOWN, passages_of, purpose_of, read_by_person
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.storage.sealing import SealBroken
from cookieguard.web.banner.form_value import ERASURE, STALE
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_wait import is_done
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.post_choice import refusal
from cookieguard.web.pages.same_origin import own_pairs

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")

REQUESTS_PAGE = "requests"
NO_ANSWER = "The queue of requests does not answer. Nothing was changed; try again in a minute."
UNKNOWN = "There is no request with this id."
NO_NUMBER = "This person has no customer number, so nothing can be refused for them."
NO_PURPOSE = "none, because consent.follow_customer is off"
UNREADABLE = "This request cannot be read: its key is missing, or it was changed. Its deadline still runs."
ERASE = "erase"  # the act that the confirmation page posts
# The form fields of a letter or a call that staff enter.
LETTER = ("kind", "who", "customer", "contact", "received", "law", "language", "text")
MOST_FIELDS = 3
MOST_CLOSED = 50  # requests on one page
MOST_DIGITS = 4  # of a page number
MOST_SHOWN = 500  # in the list, so that a flood of requests does not make an endless page


class _Message(NamedTuple):
    """Hold the status of a page, and the message that says why something was not done."""

    status: int = 200
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Visit:
    """Hold a staff member's request to this page, with the desk and the room that answer it."""

    exchange: Exchange
    staff: StaffGuard
    room: Room
    desk: Desk
    member: Member

    @property
    def has_hooks(self) -> bool:
        """Return whether the shop has hooks that do steps."""
        return bool(self.exchange.parts.config.rights.hooks)

    async def ask(self, question: Callable[[Requests], Answer]) -> Answer:
        """Query the queue; raises _Failed with the page's message if the query fails."""
        future = self.desk.ask(question)
        if not await is_done(future):
            raise _Failed(503, NO_ANSWER)
        try:
            return future.result()
        except KeyError as error:
            raise _Failed(404, UNKNOWN) from error
        except RequestRefused as error:
            raise _Failed(409, f"Not done: {error}.") from error
        except SealBroken as error:
            raise _Failed(500, UNREADABLE) from error
        except Exception as error:
            logger.warning("requests: the page could not be shown (%s)", type(error).__name__)
            raise _Failed(503, NO_ANSWER) from error


class _Failed(Exception):
    """Report why something was not done, with the status of the response."""

    def __init__(self, status: int, message: str) -> None:
        self.said = _Message(status, message)
        super().__init__(message)


async def answer_requests(
    exchange: Exchange, receive: Receive, member: Member, *, staff: StaffGuard, room: Room, desk: Desk
) -> Response:
    """Answer {prefix}requests: GET shows the list or ?id=; POST does act=NAME and redirects (303) to the request."""
    visit = _Visit(exchange, staff, room, desk, member)
    if exchange.request.is_read:
        asked = first_values(exchange.request.query, MOST_FIELDS)
        if id_ := asked.get("id", "").strip():
            return await _show_one(visit, id_, _Message())
        page = asked.get("closed", "")
        is_page = page.isascii() and page.isdigit() and len(page) <= MOST_DIGITS
        return await _show_list(visit, _Message(), closed=int(page) if is_page else 0)
    fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS))
    purpose = ERASURE if fields.get("act") == ERASE else REQUESTS_PAGE
    if not has_staff_form(exchange, fields, purpose) and not _is_confirmed(visit, fields):
        return await _show_list(visit, _Message(403, STALE), entered=fields)
    return await _act(visit, fields)


def _is_confirmed(visit: _Visit, fields: dict[str, str]) -> bool:
    return has_staff_form(visit.exchange, fields, purpose_of(fields))


async def _show_list(
    visit: _Visit, said: _Message, *, entered: Mapping[str, str] | None = None, closed: int = 0
) -> Response:
    """Show the open requests, or a page of closed ones, without names. `entered` refills a refused letter's form."""
    exchange, now = visit.exchange, visit.exchange.now
    pending: list[Pending] = []
    unreadable: list[str] = []
    has_more = False
    try:
        if closed:
            skipped = (closed - 1) * MOST_CLOSED
            survey = partial(Requests.survey_closed, now=now, skipped=skipped, count=MOST_CLOSED)
            pending, has_more = await visit.ask(survey)
        else:
            pending, unreadable = await visit.ask(lambda queue: queue.survey(now))
    except _Failed as error:
        said = error.said
    values = {
        "pending": pending[:MOST_SHOWN],
        "late": sum(request.days_left < 0 for request in pending),
        "unreadable": unreadable,
        "closed": closed,
        "has_more": has_more,
        "keep_days": exchange.parts.config.rights.keep_days,
        "kinds": list(RequestKind),
        "names": NAMES,
        "laws": list(Law),
        "own_law": exchange.parts.config.rights.law,
        "languages": sorted(exchange.parts.config.languages),
        "entered": {**dict.fromkeys(LETTER, ""), **(entered or {})},
    }
    return _page(visit, "requests.html", said, **values)


async def _show_one(visit: _Visit, id_: str, said: _Message) -> Response:
    """Show one request with its person, after writing the look into the access journal."""
    now = visit.exchange.now
    try:
        request = await visit.ask(lambda queue: queue.find(id_))
    except _Failed as error:
        return await _show_list(visit, error.said)
    if request is None:
        return await _show_list(visit, _Message(404, UNKNOWN))
    whose = request.customer or request.contact
    await visit.staff.note_look(visit.exchange, visit.member, f"request {request.id}", customer=whose)
    values = {
        "r": request,
        "due": request.due(now),
        "left": request.days_left(now),
        "steps": [(name, _done(request, name)) for name in request.steps],
        "meaning": MEANING,
        "waits": by_hand(request.steps, has_hooks=visit.has_hooks),
        "next": next_act(request, visit.member, has_hooks=visit.has_hooks),
        "names": NAMES,
        "passages": passages_of(visit.exchange, request),
        "ahead": visit.exchange.parts.policy.upcoming(now.date()),
        "may_extend": _may(partial(noted, request, Act.EXTENDED, now=now, by="", text="-")),
        "may_doubt": _may(partial(noted, request, Act.IDENTITY_ASKED, now=now, by="")),
        "is_officer": visit.member.may(OFFICER),
        "may_read": visit.member.may(OFFICER) and is_readable(request, now, has_hooks=visit.has_hooks),
        "answer": answer_of(request, visit.exchange.parts.config),
        "standing": standing_of(request, has_hooks=visit.has_hooks),
        "told": in_words(request, now, has_hooks=visit.has_hooks),
        "refusable": _refusable(visit.exchange.parts.config) if request.customer else [],
    }
    return _page(visit, "request.html", said, **values)


def _page(visit: _Visit, name: str, said: _Message, **values: object) -> Response:
    exchange = visit.exchange
    frame = {
        "today": exchange.now.astimezone(zone_of(exchange.parts.config.rights.time_zone)).date(),
        "message": said.message,
        "form": staff_form(exchange, REQUESTS_PAGE),
    }
    shell = visit.staff.shell(exchange, visit.member, "Requests")
    page = staff_page(name, shell, **{**frame, **values})
    return HTMLResponse(page, said.status, STAFF_HEADERS)


def _done(request: Request, name: str) -> object:
    return next((event for event in request.events if event.act is Act.STEP and event.name == name), None)


def _may(change: Callable[[], Request]) -> bool:
    try:
        change()
    except RequestRefused:
        return False
    return True


async def _act(visit: _Visit, fields: dict[str, str]) -> Response:
    """Do the posted act, and redirect to the request that it created or changed."""
    role, act = ACTS.get(fields.get("act", ""), ("", None))
    if act is None:
        return refusal(400, f"act is {fields.get('act', '')[:40]!a}; allowed: {', '.join(ACTS)}\n")
    if not visit.member.may(role):
        return refuse(visit.exchange)
    is_erasure = (fields["act"], fields.get("kind")) == ("add", RequestKind.ERASE)
    if is_erasure and not is_script(visit.exchange):  # to be confirmed on a page of its own
        values = {"entered": {name: fields.get(name, "") for name in LETTER}, "act": ERASE}
        return _page(
            visit, "enter_erasure.html", _Message(), **values, form=staff_form(visit.exchange, ERASURE)
        )
    try:
        if fields["act"] in FIRST_SHOWN and not _is_confirmed(visit, fields):
            return await _show_words(visit, fields, Act(fields["act"]))
        id_ = await act(visit, fields)
    except _Failed as error:
        id_ = fields.get("id", "")
        if error.said.status == 409 and id_:
            return await _show_one(visit, id_, error.said)
        return await _show_list(visit, error.said, entered=fields)
    location = f"{visit.exchange.own_base}{REQUESTS_PAGE}?id={id_}"
    return Response(status_code=303, headers={**STAFF_HEADERS, "location": location})


async def _show_words(visit: _Visit, fields: dict[str, str], act: Act) -> Response:
    """Show the page and the mail that the person will read, in their language, before the act is done."""
    change, exchange = _changed(visit, fields, act), visit.exchange
    # Nothing is written, but a forbidden act is refused here already
    after = await visit.ask(lambda queue: change(queue.require(fields.get("id", ""))))
    await _count(visit, Use.VIEW, after.customer or after.contact, f"request {after.id}")
    values = {
        "r": after,
        "act": act.value,
        "text": fields.get("text", ""),
        "until": fields.get("until", ""),
        "due": after.due(exchange.now),
        "again": staff_form(exchange, REQUESTS_PAGE),
        "read": read_by_person(exchange, visit.desk.letters, after, act),
    }
    return _page(
        visit, "request_words.html", _Message(), **values, form=staff_form(exchange, purpose_of(fields))
    )


def _changed(visit: _Visit, fields: Mapping[str, str], act: Act) -> Callable[[Request], Request]:
    until = fields.get("until", "")
    said = Said(
        by=visit.member.name,
        now=visit.exchange.now,
        text=fields.get("text", ""),
        step=fields.get("step", ""),
        until=_day(until) if until and act is Act.HELD else None,
    )
    return partial(acted, act=act, said=said, has_hooks=visit.has_hooks)


async def _change(visit: _Visit, fields: dict[str, str], act: Act) -> str:
    """Do an act on a request, with its words, its step, or the last day of a hold."""
    id_ = fields.get("id", "")
    if not ID.fullmatch(id_):
        raise _Failed(404, UNKNOWN)
    change = _changed(visit, fields, act)
    if act is Act.APPROVED:
        request = await _asked_by_customer(visit, fields)
        await _count(visit, Use.ERASURE, request.customer, f"request {id_}: {act}")

    def write(queue: Requests) -> str:
        queue.change(id_, change)
        queue.queue.wake(id_)
        return id_

    return await visit.ask(write)


async def _add(visit: _Visit, fields: dict[str, str]) -> str:
    """Enter a letter or a call, unless the same request is open; return its id."""
    now, config = visit.exchange.now, visit.exchange.parts.config
    kind, law, language = fields.get("kind", ""), fields.get("law", ""), fields.get("language", "")
    zone = zone_of(config.rights.time_zone)
    received, today = _day(fields.get("received", "")), now.astimezone(zone).date()
    if kind not in list(RequestKind) or law not in ["", *Law] or language not in ["", *config.languages]:
        raise _Failed(400, "Not entered: choose the kind, the law and the language from the lists.")
    if fields.get("who") not in WHO:
        raise _Failed(400, "Not entered: say whether you know who asks.")
    if received > today:
        raise _Failed(400, "Not entered: the day it came in is in the future; allowed: today or earlier.")
    asking = NewRequest(
        kind=RequestKind(kind),
        via=Via.STAFF,
        customer=fields.get("customer", ""),
        contact=fields.get("contact", ""),
        text=fields.get("text", ""),
        language=language,
        entered_by=visit.member.name,
        in_doubt=fields["who"] == IN_DOUBT,
        law=Law(law) if law else None,
        received=None if received == today else datetime.combine(received, time(), zone),
    )
    use = Use.ERASURE if kind == RequestKind.ERASE else Use.VIEW
    await _count(visit, use, asking.customer or asking.contact, f"a request to {kind}: entered")
    request, _ = await visit.ask(lambda queue: ask(queue, config, asking, now=now))
    return request.id


async def _count(visit: _Visit, use: Use, whose: str, what: str) -> None:
    """Count an act toward the member's daily limit, after writing it into the access journal."""
    await visit.staff.note_look(visit.exchange, visit.member, what, customer=whose, use=use)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _Failed(400, f"Not done: the day is {text[:20]!a}; allowed: one like 2027-01-31.") from None


async def _refuse_for(visit: _Visit, fields: dict[str, str]) -> str:
    """Refuse a purpose for a customer, as they could themselves: on all devices, until they agree again.

    The consent log gets it first, then the store, and then the request gets a note.
    """
    config, now, purpose = visit.exchange.parts.config, visit.exchange.now, fields.get("what", "")
    allowed, request = _refusable(config), await _asked_by_customer(visit, fields)
    if purpose not in allowed:
        raise _Failed(
            409, f"Not done: purpose {purpose[:80]!a}; allowed: {', '.join(allowed) or NO_PURPOSE}."
        )
    store, number, log = visit.exchange.parts.store_sync, request.customer, visit.room.log
    if store is None:
        raise _Failed(503, NO_ANSWER)
    text, version = f"purpose {purpose}: refused for them", version_at(config.policy, now)
    if log is not None:
        facts = {"said": text, "by": visit.member.name, "request": request.id}
        append = partial(Acts(log.writer).append, "by-staff", facts, subject=subject_of(number))
        try:
            await to_thread.run_sync(append)
        except LogDown as error:
            raise _Failed(503, NO_ANSWER) from error
    write = partial(refuse_for, number=number, config=config, purpose=purpose, version=version, now=now)
    future = store.ask(write)
    if not await is_done(future) or future.exception() is not None:
        raise _Failed(503, NO_ANSWER)
    if request.may_change:
        await _change(visit, {"id": request.id, "text": text}, Act.NOTE)
    return request.id


async def _asked_by_customer(visit: _Visit, fields: Mapping[str, str]) -> Request:
    """Return the request if it is a customer's; raises _Failed if it is unknown or has no customer number."""
    id_ = fields.get("id", "")
    request = await visit.ask(lambda queue: queue.find(id_))
    if request is None or not request.customer:
        raise _Failed(404, UNKNOWN if request is None else NO_NUMBER)
    return request


def _refusable(config: Config) -> list[str]:
    return [purpose.id for purpose in config.asked if purpose.id != NECESSARY] if follows(config) else []


Do = Callable[[_Visit, dict[str, str]], Awaitable[str]]
ACTS: dict[str, tuple[str, Do]] = {
    "add": (ENTER, _add),
    ERASE: (ENTER, _add),
    **{act.value: (role, partial(_change, act=act)) for act, role in DUTIES.items()},
    "refuse-for": (OFFICER, _refuse_for),
}
