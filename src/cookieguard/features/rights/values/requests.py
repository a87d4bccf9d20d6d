"""A privacy request as a value: what a person asked for, every event since, and the legal deadline for the answer.

Rule: an event returns a new request. A decision needs words for the person, and a done request has no open step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from cookieguard.config.rights.settings import zone_of
from cookieguard.errors import CookieGuardError
from cookieguard.features.rights.values.rules import RULES, Law, RequestKind, Rule

LONGEST_TEXT = 2_000
LONGEST_NAME = 200
MOST_EVENTS = 500  # enough for a step that fails for months, and for the notes of staff about it
LAST_DAY = date(9999, 12, 30)  # the next day still exists in every time zone
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
UNPRINTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class RequestRefused(CookieGuardError):
    """Report why an act on a request is not allowed, and what is allowed."""


class Via(StrEnum):
    """Name how the person who asks was identified."""

    LOGIN = "login"
    """A fresh login."""
    CODE = "code"
    """A code sent to the address on file."""
    STAFF = "staff"
    """Entered by staff from a letter or a call."""


class Act(StrEnum):
    """Name what can happen to a request."""

    IDENTITY_ASKED = "identity-asked"
    IDENTITY_SHOWN = "identity-shown"
    EXTENDED = "extended"
    HELD = "held"
    """A law or a dispute forbids further work until a day is over."""
    STEP = "step"
    FAILED = "failed"
    KEPT = "kept"
    """A kind of data is kept for a reason, until a day."""
    GONE = "gone"
    """A kind of data that was kept is deleted."""
    NOTE = "note"
    APPROVED = "approved"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    TOLD = "told"
    """The person has the answer: by mail, on the page, or by a letter."""


class State(StrEnum):
    """Name the state of a request."""

    OPEN = "open"
    IDENTITY = "identity"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


CLOSING = {Act.DONE: State.DONE, Act.REFUSED: State.REFUSED, Act.WITHDRAWN: State.WITHDRAWN}
ANSWER = "answer"  # the only step of a decided request: the person gets the answer
TOLD_OF_DELAY = "told of more time"  # the name of the worker's note about that mail
PERSON, WORKER = "person", "cookieguard"  # those who act but are no members of the staff


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Say what happened, when and by whom; `name` is the step or the kind of data, `until` the day something ends."""

    at: datetime
    act: Act
    by: str
    name: str = ""
    text: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Hold one request."""

    id: str
    kind: RequestKind
    law: Law
    received: datetime
    via: Via
    customer: str = ""
    """The customer number; empty for a person without one."""
    contact: str = ""
    """Where to send the answer: a mail address, or words such as a postal address."""
    language: str = ""
    text: str = ""
    entered_by: str = ""
    policy: str = ""
    """The version of the policy that an objection is about."""
    zone: str = "UTC"
    """The shop's time zone, in which the days until the deadline are counted."""
    steps: tuple[str, ...] = ()
    """The steps that a worker or staff must do before the request is done."""
    let_in: tuple[str, ...] | None = None
    """The names of the vendors to notify; None until the first step, which may destroy the records of them."""
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if self.received.tzinfo is None:
            raise ValueError("the time at which a request was received must have a time zone")
        if not (self.customer or self.contact):
            raise RequestRefused("the request has no customer number and no address; allowed: one of them")

    @property
    def rule(self) -> Rule:
        """Return the law's rule for its deadline."""
        return RULES[self.law, self.kind]

    @property
    def state(self) -> State:
        """Return the state that its events lead to."""
        state = State.OPEN
        for event in self.events:
            if event.act in CLOSING:
                return CLOSING[event.act]
            if event.act is Act.IDENTITY_ASKED:
                state = State.IDENTITY
            if event.act is Act.IDENTITY_SHOWN:
                state = State.OPEN
        return state

    @property
    def may_change(self) -> bool:
        """Return whether it is not decided yet."""
        return self.state in (State.OPEN, State.IDENTITY)

    @property
    def answer_pending(self) -> bool:
        """Return whether it is decided but the person does not have the answer yet."""
        is_decided = self.state in (State.DONE, State.REFUSED)
        return is_decided and all(event.act is not Act.TOLD for event in self.events)

    @property
    def is_open(self) -> bool:
        """Return whether it is not decided yet, or the person does not have the answer yet."""
        return self.may_change or self.answer_pending

    @property
    def answer(self) -> str:
        """Return the words with which it was closed; empty while it is open."""
        return next((event.text for event in reversed(self.events) if event.act in CLOSING), "")

    @property
    def done_steps(self) -> tuple[str, ...]:
        """Return the steps that are done."""
        return tuple(event.name for event in self.events if event.act is Act.STEP)

    @property
    def open_steps(self) -> tuple[str, ...]:
        """Return the steps that are left, in their order."""
        if self.answer_pending:
            return (ANSWER,)
        done = set(self.done_steps) if self.may_change else set(self.steps)
        return tuple(step for step in self.steps if step not in done)

    @property
    def retained(self) -> tuple[Event, ...]:
        """Return the newest event of each kind of data that is kept, with the reason and the last day."""
        newest: dict[str, Event] = {}
        for event in self.events:
            if event.act is Act.KEPT:
                newest[event.name] = event
            elif event.act is Act.GONE:
                newest.pop(event.name, None)
        return tuple(newest.values())

    @property
    def closed_at(self) -> datetime | None:
        """Return when it was closed."""
        return next((event.at for event in reversed(self.events) if event.act in CLOSING), None)

    @property
    def trouble(self) -> str:
        """Return the step that failed last, and its error; empty if it was done since."""
        last = next((event for event in reversed(self.events) if event.act in TRIES or _is_told(event)), None)
        return f"{last.name}: {last.text}" if last is not None and last.act is Act.FAILED else ""

    @property
    def delay(self) -> str:
        """Return the reason for more time; empty if none was taken."""
        return next((event.text for event in self.events if event.act is Act.EXTENDED), "")

    @property
    def delay_pending(self) -> bool:
        """Return whether more time was taken but the person has no mail about it yet."""
        is_told = any(_is_told(event) and event.name == TOLD_OF_DELAY for event in self.events)
        return self.may_change and bool(self.delay) and not is_told

    @property
    def held_until(self) -> date | None:
        """Return the last day of the newest hold; None if it was never on hold."""
        last = next((event for event in reversed(self.events) if event.act is Act.HELD), None)
        return None if last is None else last.until

    def due(self, now: datetime) -> date:
        """Return the last day on which the answer is in time; each day of a pause moves it by one."""
        rule = self.rule
        is_extended = any(event.act is Act.EXTENDED for event in self.events)
        span = rule.extended if is_extended and rule.extended is not None else rule.within
        end = span.after(self.day(self.received))
        return end + timedelta(days=_paused(self, now).days) if rule.pauses else end

    def days_left(self, now: datetime) -> int:
        """Return how many days are left; negative if it is late."""
        return (self.due(now) - self.day(now)).days

    def day(self, moment: datetime) -> date:
        """Return the day of a moment in the shop's time zone."""
        return moment.astimezone(zone_of(self.zone)).date()

    def end_of(self, day: date) -> datetime:
        """Return the moment at which a day is over in the shop's time zone."""
        if day >= LAST_DAY:  # a shop's way to say "for ever"
            return LAST_MOMENT
        return datetime.combine(day + timedelta(days=1), time(), zone_of(self.zone))


