"""Remember-me logins: each browser has a series of numbers for one use each, so that use of a copied cookie shows.

Rule: values and their transitions only. The store keeps the series, and the middleware reads and writes them there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.tokens import Token, to_milliseconds

# Tabs that open together send the old number before the response with the new one arrives.
IN_FLIGHT = timedelta(seconds=60)
# If no request has shown the new number by then, its response counts as lost. A later arrival looks like a copy.
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
    """The outcomes of presenting a number."""

    GOOD = "good"
    OVER = "ended"
    COPY = "used elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The store's record of one remembered browser. Times are in milliseconds."""

    customer: str
    authenticated: int
    """When the customer logged in with a password; remembered logins do not change it."""
    ends: int
    """The absolute end, which use does not postpone."""
    current: int = 1
    previous: int = 0
    """The number presented last. It is valid until a request shows that the browser has a newer one."""
    rotated: int = 0
    """When the current number was made."""
    is_seen: bool = False
    """Whether a request has shown that the browser received the current number."""

    def encode(self) -> bytes:
        """Return the store's value for this series."""
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
    """Return the series in a value from the store; None if the value is not one."""
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
    """Return the outcome of logging in with a number, and the changed series; send the browser its current number.

    The previous number is also good while requests with it may be in flight, and as long as no request has shown
    the current one, because that response may be lost. After LOST_AFTER another number replaces the current one,
    so that a later use of the lost number shows as a copy.
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
    """Return the outcome, and the series with the note that the browser has the session sent with this number."""
    moment = to_milliseconds(now)
    if number == series.current:
        return _in_time(series if series.is_seen else replace(series, is_seen=True), moment)
    if number == series.previous and _is_since(series, moment, IN_FLIGHT):
        return _in_time(series, moment)
    return _unexpected(series, number)


def _in_time(series: Series, moment: int) -> tuple[Outcome, Series]:
    return (Outcome.OVER if series.ends <= moment else Outcome.GOOD), series


def _unexpected(series: Series, number: int) -> tuple[Outcome, Series]:
    # A number above the current one is no theft: the store was restored from a backup older than the number.
    return (Outcome.OVER if number > series.current else Outcome.COPY), series


def _is_since(series: Series, moment: int, span: timedelta) -> bool:
    return moment - series.rotated < span // timedelta(milliseconds=1)


class RememberToken(NamedTuple):
    """The content of a remember-me cookie: a number of a series, and the customer."""

    series: str
    number: int
    customer: str
    ends: int

    def encode(self) -> bytes:
        """Return the payload of the cookie."""
        return jsontext.encode({"s": self.series, "n": self.number, "c": self.customer, "e": self.ends})


def remember_token_of(token: Token) -> RememberToken:
    """Return a token's remember-me content; TypeError or KeyError if it has another shape."""
    payload = token.payload
    found = RememberToken(payload["s"], payload["n"], payload["c"], payload["e"])
    if [type(part) for part in found] != [str, int, str, int]:
        raise TypeError("remember token")
    return found


class Link(NamedTuple):
    """The link of a session to the series that it began, or that began it. The session ends with the series."""

    series: str
    unseen: int = 0
    """The number sent with this session, until a request shows that both arrived; 0 from then on."""
    is_remembered: bool = False
    """Whether the remember-me cookie began this session, without a password."""


def link_of(value: Any) -> Link | None:
    """Return the link in a session's payload, None if there is none; TypeError if it has another shape."""
    if value is None:
        return None
    link = Link(*value)
    if [type(part) for part in link] != [str, int, bool]:
        raise TypeError("link")
    return link


class SecurityWarning(NamedTuple):
    """What to warn a customer of, and when it happened."""

    what: str
    at: datetime


@dataclass(slots=True)
class RememberState:
    """One request's changes to remember-me. Owned by its session; the middleware writes them to the store."""

    is_news: bool = False
    is_wanted: bool = False
    """Whether a login of this request asked to be remembered."""
    has_logged_in: bool = False
    left: list[str] = field(default_factory=list)
    """The series to forget."""
    shown: int | None = None
    """The time of the warning that the app has shown to the customer."""
    token: RememberToken | None = None
    """The content of the cookie that the browser gets."""
    is_over: bool = False
    """Whether to remove the browser's cookie."""
