"""The receipt of a visitor's choice, and its form in the consent cookie."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

PAYLOAD_VERSION = 1
# The names are short because the cookie is sent with every request: version, granted, refused, policy, banner, receipt,
# time, gpc, pending. These are written only if they have a value: origin if it is not this browser (`o`), hash of the
# policy's text (`h`), what mattered (`m`), subject in the log (`u`), what counts until the log has the record (`q`),
# mark of the newest vendor that was listed (`l`).
MEMBERS = {"v": int, "g": list, "x": list, "p": str, "b": str, "r": str, "t": int, "s": int, "n": int}
# The largest time that a datetime can hold: fromtimestamp raises for later ones.
LATEST = 253_402_300_799


class Source(StrEnum):
    """Where a choice comes from: made in this browser, or stored with the customer number."""

    HERE = ""
    PROFILE = "profile"
    """The customer refused on another device."""
    SIGNAL = "signal"
    """Another device of the customer sends Global Privacy Control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Record one choice: when it was made, to which text, and which purposes it granted and refused.

    `banner` is the hash of the wording shown, or empty if there was none, as with a one-click withdrawal. `gpc` says
    whether the browser sent Sec-GPC: 1 with the choice. `pending` says that the log does not have the record yet; until
    then only `meanwhile` counts of what was granted. `subject` names the browser in the log.
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
    """The digest of the policy's text in force; empty if the shop serves the policy itself."""
    matter: str = ""
    """The digest of what mattered in the granted purposes (see `terms`); empty if only the version counts."""
    subject: str = ""
    meanwhile: frozenset[str] | None = None
    listed: int = 0
    """The mark of the last console change in the list of vendors that the visitor saw; 0 before the first change."""

    @property
    def in_force(self) -> frozenset[str]:
        """Return the granted purposes that count now."""
        return self.meanwhile if self.pending and self.meanwhile is not None else self.granted

    @property
    def is_waiting(self) -> bool:
        """Return whether a granted purpose does not count yet."""
        return bool(self.granted - self.in_force)


def new_receipt_id() -> str:
    """Return an id of 128 random bits, in 22 characters that are safe in a URL."""
    return secrets.token_urlsafe(16)


def to_payload(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as the consent cookie's payload."""
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
    """Return a payload's receipt, or None if it is not well-formed: a payload in doubt is not consent."""
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
        and all(isinstance(purpose, str) for purpose in purposes)
        and 0 <= payload["t"] <= LATEST
        and payload.get("o", "") in list(Source)
        and all(type(payload.get(name, "")) is str for name in ("h", "m"))
        and type(payload.get("l", 0)) is int
    )
