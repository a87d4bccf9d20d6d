"""Decides which purposes a visitor's consent covers for one request, and turns a posted choice into a receipt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from cookieguard.config.policy import PolicyVersion
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.receipts import Receipt, Source, from_payload, new_receipt_id
from cookieguard.consent.terms import Matters, News, Terms, matter_of
from cookieguard.consent.vendors import REFUSED, WITHOUT
from cookieguard.errors import CookieGuardError

NOTHING_BEYOND = frozenset({NECESSARY})
CHOICES = ("accept", "reject", "save")
# Browsers read two slashes, or a slash and a backslash, as the start of another host. They remove some control
# characters, which could leave one of these behind.
LOCAL_PATH = re.compile(r"/(?![/\\])[^\x00-\x1f\x7f]*")
MAX_PATH_BYTES = 2048
SAID_FOR = timedelta(seconds=10)  # only the page right after a choice says that the choice was saved
# Characters that stay unchanged in a path with its query (RFC 3986); others, such as non-ASCII, are percent-encoded.
PATH_CHARACTERS = "!$&'()*+,/:;=?@[]~%#-._"
# A path without any character that would be percent-encoded.
PLAIN_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9!$&'()*+,/:;=?@\[\]~%#._-]*")


class State(StrEnum):
    """What a visitor decided, in one word."""

    UNDECIDED = "undecided"
    REFUSED = "refused"
    PARTLY = "partly"
    ALL = "all"


class ChoiceError(CookieGuardError):
    """Say that a posted choice is none of `accept`, `reject`, `save`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The consent in force for this request.

    `granted` always contains "necessary". `gpc` says that the browser sent Sec-GPC: 1 with this request. `receipt` is
    the choice that counts, or None while undecided. If the signal overrules a grant, the state is undecided and
    `is_overruled` is set, until the visitor chooses while the signal is on.
    """

    granted: frozenset[str] = NOTHING_BEYOND
    state: State = State.UNDECIDED
    gpc: bool = False
    is_overruled: bool = False
    receipt: Receipt | None = None
    has_question: bool = True
    """Whether the shop has a purpose that needs consent."""
    kept: frozenset[str] = frozenset()
    """Exceptions to `granted`, as entries of `Register`: vendors held although their purpose is granted, or REFUSED."""
    is_asked_anew: bool = False
    """Whether a granted purpose has a new vendor, which is held until the visitor answers the banner again."""
    in_force: frozenset[str] = field(init=False, compare=False, repr=False)
    """`granted` and `kept` together: all that decides which hosts are held."""
    asks: bool = field(init=False, compare=False, repr=False)
    """Whether the banner is shown: the visitor has not decided, and sends no signal that decides for them."""
    look: tuple[State, bool, bool, Source, bool, bool] = field(init=False, compare=False, repr=False)
    """All fields that change what a page shows, except what is granted."""

    def __post_init__(self) -> None:
        source = self.receipt.source if self.receipt else Source.HERE
        object.__setattr__(self, "in_force", self.granted | self.kept if self.kept else self.granted)
        is_waiting = self.receipt is not None and self.receipt.is_waiting
        # Computed once, because every page reads them and one Consent serves many requests.
        is_open = self.state is State.UNDECIDED and not self.gpc
        object.__setattr__(self, "asks", self.has_question and (is_open or self.is_asked_anew))
        look = (self.state, self.gpc, self.is_overruled, source, is_waiting, self.is_asked_anew)
        object.__setattr__(self, "look", look)

    @property
    def is_beyond_necessary(self) -> bool:
        """Return whether the visitor granted a purpose that can be withdrawn."""
        return len(self.granted) > 1

    @property
    def decided(self) -> datetime | None:
        """Return when the choice in force was made."""
        return self.receipt.decided if self.receipt else None

    @property
    def policy_version(self) -> str:
        """Return the policy version that the choice was made under, or an empty string while undecided."""
        return self.receipt.policy_version if self.receipt else ""

    @property
    def source(self) -> Source:
        """Return where the choice in force comes from: this browser, or the customer's account."""
        return self.look[3]

    @property
    def is_waiting(self) -> bool:
        """Return whether a grant is still being written into the log; it counts once it is there."""
        return self.look[4]

    @property
    def receipt_id(self) -> str:
        """Return the id of the receipt in force, or an empty string while undecided."""
        return self.receipt.id if self.receipt else ""

    @property
    def stamp(self) -> str:
        """Return a short hash of the consent in force, by which a page finds out later whether it is out of date."""
        return blake2b(" ".join(sorted(self.in_force)).encode(), digest_size=6).hexdigest()

    def is_new(self, now: datetime) -> bool:
        """Return whether the choice in force was made a moment ago, so that the page says that it was saved."""
        return self.receipt is not None and now - self.receipt.decided < SAID_FOR

    def has(self, purpose: str) -> bool:
        """Return whether `purpose` is granted."""
        return purpose in self.granted


