"""Add a person's request to the queue; asking twice for the same returns the open request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from cookieguard.config import Config
from cookieguard.features.records.values.records import new_id
from cookieguard.features.rights.requests import Requests
from cookieguard.features.rights.values.by_staff import needs_approval
from cookieguard.features.rights.values.plan import BY_WORDS, steps_of
from cookieguard.features.rights.values.requests import (
    LONGEST_NAME,
    PERSON,
    Act,
    Request,
    RequestRefused,
    Via,
    clean,
    noted,
)
from cookieguard.features.rights.values.rules import Law, RequestKind

LONGEST_LANGUAGE = 20
OLDEST = timedelta(days=3_660)  # an earlier day of receipt is taken for a typing error
MOST_OPEN = 20  # undecided requests of one person; the next one is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """Hold what a person asks for, who they are, and how they were identified."""

    kind: RequestKind
    via: Via
    customer: str = ""
    contact: str = ""
    text: str = ""
    language: str = ""
    entered_by: str = ""
    policy: str = ""
    in_doubt: bool = False
    """Whether the person's identity is in doubt; no step is done until they prove it."""
    law: Law | None = None
    received: datetime | None = None
    """When the shop received it; None means now."""


def ask(queue: Requests, config: Config, asking: NewRequest, *, now: datetime) -> tuple[Request, bool]:
    """Add a request unless the same is open; return it, and whether it is new. Raises RequestRefused, QueueDown."""
    # A login's number stays unchanged: a database may pad it with spaces, and without them it is another number.
    number = clean(asking.customer, LONGEST_NAME) if asking.via is Via.STAFF else asking.customer
    contact, text = clean(asking.contact, LONGEST_NAME), clean(asking.text)
    if asking.kind in BY_WORDS and not text:
        raise RequestRefused(
            f"{asking.kind} needs words: what is to be corrected, or what the person objects to"
        )
    received = asking.received or now
    if received < now - OLDEST:
        raise RequestRefused(f"the day received is {received.date()}; allowed: a day in the last ten years")
    known = queue.of_customer(number) if number else queue.of_contact(contact)
    undecided = [request for request in known if request.may_change]
    alike = [request for request in undecided if request.kind is asking.kind and request.text == text]
    # An identified person gets a request of their own: an open letter, which anybody may have sent, must not delay it.
    same = next((old for old in alike if asking.via is Via.STAFF or old.via is not Via.STAFF), None)
    if same is None and len(undecided) >= MOST_OPEN:
        raise RequestRefused(f"this person has {len(undecided)} open requests; allowed: at most {MOST_OPEN}")
    if same is not None:
        return same, False
    request = Request(
        id=new_id(),
        kind=asking.kind,
        law=asking.law or Law(config.rights.law),
        received=received,
        via=asking.via,
        customer=number,
        contact=contact,
        language=asking.language[:LONGEST_LANGUAGE],
        text=text,
        entered_by=clean(asking.entered_by, LONGEST_NAME),
        policy=asking.policy,
        zone=config.rights.time_zone,
        # Neither the hooks nor our store know a person without a number, so staff do the work.
        steps=steps_of(asking.kind, config) if number else ("by hand",),
    )
    if asking.in_doubt:
        request = noted(request, Act.IDENTITY_ASKED, now=now, by=asking.entered_by)
    queue.add(request, has_work=True)
    if asking.via is not Via.STAFF and number:
        _confirm(queue, alike, now)
    return request, True


def _confirm(queue: Requests, entered: Sequence[Request], now: datetime) -> None:
    """Approve the erasures that staff entered for a customer who now asks themselves."""
    for request in filter(needs_approval, entered):
        text = "the customer asked for it themselves"
        queue.change(request.id, partial(noted, act=Act.APPROVED, now=now, by=PERSON, text=text))
        queue.queue.wake(request.id)
