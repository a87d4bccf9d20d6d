"""A request as JSON, as a queue keeps it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any

from cookieguard.features.rights.values.requests import Act, Event, Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind


def dumps(request: Request) -> bytes:
    """Write a request as JSON."""
    return json.dumps(asdict(request), default=_plain, separators=(",", ":")).encode()


def loads(text: bytes) -> Request:
    """Read a request; raises ValueError for what is none."""
    try:
        read = json.loads(text)
        events = tuple(Event(**_read(Event, one)) for one in read.pop("events"))
        return Request(**_read(Request, read), events=events)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a stored request") from error


def _plain(value: object) -> str:
    if isinstance(value, date):  # a time is one too
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _read(cls: type[Event] | type[Request], read: dict[str, Any]) -> dict[str, Any]:
    known = {one.name for one in fields(cls)}
    return {
        name: READERS.get(name, lambda value: value)(value) for name, value in read.items() if name in known
    }


READERS: dict[str, Callable[[Any], Any]] = {
    "at": datetime.fromisoformat,
    "received": datetime.fromisoformat,
    "act": Act,
    "contact": lambda value: value or "",  # a hook's None: earlier releases wrote it as it came
    "language": lambda value: value or "",
    "kind": RequestKind,
    "law": Law,
    "via": Via,
    "let_in": lambda value: None if value is None else tuple(value),
    "steps": tuple,
    # A hook's time: as above.
    "until": lambda value: None if value is None else date.fromisoformat(value[:10]),
}
