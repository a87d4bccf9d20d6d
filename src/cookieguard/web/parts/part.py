"""A part is what a capability runs in a worker; its pages are below the prefix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from cookieguard.web.exchange import Exchange

READ = ("GET", "HEAD")
READ_AND_POST = (*READ, "POST")
STAFF_PAGE, OVERVIEW_PAGE = "staff", "overview"  # where staff sign in, and what they see first
Answer = Callable[[Exchange, Any], Awaitable[Response]]  # the second argument is the ASGI `receive`


class Page(NamedTuple):
    """Describe a page: its name below the prefix, its methods, and what answers.

    A page of staff has a role, and the title by which the other pages of staff link to it.
    """

    name: str
    methods: tuple[str, ...]
    answer: Answer
    role: str = ""
    title: str = ""


class Part:
    """Serve pages, and own threads and connections; each member does nothing by default."""

    pages: Sequence[Page] = ()

    def begin(self) -> None:
        """Start threads: with the lifespan, or after the first request; again after `close`."""

    def look(self, now: datetime) -> None:
        """Read files that may have changed, so that no request waits for them: in a thread, about once a second."""

    def close(self, deadline: float) -> None:
        """Write what is queued and end the threads by then, a time of `runtime.clock.seconds`."""
