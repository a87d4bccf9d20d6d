"""What is kept of one choice: the receipt, and how it travels in the consent cookie."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

PAYLOAD_VERSION = 1
# Short names, since they travel with every request: version, granted, refused, policy, banner, receipt,
# time, gpc, pending; the rest only where there is something to say: origin (`o`) where it is not this browser, hash of
# the policy's text (`h`), what mattered (`m`), the subject in the log (`u`), what counts until the log has it (`q`),
# the last new vendor that was listed (`l`).
MEMBERS = {"v": int, "g": list, "x": list, "p": str, "b": str, "r": str, "t": int, "s": int, "n": int}
# The largest time a datetime holds; an attacker-free limit that keeps fromtimestamp from raising.
LATEST = 253_402_300_799


class Source(StrEnum):
    """Name where a choice comes from: made in this browser, or kept with the customer number."""

    HERE = ""
    PROFILE = "profile"
    """Refused on another device."""
    SIGNAL = "signal"
    """Another device sends Global Privacy Control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Record one choice: to which text, when, what was granted and what refused.

    `banner` is the hash of the wording shown (empty where none was, as with a one-click withdrawal); `gpc`
    says whether the browser sent Sec-GPC: 1 with the choice; `pending` that the log does not have it yet: until then
    only `meanwhile` counts of what was granted. `subject` names the browser in the log.
    """

    id: str
    policy_version: str
    banner: str
    granted: frozenset[str]
    refused: frozenset[str]
    decided: datetime
    gpc: bool = False
    pending: bool = False
    source: Source = Source.HERE
    text: str = ""
    """The digest of the policy's text in force; empty where the shop serves its own."""
    matter: str = ""
    """What mattered in what was granted (see `terms`); empty where the version alone decides."""
    subject: str = ""
    meanwhile: frozenset[str] | None = None
    listed: int = 0
    """The mark of the last change in the console that the visitor's list of vendors had; 0 before the first one."""

    @property
    def in_force(self) -> frozenset[str]:
        """What counts now of what was granted."""
        return self.meanwhile if self.pending and self.meanwhile is not None else self.granted

    @property
    def is_waiting(self) -> bool:
        """Return whether something that was granted does not count yet."""
        return bool(self.granted - self.in_force)


def new_receipt_id() -> str:
    """Make an id of 128 random bits, 22 characters that are safe in a URL."""
    return secrets.token_urlsafe(16)


def to_payload(receipt: Receipt) -> dict[str, Any]:
    """Write a receipt as the consent cookie's payload."""
    payload: dict[str, Any] = {
        "v": PAYLOAD_VERSION,
        "g": sorted(receipt.granted),
        "x": sorted(receipt.refused),
        "p": receipt.policy_version,
        "b": receipt.banner,
        "r": receipt.id,
        "t": int(receipt.decided.timestamp()),
        "s": int(receipt.gpc),
        "n": int(receipt.pending),
    }
    more: dict[str, Any] = {"o": receipt.source.value, "h": receipt.text, "m": receipt.matter}
    more |= {"u": receipt.subject, "l": receipt.listed}
    payload |= {name: value for name, value in more.items() if value}
    if receipt.pending and receipt.meanwhile is not None:
        payload["q"] = sorted(receipt.meanwhile)
    return payload


def from_payload(payload: Mapping[str, Any] | None) -> Receipt | None:
    """Read a payload back; None for anything this version did not write, since a doubt is no consent."""
    if payload is None or not _is_well_formed(payload):
        return None
    return Receipt(
        id=payload["r"],
        policy_version=payload["p"],
        banner=payload["b"],
        granted=frozenset(payload["g"]),
        refused=frozenset(payload["x"]),
        decided=datetime.fromtimestamp(payload["t"], UTC),
        gpc=bool(payload["s"]),
        pending=bool(payload["n"]),
        source=Source(payload.get("o", "")),
        text=payload.get("h", ""),
        matter=payload.get("m", ""),
        subject=payload.get("u", ""),
        meanwhile=frozenset(payload["q"]) if "q" in payload else None,
        listed=payload.get("l", 0),
    )


def _is_well_formed(payload: Mapping[str, Any]) -> bool:
    if any(type(payload.get(name)) is not kind for name, kind in MEMBERS.items()):
        return False
    meanwhile, subject = payload.get("q", []), payload.get("u", "")
    if type(meanwhile) is not list or type(subject) is not str:
        return False
    purposes = [*payload["g"], *payload["x"], *meanwhile]
    return (
        payload["v"] == PAYLOAD_VERSION
        and all(isinstance(one, str) for one in purposes)
        and 0 <= payload["t"] <= LATEST
        and payload.get("o", "") in list(Source)
        and all(type(payload.get(name, "")) is str for name in ("h", "m"))
        and type(payload.get("l", 0)) is int
    )