def noted(request: Request, act: Act, *, now: datetime, by: str, text: str = "", name: str = "") -> Request:
    """Return the request with one more event; raises RequestRefused if the event is not allowed now."""
    _require_open(request)
    if act in WORDS and not text.strip():
        raise RequestRefused(f"{act} has no text; allowed: {WORDS[act]}")
    if check := CHECKS.get(act):
        check(request, now)
    return _with(request, Event(at=now, act=act, by=clean(by, LONGEST_NAME), name=name, text=clean(text)))


def step_done(request: Request, name: str, *, now: datetime, by: str, text: str = "") -> Request:
    """Return the request with a step done; unchanged if the step was done before."""
    if name in request.done_steps:
        return request
    if name not in request.steps:
        raise RequestRefused(f"step is {name!r}; allowed: {', '.join(request.open_steps) or 'none is left'}")
    return noted(request, Act.STEP, now=now, by=by, name=name, text=text)


def try_failed(request: Request, *, now: datetime, name: str, text: str) -> Request:
    """Return the request with a failed try of a step or of the mail; a closed request stays unchanged."""
    event = Event(at=now, act=Act.FAILED, by=WORKER, name=name, text=clean(text))
    return _with(request, event) if request.is_open else request


def answer_told(request: Request, *, now: datetime, by: str, text: str = "") -> Request:
    """Return a decided request with the event that the person has the answer, which is added only once."""
    if not request.answer_pending:
        return request
    return _with(request, Event(at=now, act=Act.TOLD, by=clean(by, LONGEST_NAME), text=clean(text)))


def put_on_hold(request: Request, *, until: date, reason: str, now: datetime, by: str) -> Request:
    """Return the request on hold: a law or a dispute forbids further work until a day is over."""
    _require_open(request)
    if not reason.strip():
        raise RequestRefused("the hold has no reason; allowed: the law or dispute that forbids the work")
    return _with(request, Event(at=now, act=Act.HELD, by=by, text=clean(reason), until=until))