def decide(
    payload: Mapping[str, Any] | None,
    *,
    gpc: bool,
    policy: PolicyVersion,
    purposes: frozenset[str],
    now: datetime,
    known: frozenset[str] = frozenset(),
    matters: Matters | None = None,
    news: News | None = None,
) -> Consent:
    """Return the consent in force, from the consent cookie's payload (None without a valid cookie) and the request.

    The state is undecided if the cookie names another policy version than the one in force, or if something was granted
    and the purposes changed. `purposes` are those that visitors are asked about, and `known` includes those that no
    vendor uses. With `matters`, a receipt counts as long as what mattered in its grants is the same, whatever the
    policy's version, so the visitor is not asked again after a change of wording or of a refused purpose. Vendors in
    `news` that are newer than the choice are held, and the banner asks about them. Sec-GPC overrules a grant made
    without it (CCPA regulations 7025), but is not stored.
    """
    receipt, late = from_payload(payload), frozenset[str]()
    if receipt is not None and news:
        newer = {name: purpose for name, (purpose, mark) in news.items() if mark > receipt.listed}
        late = frozenset(newer.values()) - receipt.granted - receipt.refused  # not asked about at that time
    if receipt is None or not (
        _has_answered(receipt, purposes - late, known | purposes)
        and _is_in_force(receipt, policy, now, matters)
    ):
        return Consent(gpc=gpc, has_question=len(purposes) > 1)
    granted = receipt.in_force | NOTHING_BEYOND
    if gpc and not receipt.gpc and granted != NOTHING_BEYOND:
        return Consent(gpc=True, is_overruled=True)
    kept = frozenset() if receipt.refused <= purposes else frozenset({REFUSED})
    new = {f"{WITHOUT}{name}" for name, purpose in newer.items() if purpose in granted} if news else set()
    return Consent(
        granted=granted,
        state=state_of(granted, purposes),
        gpc=gpc,
        receipt=receipt,
        kept=kept | new,
        is_asked_anew=bool(new or late & purposes) and granted != NOTHING_BEYOND,
    )


def state_of(granted: frozenset[str], purposes: frozenset[str]) -> State:
    """Return the state of a choice that was made."""
    if granted <= NOTHING_BEYOND:
        return State.REFUSED
    return State.ALL if granted >= purposes else State.PARTLY


def choose(choice: str, ticked: Iterable[str], purposes: frozenset[str]) -> frozenset[str]:
    """Return the purposes that a posted choice grants, without those that the shop no longer has (a stale page).

    Raises ChoiceError for an unknown choice.
    """
    if choice not in CHOICES:
        raise ChoiceError(f"choice is {choice[:40]!r}; allowed: {', '.join(CHOICES)}")
    chosen = {"accept": purposes, "reject": frozenset(), "save": purposes & frozenset(ticked)}[choice]
    return chosen | NOTHING_BEYOND


def write_receipt(
    granted: frozenset[str],
    *,
    purposes: frozenset[str],
    policy: PolicyVersion,
    banner: str,
    gpc: bool,
    now: datetime,
    terms: Terms | None = None,
    subject: str = "",
    listed: int = 0,
) -> Receipt:
    """Return the receipt of a choice just made. `to_payload(receipt)` is the content of the cookie."""
    return Receipt(
        id=new_receipt_id(),
        policy_version=version_at(policy, now) if terms is None else terms.version,
        text="" if terms is None else terms.text,
        matter="" if terms is None else matter_of(granted, terms.matters),
        banner=banner,
        granted=granted | NOTHING_BEYOND,
        refused=purposes - granted - NOTHING_BEYOND,
        decided=now.replace(microsecond=0),
        gpc=gpc,
        subject=subject,
        listed=listed,
    )


def local_path(next_: str) -> str:
    """Return `next_` as a path on this host, safe for a Location header, or `/` if it is not one."""
    if PLAIN_PATH.fullmatch(next_):
        return next_ if len(next_) <= MAX_PATH_BYTES else "/"
    if not LOCAL_PATH.fullmatch(next_):
        return "/"
    path = quote(next_, safe=PATH_CHARACTERS, errors="replace")
    return path if len(path) <= MAX_PATH_BYTES else "/"


def version_at(policy: PolicyVersion, now: datetime) -> str:
    """Return the policy version that a choice is made under: an announced version counts from its first day."""
    return f"before-{policy.version}" if is_announced_only(policy, now) else policy.version


def is_announced_only(policy: PolicyVersion, now: datetime) -> bool:
    """Return whether a version is announced but not yet in effect, so that earlier choices still count."""
    return policy.effective is not None and now.date() < policy.effective


def _has_answered(receipt: Receipt, purposes: frozenset[str], known: frozenset[str]) -> bool:
    """Return whether the choice answered all of today's purposes and no unknown one; a full refusal always counts."""
    answered = receipt.granted | receipt.refused
    return receipt.granted <= NOTHING_BEYOND or purposes - NOTHING_BEYOND <= answered <= known


def _is_in_force(receipt: Receipt, policy: PolicyVersion, now: datetime, matters: Matters | None) -> bool:
    if matters is not None and receipt.matter:
        return receipt.matter == matter_of(receipt.granted, matters)
    return receipt.policy_version == policy.version or is_announced_only(policy, now)
