"""What the shop's people do to a request, on their page and by command: which role an act takes, and steps by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from cookieguard.features.rights.values.plan import by_hand
from cookieguard.features.rights.values.requests import (
    Act,
    Request,
    RequestRefused,
    State,
    Via,
    answer_told,
    noted,
    put_on_hold,
    step_done,
)
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.identity.staff_token import Member, person_of

SUPPORT, OFFICER = "support", "officer"
LOOK = SUPPORT  # to see whose request it is
ENTER = SUPPORT
KNOWN, IN_DOUBT = "known", "in-doubt"
# Whether it is known who wrote what is entered: whoever enters it says so, there is no default
WHO = (KNOWN, IN_DOUBT)
DUTIES: Mapping[Act, str] = {
    Act.STEP: SUPPORT,
    Act.NOTE: SUPPORT,
    Act.APPROVED: OFFICER,
    Act.IDENTITY_ASKED: SUPPORT,
    Act.IDENTITY_SHOWN: SUPPORT,
    Act.EXTENDED: OFFICER,
    Act.HELD: OFFICER,
    Act.DONE: OFFICER,
    Act.REFUSED: OFFICER,
    Act.TOLD: OFFICER,
}
"""The role that an act takes: support looks after requests, an officer decides them."""


class Said(NamedTuple):
    """Hold who acts and when, and what they say with it: words, a step by its name, the last day of a hold."""

    by: str
    now: datetime
    text: str = ""
    step: str = ""
    until: date | None = None


def acted(request: Request, act: Act, said: Said, *, has_hooks: bool) -> Request:
    """Return the request with an act of the staff; raises RequestRefused."""
    by, now, text, step, until = said
    _require_second(request, act, by)
    if act is Act.STEP:
        waits = by_hand(request.open_steps, has_hooks=has_hooks)
        if step not in waits and step not in request.done_steps:  # one that a worker does
            raise RequestRefused(
                f"step is {step[:80]!r}; allowed: {', '.join(waits) or 'none is left for you'}"
            )
        return step_done(request, step, now=now, by=by, text=text)
    if act is Act.HELD:
        if until is None:
            raise RequestRefused("hold without its last day; allowed: one like 2027-01-31")
        if request.end_of(until) <= now:
            raise RequestRefused(
                f"the hold ends on {until}, which is in the past; allowed: today or a later day"
            )
        return put_on_hold(request, until=until, reason=text, now=now, by=by)
    if act is Act.TOLD:
        if not text.strip():
            raise RequestRefused("told without words; allowed: how they were told, such as by letter")
        return answer_told(request, now=now, by=by, text=text)
    return noted(request, act, now=now, by=by, text=text)


def needs_approval(request: Request) -> bool:
    """Return whether an erasure that staff entered waits for a second person, or for the customer's own request."""
    is_entered = request.kind is RequestKind.ERASE and request.via is Via.STAFF and bool(request.customer)
    is_begun = request.done_steps or any(event.act is Act.APPROVED for event in request.events)
    return is_entered and request.may_change and not is_begun


def next_act(request: Request, member: Member, *, has_hooks: bool) -> Act | None:
    """Return what a member does next; None if it is the turn of a worker or of another member."""
    is_officer = member.may(OFFICER)
    if request.owes_answer:
        return Act.TOLD if is_officer else None
    if not request.may_change:
        return None
    if request.state is State.IDENTITY:
        return Act.IDENTITY_SHOWN
    if needs_approval(request):
        is_second = person_of(member.name) != person_of(request.entered_by)
        return Act.APPROVED if is_officer and is_second else None
    if by_hand(request.open_steps, has_hooks=has_hooks):
        return Act.STEP
    return Act.DONE if is_officer and not request.open_steps else None


def must_wait(request: Request) -> bool:
    """Return whether no step may be done yet: it is in doubt who asks, or one person alone wants an erasure."""
    return request.state is State.IDENTITY or needs_approval(request)


def _require_second(request: Request, act: Act, by: str) -> None:
    if act is not Act.APPROVED:
        return
    if not needs_approval(request):
        raise RequestRefused(f"request {request.id} waits for no approval")
    if person_of(by) == person_of(request.entered_by):
        raise RequestRefused(
            f"{by} entered request {request.id}; allowed: a second person, or the customer's own request"
        )