def with_retained(
    request: Request, items: Iterable[tuple[str, date | None, str]], *, now: datetime
) -> Request:
    """Return the request with the kinds of data that are kept, until when and why; others count as deleted."""
    before = {kept.name: (kept.until, kept.text) for kept in request.retained}
    named = {clean(name, LONGEST_NAME): (until, clean(reason)) for name, until, reason in items}
    for name in before.keys() - named.keys():
        request = _with(request, Event(at=now, act=Act.GONE, by=WORKER, name=name))
    for name, item in named.items():
        if before.get(name) != item:
            event = Event(at=now, act=Act.KEPT, by=WORKER, name=name, until=item[0], text=item[1])
            request = _with(request, event)
    return request


def by_days_left(requests: Iterable[Request], now: datetime) -> list[Request]:
    """Return the open requests, the most urgent first."""
    return sorted(
        (request for request in requests if request.is_open),
        key=lambda request: (request.due(now), request.received),
    )


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return text without control and bidirectional characters, cut to `longest` characters."""
    return UNPRINTED.sub(" ", text.replace("\r\n", "\n")).strip()[:longest]


WORDS = {
    Act.DONE: "the answer that the person reads",
    Act.REFUSED: "the reason, and where to complain, as the person reads it",
    Act.EXTENDED: "the reason for more time, as the person reads it",
    Act.FAILED: "what went wrong",
    Act.NOTE: "the note",
}
TRIES = (Act.STEP, Act.FAILED, Act.TOLD)


def _is_told(event: Event) -> bool:
    return event.act is Act.NOTE and event.by == WORKER


def _require_open(request: Request) -> None:
    if not request.may_change:
        raise RequestRefused(f"request {request.id} is {request.state}; only open requests can be changed")


def _require_whole(request: Request, _: datetime) -> None:
    if request.open_steps:
        left = ", ".join(request.open_steps)
        raise RequestRefused(f"request {request.id} cannot be finished yet; open steps: {left}")
    if request.state is State.IDENTITY:
        raise RequestRefused(f"request {request.id} is waiting for proof of the person's identity")


def _require_in_time(request: Request, now: datetime) -> None:
    if request.rule.extended is None:
        raise RequestRefused(
            f"the law {request.law} gives no more time for {request.kind} ({request.rule.source})"
        )
    if any(event.act is Act.EXTENDED for event in request.events):
        raise RequestRefused(f"request {request.id} was already given more time; allowed: once")
    if request.days_left(now) < 0:
        raise RequestRefused(
            f"request {request.id} is late; more time could be taken only until {request.due(now)}"
        )


def _require_shown(request: Request, _: datetime) -> None:
    if request.state is not State.IDENTITY:
        raise RequestRefused(f"request {request.id} is not waiting for proof of the person's identity")


def _require_unasked(request: Request, _: datetime) -> None:
    if request.via is Via.LOGIN:  # GDPR, art. 12(6): only where there are reasonable doubts
        raise RequestRefused(
            f"request {request.id} was made after a fresh login, which proves who asks; only others need proof"
        )
    if request.state is State.IDENTITY:
        raise RequestRefused(f"request {request.id} is already waiting for proof of the person's identity")


def _require_unbegun(request: Request, _: datetime) -> None:
    if request.done_steps:
        raise RequestRefused(f"request {request.id} is already being worked on; wait for the answer")


CHECKS: dict[Act, Callable[[Request, datetime], None]] = {
    Act.DONE: _require_whole,
    Act.EXTENDED: _require_in_time,
    Act.IDENTITY_ASKED: _require_unasked,
    Act.IDENTITY_SHOWN: _require_shown,
    Act.WITHDRAWN: _require_unbegun,
}


def _with(request: Request, event: Event) -> Request:
    events: Sequence[Event] = request.events
    if len(events) >= MOST_EVENTS:  # the oldest failed try goes first, since the newer ones are enough
        spare = next((at for at, event in enumerate(events) if event.act is Act.FAILED), None)
        events = events if spare is None else [*events[:spare], *events[spare + 1 :]]
    return replace(request, events=(*events, event))


def _paused(request: Request, now: datetime) -> timedelta:
    total, since = timedelta(), None
    for event in request.events:
        if event.act is Act.IDENTITY_ASKED:
            since = event.at
        elif event.act is Act.IDENTITY_SHOWN and since is not None:
            total, since = total + (event.at - since), None
    return total if since is None else total + max(timedelta(), now - since)
