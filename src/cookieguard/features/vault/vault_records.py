"""Risk events with their address sealed to a key of the day: whoever writes one cannot read it.

Day, hour, event and id are authenticated with the sealed box.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from cookieguard.stats.sealed_box import open_sealed, seal_box

LONGEST_DETAIL = 200
PADDED_TO = 512  # bytes: the length of a box tells neither the family of an address nor a customer number
USE = b"cookieguard vault 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Hold an event before it is sealed; never written, never in a repr."""

    event: str
    id: str
    time: datetime
    address: str = field(repr=False)
    customer: str | None = field(default=None, repr=False)
    detail: str = field(default="", repr=False)

    @property
    def day(self) -> date:
        """The UTC day whose key seals it."""
        return self.time.astimezone(UTC).date()


def seal(risk: Risk, public: bytes) -> bytes:
    """Write an event as one JSON line; in the clear are day, hour, event and id alone. About 73 us."""
    facts = {"address": risk.address, "customer": risk.customer, "detail": risk.detail[:LONGEST_DETAIL]}
    text = json.dumps(facts).encode()
    text += b" " * (-len(text) % PADDED_TO)
    head = {
        "day": str(risk.day),
        "hour": risk.time.astimezone(UTC).hour,
        "event": risk.event,
        "id": risk.id,
    }
    box = seal_box(text, public, about=_about(head), use=USE)
    return json.dumps(head | {"box": base64.b64encode(box).decode()}).encode() + b"\n"


def open_box(line: dict[str, Any], private: bytes) -> dict[str, Any]:
    """Return address, customer and detail; raises ValueError for another key or a changed line."""
    box = base64.b64decode(line["box"], validate=True)
    facts: dict[str, Any] = json.loads(open_sealed(box, private, about=_about(line), use=USE))
    return facts


def _about(line: dict[str, Any]) -> bytes:
    return json.dumps([line["day"], line["hour"], line["event"], line["id"]]).encode()
