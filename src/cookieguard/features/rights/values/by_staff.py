"""The acts of staff on a request, by page or command: the role that each needs, and what a request waits for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from cookieguard.features.rights.values.plan import BY_HAND, by_hand
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
LOOK = SUPPORT  # to open the page of requests, and to see who sent one
ENTER = SUPPORT
KNOWN, IN_DOUBT = "known", "in-doubt"
# Staff who enter a letter must say whether they know its sender; there is no default
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
"""The role that an act needs: support handles requests, an officer decides them."""


class Said(NamedTuple):
    """Hold who acts and when, with the words, the name of the step, or the last day of a hold that the act needs."""

    by: str
    now: datetime
    text: str = ""
    step: str = ""
    until: date | None = None


def acted(request: Request, act: Act, said: Said, *, has_hooks: bool) -> Request:
    """Return the request after an act of staff; raises RequestRefused."""
    _require_second(request, act, said.by)
    if act is Act.STEP:
        return _stepped(request, said, has_hooks=has_hooks)
    if act is Act.HELD:
        return _held(request, said)
    by, now, text = said[:3]
    if act is Act.TOLD:
        if not text.strip():
            raise RequestRefused("told without words; allowed: how they were told, such as by letter")
        return answer_told(request, now=now, by=by, text=text)
    return noted(request, act, now=now, by=by, text=text)


def _stepped(request: Request, said: Said, *, has_hooks: bool) -> Request:
    step, waits = said.step, by_hand(request.open_steps, has_hooks=has_hooks)
    if must_wait(request):  # no step may begin before identity and approval are settled
        raise RequestRefused(f"request {request.id} is {standing_of(request, has_hooks=has_hooks)}")
    if step not in waits and step not in request.done_steps:  # one that a worker does
        raise RequestRefused(f"step is {step[:80]!r}; allowed: {', '.join(waits) or 'none is left for you'}")
    return step_done(request, step, now=said.now, by=said.by, text=said.text)


def _held(request: Request, said: Said) -> Request:
    if said.until is None:
        raise RequestRefused("hold without its last day; allowed: one like 2027-01-31")
    if request.end_of(said.until) <= said.now:
        raise RequestRefused(
            f"the hold ends on {said.until}, which is in the past; allowed: today or a later day"
        )
    return put_on_hold(request, until=said.until, reason=said.text, now=said.now, by=said.by)


def needs_approval(request: Request) -> bool:
    """Return whether an erasure that staff entered waits for a second person, or for the customer's own request."""
    is_entered = request.kind is RequestKind.ERASE and request.via is Via.STAFF and bool(request.customer)
    is_approved = any(event.act is Act.APPROVED for event in request.events)
    return is_entered and request.may_change and not is_approved


class Standing(StrEnum):
    """Say what a request waits for, or how it ended, in the words of every page."""

    PROOF = "waiting for proof of the person's identity"
    APPROVAL = "waiting for approval by a second person"
    BY_HAND = "waiting for work by hand"
    COOKIEGUARD = "waiting for cookieguard to do its part"
    ANSWER = "waiting for an officer's answer"
    UNSENT = "decided, but the person does not have the answer yet"
    DONE = "answered"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


NEXT: Mapping[Standing, Act] = {
    Standing.PROOF: Act.IDENTITY_SHOWN,
    Standing.APPROVAL: Act.APPROVED,
    Standing.BY_HAND: Act.STEP,
    Standing.ANSWER: Act.DONE,
    Standing.UNSENT: Act.TOLD,
}


def standing_of(request: Request, *, has_hooks: bool) -> Standing:
    """Return what a request waits for, or how it ended."""
    if request.answer_pending:
        return Standing.UNSENT
    if not request.may_change:
        return Standing[request.state.name]
    if request.state is State.IDENTITY:
        return Standing.PROOF
    if needs_approval(request):
        return Standing.APPROVAL
    if by_hand(request.open_steps, has_hooks=has_hooks):
        return Standing.BY_HAND
    return Standing.COOKIEGUARD if request.open_steps else Standing.ANSWER


def in_words(request: Request, now: datetime, *, has_hooks: bool) -> str:
    """Return the standing of a request in words, with its manual steps and the last day of a hold."""
    words = standing_of(request, has_hooks=has_hooks).value
    if words == Standing.BY_HAND:
        steps = by_hand(request.open_steps, has_hooks=has_hooks)
        words += f": {', '.join(BY_HAND.get(step, step) for step in steps)}"
    until = request.held_until if request.may_change else None
    return words if until is None or request.end_of(until) <= now else f"{words}; on hold until {until}"


def next_act(request: Request, member: Member, *, has_hooks: bool) -> Act | None:
    """Return the act that a member does next; None if a worker or another member must act first."""
    act = NEXT.get(standing_of(request, has_hooks=has_hooks))
    is_first = act is Act.APPROVED and person_of(member.name) == person_of(request.entered_by)
    return act if act is not None and member.may(DUTIES[act]) and not is_first else None


def is_readable(request: Request, now: datetime, *, has_hooks: bool) -> bool:
    """Return whether an officer may read the copy that answers a request, before it is sent."""
    until, is_copy = request.held_until, request.kind is RequestKind.EXPORT and bool(request.customer)
    is_held = until is not None and request.end_of(until) > now
    return is_copy and has_hooks and request.may_change and not (is_held or must_wait(request))


def must_wait(request: Request) -> bool:
    """Return whether no step may be done yet: the identity is in doubt, or an erasure is not approved."""
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
