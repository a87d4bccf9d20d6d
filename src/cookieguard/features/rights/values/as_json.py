"""Convert requests to the JSON that the queue stores, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any

from cookieguard.features.rights.values.requests import Act, Event, Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind


def dumps(request: Request) -> bytes:
    """Return a request as JSON."""
    return json.dumps(asdict(request), default=_plain, separators=(",", ":")).encode()


def loads(text: bytes) -> Request:
    """Return the request in a JSON text; raises ValueError if it contains none."""
    try:
        read = json.loads(text)
        events = tuple(Event(**_read(Event, row)) for row in read.pop("events"))
        return Request(**_read(Request, read), events=events)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a stored request") from error


def _plain(value: object) -> str:
    if isinstance(value, date):  # a datetime is a date too
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _read(cls: type[Event] | type[Request], read: dict[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(cls)}
    return {
        name: READERS.get(name, lambda value: value)(value) for name, value in read.items() if name in known
    }


READERS: dict[str, Callable[[Any], Any]] = {
    "at": datetime.fromisoformat,
    "received": datetime.fromisoformat,
    "act": Act,
    "contact": lambda value: value or "",  # earlier releases stored the None of a hook
    "language": lambda value: value or "",
    "kind": RequestKind,
    "law": Law,
    "via": Via,
    "let_in": lambda value: None if value is None else tuple(value),
    "steps": tuple,
    # Earlier releases stored the time of a hook, of which the day counts.
    "until": lambda value: None if value is None else date.fromisoformat(value[:10]),
}
