"""A page of ours below the prefix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.responses import Response

from cookieguard.web.exchange import Exchange

READ = ("GET", "HEAD")
READ_AND_POST = (*READ, "POST")
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
