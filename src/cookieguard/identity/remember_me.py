"""Being remembered: a series of numbers that one browser holds, each good for one use, so that a copy shows itself.

Rule: values and their transitions, no more. An engine keeps the series, the middleware asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.tokens import Token, to_milliseconds

# Requests that left with the old number before the answer with the new one came: tabs that open together.
IN_FLIGHT = timedelta(seconds=60)
# An answer that nobody was seen to have by then never arrived; a slower one would look like a copy.
LOST_AFTER = timedelta(minutes=10)
COPY_USED = "remember-me copy used elsewhere"
SHAPE: tuple[tuple[str, type], ...] = (
    ("c", str),
    ("a", int),
    ("e", int),
    ("n", int),
    ("p", int),
    ("r", int),
    ("s", bool),
)


class Outcome(StrEnum):
    """Name what becomes of a number that is presented."""

    GOOD = "good"
    OVER = "ended"
    COPY = "used elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Hold what the store knows of one remembered browser. Times in milliseconds."""

    customer: str
    authenticated: int
    """When the customer logged in; a remembered login is none."""
    ends: int
    """The end that no use postpones."""
    current: int = 1
    previous: int = 0
    """The last number that was presented: it counts until the browser is seen to have a newer one."""
    rotated: int = 0
    """When the current number was made."""
    is_seen: bool = False
    """The current number was seen to have arrived."""

    def encode(self) -> bytes:
        """Write the series for the store."""
        return jsontext.encode(
            {
                "c": self.customer,
                "a": self.authenticated,
                "e": self.ends,
                "n": self.current,
                "p": self.previous,
                "r": self.rotated,
                "s": self.is_seen,
            }
        )


def series_of(value: bytes) -> Series | None:
    """Read a series; None for what is none."""
    try:
        payload = jsontext.decode(value)
    except ValueError:
        return None
    if any(type(payload.get(name)) is not kind for name, kind in SHAPE):
        return None
    return Series(
        customer=payload["c"],
        authenticated=payload["a"],
        ends=payload["e"],
        current=payload["n"],
        previous=payload["p"],
        rotated=payload["r"],
        is_seen=payload["s"],
    )


def use(series: Series, number: int, *, now: datetime) -> tuple[Outcome, Series]:
    """Let a browser in for a number; where it is good the browser gets the current number of what is returned.

    The one before the current counts as well while it is in flight, or while nobody was seen with the current:
    then the answer was lost, and after a while another takes its place, so that who has it after all shows.
    """
    moment = to_milliseconds(now)
    if number == series.current:
        rotated = replace(series, current=number + 1, previous=number, rotated=moment, is_seen=False)
        return _in_time(rotated, moment)
    if number == series.previous and (_is_since(series, moment, IN_FLIGHT) or not series.is_seen):
        if not series.is_seen and not _is_since(series, moment, LOST_AFTER):
            series = replace(series, current=series.current + 1, rotated=moment)
        return _in_time(series, moment)
    return _unexpected(series, number)


def see(series: Series, number: int, *, now: datetime) -> tuple[Outcome, Series]:
    """Note that a browser came with the session that it got together with this number."""
    moment = to_milliseconds(now)
    if number == series.current:
        return _in_time(series if series.is_seen else replace(series, is_seen=True), moment)
    if number == series.previous and _is_since(series, moment, IN_FLIGHT):
        return _in_time(series, moment)
    return _unexpected(series, number)


def _in_time(series: Series, moment: int) -> tuple[Outcome, Series]:
    return (Outcome.OVER if series.ends <= moment else Outcome.GOOD), series


def _unexpected(series: Series, number: int) -> tuple[Outcome, Series]:
    # A number that is yet to come was given by a store of which this one is an older copy: no theft.
    return (Outcome.OVER if number > series.current else Outcome.COPY), series


def _is_since(series: Series, moment: int, span: timedelta) -> bool:
    return moment - series.rotated < span // timedelta(milliseconds=1)


class RememberToken(NamedTuple):
    """Hold what the cookie says: a number of a series, and whose it is."""

    series: str
    number: int
    customer: str
    ends: int

    def encode(self) -> bytes:
        """Write the payload of the cookie."""
        return jsontext.encode({"s": self.series, "n": self.number, "c": self.customer, "e": self.ends})


def remember_token_of(token: Token) -> RememberToken:
    """Read a token; TypeError or KeyError for what is none."""
    payload = token.payload
    found = RememberToken(payload["s"], payload["n"], payload["c"], payload["e"])
    if [type(one) for one in found] != [str, int, str, int]:
        raise TypeError("remember token")
    return found


class Link(NamedTuple):
    """Tie a session to the series that it began, or was born of: it ends with it."""

    series: str
    unseen: int = 0
    """The number that came with this session, until the browser is seen to have both; 0 from then on."""
    is_remembered: bool = False
    """Nobody typed a password for this session."""


def link_of(value: Any) -> Link | None:
    """Read a link from a session's payload; TypeError for what is none."""
    if value is None:
        return None
    link = Link(*value)
    if [type(one) for one in link] != [str, int, bool]:
        raise TypeError("link")
    return link


class SecurityWarning(NamedTuple):
    """Tell a customer what happened, and when."""

    what: str
    at: datetime


@dataclass(slots=True)
class RememberState:
    """Hold what one request makes of being remembered. Owned by its session; the middleware tells the store."""

    is_news: bool = False
    is_wanted: bool = False
    """A login asked to be remembered."""
    has_logged_in: bool = False
    left: list[str] = field(default_factory=list)
    """The series to forget."""
    shown: int | None = None
    """The warning that the app took over."""
    token: RememberToken | None = None
    """What the browser is to have in its cookie."""
    is_over: bool = False
    """The browser's cookie is to go."""
