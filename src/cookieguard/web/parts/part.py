"""The base class of a part: what a capability, such as the consent log, runs in a worker, with its pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from cookieguard.web.exchange import Exchange

READ = ("GET", "HEAD")
READ_AND_POST = (*READ, "POST")
STAFF_PAGE, OVERVIEW_PAGE = "staff", "overview"  # the sign-in of staff, and the first page they see after it
Answer = Callable[[Exchange, Any], Awaitable[Response]]  # the second argument is the ASGI `receive`


class Page(NamedTuple):
    """Describe a page: its name below the prefix, its methods, and the function that answers.

    A staff page has a role, and the title with which other staff pages link to it.
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
        """Start threads, at the lifespan's startup or after the first request; may be called again after `close`."""

    def look(self, now: datetime) -> None:
        """Read files that may have changed; called in a thread about once a second, so that no request waits."""

    def close(self, deadline: float) -> None:
        """Write queued work and end the threads before `deadline`, a time of `runtime.clock.seconds`."""
