"""What the shop's people do to a request, on their page and by command: which role an act takes, and steps by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cookieguard.rights.plan import by_hand
from cookieguard.rights.requests import Act, Request, RequestRefused, step_done

SUPPORT, OFFICER = "support", "officer"
LOOK = SUPPORT  # to see whose request it is
ENTER = SUPPORT
KNOWN, IN_DOUBT = "known", "in-doubt"
# Whether it is known who wrote what is entered: whoever enters it says so, there is no default
WHO = (KNOWN, IN_DOUBT)
DUTIES: Mapping[Act, str] = {
    Act.STEP: SUPPORT,
    Act.NOTE: SUPPORT,
    Act.IDENTITY_ASKED: SUPPORT,
    Act.IDENTITY_SHOWN: SUPPORT,
    Act.EXTENDED: OFFICER,
    Act.HELD: OFFICER,
    Act.DONE: OFFICER,
    Act.REFUSED: OFFICER,
    Act.TOLD: OFFICER,
}
"""The role that an act takes: support looks after requests, an officer decides them."""


def done_by_hand(
    request: Request, name: str, *, has_hooks: bool, now: datetime, by: str, text: str = ""
) -> Request:
    """Return the request with a step done by hand; raises RequestRefused for one that a worker does."""
    waits = by_hand(request.open_steps, has_hooks=has_hooks)
    if name not in waits and name not in request.done_steps:
        raise RequestRefused(f"step is {name[:80]!r}; allowed: {', '.join(waits) or 'none is left for you'}")
    return step_done(request, name, now=now, by=by, text=text)
