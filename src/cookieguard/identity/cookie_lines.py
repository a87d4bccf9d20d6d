"""A Set-Cookie line of the app's, taken apart as browsers do (RFC 6265 5.2): name, value, attributes, its end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

BLANKS = b" \t"
AGE = re.compile(rb"-?[0-9]+")
AGE_DIGITS = 10  # 300 years: what is longer is cut by whoever uses it
ENDING = frozenset({b"max-age", b"expires"})


@dataclass(frozen=True, slots=True)
class CookieLine:
    """Hold one line. `attributes` are all there were, `lasting` those that do not say when it ends."""

    name: bytes
    value: bytes
    attributes: bytes
    lasting: bytes
    ends: datetime | None
    """None for one that ends with the browser."""


def read_line(line: bytes, now: datetime) -> CookieLine:
    """Take a Set-Cookie header value apart; whatever it holds, there is an answer."""
    pair, semicolon, rest = line.partition(b";")
    name, _, value = pair.lstrip(b" \t=").partition(b"=")
    parts = rest.split(b";") if semicolon else []
    kept = [part for part in parts if _name_of(part) not in ENDING]
    return CookieLine(
        name=name.rstrip(BLANKS),
        value=value.strip(BLANKS),
        attributes=semicolon + rest,
        lasting=b"".join(b";" + part for part in kept),
        ends=_end(parts, now) if len(kept) < len(parts) else None,
    )


def _end(parts: list[bytes], now: datetime) -> datetime | None:
    """Find when a cookie ends: Max-Age before Expires, of several the last that can be read."""
    ages = [_value_of(part) for part in parts if _name_of(part) == b"max-age"]
    ages = [age for age in ages if AGE.fullmatch(age)]
    if ages:
        return now + timedelta(seconds=_seconds(ages[-1]))
    dates = [_date(_value_of(part)) for part in parts if _name_of(part) == b"expires"]
    dates = [date for date in dates if date is not None]
    return dates[-1] if dates else None


def _seconds(age: bytes) -> int:
    if age.startswith(b"-"):
        return 0
    return int(age) if len(age) <= AGE_DIGITS else 10**AGE_DIGITS - 1


def _date(text: bytes) -> datetime | None:
    found = parsedate_tz(text.decode("latin-1"))
    if found is None:
        return None
    try:
        return datetime(*found[:6], tzinfo=UTC) - timedelta(seconds=found[9] or 0)
    except (ValueError, OverflowError):
        return None


def _name_of(part: bytes) -> bytes:
    return part.partition(b"=")[0].strip(BLANKS).lower()


def _value_of(part: bytes) -> bytes:
    return part.partition(b"=")[2].strip(BLANKS)
