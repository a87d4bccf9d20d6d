"""Put a request into the queue: whoever asks twice for the same gets the one that is open."""

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
OLDEST = timedelta(days=3_660)  # of what comes in: more is a slip of the pen
MOST_OPEN = 20  # of one person: who asks more often is answered by the first ones


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """Hold what is asked, by whom, and how it is known who that is."""

    kind: RequestKind
    via: Via
    customer: str = ""
    contact: str = ""
    text: str = ""
    language: str = ""
    entered_by: str = ""
    policy: str = ""
    in_doubt: bool = False
    """Whether it is in doubt who asks: nothing is done before the person showed it."""
    law: Law | None = None
    received: datetime | None = None
    """When it came in; None for now."""


def ask(queue: Requests, config: Config, asking: NewRequest, *, now: datetime) -> tuple[Request, bool]:
    """Add a request, and return it; the second value says whether it is new. Raises RequestRefused, QueueDown."""
    # A login's number is taken as it is: one with spaces behind it, as databases pad them, is another one without.
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
    still = [one for one in known if one.may_change]
    alike = [one for one in still if one.kind is asking.kind and one.text == text]
    # Who showed who they are has a request of their own: a letter that anybody may have written does not hold it up.
    same = next((one for one in alike if asking.via is Via.STAFF or one.via is not Via.STAFF), None)
    if same is None and len(still) >= MOST_OPEN:
        raise RequestRefused(f"this person has {len(still)} open requests; allowed: at most {MOST_OPEN}")
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
        # Who has no number is known to no hook and to no store of ours: staff answer.
        steps=steps_of(asking.kind, config) if number else ("by hand",),
    )
    if asking.in_doubt:
        request = noted(request, Act.IDENTITY_ASKED, now=now, by=asking.entered_by)
    queue.add(request, has_work=True)
    if asking.via is not Via.STAFF and number:
        _confirm(queue, alike, now)
    return request, True


def _confirm(queue: Requests, entered: Sequence[Request], now: datetime) -> None:
    """Have the customer's own request approve erasures that staff entered for them."""
    for request in filter(needs_approval, entered):
        text = "the customer asked for it themselves"
        queue.change(request.id, partial(noted, act=Act.APPROVED, now=now, by=PERSON, text=text))
        queue.queue.wake(request.id)
