"""What a visitor agreed to, as it is in force for one request."""

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
# Two slashes or a slash and a backslash begin another host; a control character may vanish in a browser and
# leave one of these behind.
LOCAL_PATH = re.compile(r"/(?![/\\])[^\x00-\x1f\x7f]*")
MAX_PATH_BYTES = 2048
SAID_FOR = timedelta(seconds=10)  # a choice is said to be saved on the page that follows it, and on no other
# What stays as it is in a path with its query (RFC 3986); the rest, non-ASCII above all, is percent-encoded.
PATH_CHARACTERS = "!$&'()*+,/:;=?@[]~%#-._"
# Nothing in it that quoting changes
PLAIN_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9!$&'()*+,/:;=?@\[\]~%#._-]*")


class State(StrEnum):
    """Name what a visitor decided."""

    UNDECIDED = "undecided"
    REFUSED = "refused"
    PARTLY = "partly"
    ALL = "all"


class ChoiceError(CookieGuardError):
    """Say that a posted choice is none of `accept`, `reject`, `save`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Say what is in force for this request.

    `granted` always contains "necessary". `gpc`: the browser sent Sec-GPC: 1 with this request. `receipt` is
    the choice that counts, None while undecided. A grant the signal overrules leaves the state undecided,
    with `is_overruled` set, until the visitor chooses while the signal is on.
    """

    granted: frozenset[str] = NOTHING_BEYOND
    state: State = State.UNDECIDED
    gpc: bool = False
    is_overruled: bool = False
    receipt: Receipt | None = None
    has_question: bool = True
    """Whether there is a purpose to agree to."""
    kept: frozenset[str] = frozenset()
    """What is kept from the visitor all the same, in the words of `Register`: vendors, or what asks for everything."""
    is_asked_anew: bool = False
    """Whether a purpose that was agreed to has a new recipient: it is kept until the visitor answers once more."""
    in_force: frozenset[str] = field(init=False, compare=False, repr=False)
    """What walls are built from: what is granted, and what is kept all the same."""
    asks: bool = field(init=False, compare=False, repr=False)
    """Whether the banner is due: nothing decided, and no signal that answers for the visitor."""
    look: tuple[State, bool, bool, Source, bool, bool] = field(init=False, compare=False, repr=False)
    """All of it that a page shows, beside what is granted."""

    def __post_init__(self) -> None:
        source = self.receipt.source if self.receipt else Source.HERE
        object.__setattr__(self, "in_force", self.granted | self.kept if self.kept else self.granted)
        is_waiting = self.receipt is not None and self.receipt.is_waiting
        # Asked for with every page, so made once: an answer is given to many requests.
        is_open = self.state is State.UNDECIDED and not self.gpc
        object.__setattr__(self, "asks", self.has_question and (is_open or self.is_asked_anew))
        look = (self.state, self.gpc, self.is_overruled, source, is_waiting, self.is_asked_anew)
        object.__setattr__(self, "look", look)

    @property
    def is_beyond_necessary(self) -> bool:
        """Return whether there is something to withdraw."""
        return len(self.granted) > 1

    @property
    def decided(self) -> datetime | None:
        """Return when the choice in force was made."""
        return self.receipt.decided if self.receipt else None

    @property
    def policy_version(self) -> str:
        """Name the policy version agreed to; empty while undecided."""
        return self.receipt.policy_version if self.receipt else ""

    @property
    def source(self) -> Source:
        """Return whether the choice in force was made in this browser, or came with the customer."""
        return self.look[3]

    @property
    def is_waiting(self) -> bool:
        """Return whether what was agreed to is being written into the log, and counts once it is there."""
        return self.look[4]

    @property
    def receipt_id(self) -> str:
        """Name the receipt of the choice in force; empty while undecided."""
        return self.receipt.id if self.receipt else ""

    @property
    def stamp(self) -> str:
        """Name what is in force, the same for all visitors: a page learns by it later whether it is out of date."""
        return blake2b(" ".join(sorted(self.in_force)).encode(), digest_size=6).hexdigest()

    def is_new(self, now: datetime) -> bool:
        """Return whether the choice in force was made a moment ago: the page of this moment says that it is saved."""
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
    """Decide what is in force, from the consent cookie's payload (None: no valid cookie) and the request.

    Undecided where the cookie speaks of another policy version than the one in force, or where something was
    granted and the purposes differ: visitors are asked for `purposes` now; `known` are all, also those that nothing
    uses. With `matters` a receipt that says what mattered counts while that is the same: no wording asks again, and
    what was refused stays refused. Vendors in `news` that came after the choice are kept, and asked for. Sec-GPC
    overrules a grant made without it (CCPA regulations 7025) and writes nothing.
    """
    receipt, late = from_payload(payload), frozenset[str]()
    if receipt is not None and news:
        behind = {name: purpose for name, (purpose, mark) in news.items() if mark > receipt.listed}
        late = frozenset(behind.values()) - receipt.granted - receipt.refused  # not asked for at that time
    if receipt is None or not (
        _has_answered(receipt, purposes - late, known | purposes)
        and _is_in_force(receipt, policy, now, matters)
    ):
        return Consent(gpc=gpc, has_question=len(purposes) > 1)
    granted = receipt.in_force | NOTHING_BEYOND
    if gpc and not receipt.gpc and granted != NOTHING_BEYOND:
        return Consent(gpc=True, is_overruled=True)
    kept = frozenset() if receipt.refused <= purposes else frozenset({REFUSED})
    new = {f"{WITHOUT}{name}" for name, purpose in behind.items() if purpose in granted} if news else set()
    return Consent(
        granted=granted,
        state=state_of(granted, purposes),
        gpc=gpc,
        receipt=receipt,
        kept=kept | new,
        is_asked_anew=bool(new or late & purposes) and granted != NOTHING_BEYOND,
    )


def state_of(granted: frozenset[str], purposes: frozenset[str]) -> State:
    """Name the state of a choice that was made."""
    if granted <= NOTHING_BEYOND:
        return State.REFUSED
    return State.ALL if granted >= purposes else State.PARTLY


def choose(choice: str, ticked: Iterable[str], purposes: frozenset[str]) -> frozenset[str]:
    """Turn a posted choice into the purposes granted; a purpose that is not ours (a stale page) is left out.

    Raises ChoiceError for a choice that is none.
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
    """Make the receipt of a choice just made; `to_payload(receipt)` is what the cookie carries."""
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
    """Return `next_` as a path of this host, fit for a Location header; `/` for anything else."""
    if PLAIN_PATH.fullmatch(next_):
        return next_ if len(next_) <= MAX_PATH_BYTES else "/"
    if not LOCAL_PATH.fullmatch(next_):
        return "/"
    path = quote(next_, safe=PATH_CHARACTERS, errors="replace")
    return path if len(path) <= MAX_PATH_BYTES else "/"


def version_at(policy: PolicyVersion, now: datetime) -> str:
    """Name the version a choice is made under: the announced one only from its day on."""
    return f"before-{policy.version}" if is_announced_only(policy, now) else policy.version


def is_announced_only(policy: PolicyVersion, now: datetime) -> bool:
    """Return whether a version is not in effect yet: what was agreed to before still counts."""
    return policy.effective is not None and now.date() < policy.effective


def _has_answered(receipt: Receipt, purposes: frozenset[str], known: frozenset[str]) -> bool:
    """Return whether all that is asked now was answered, and all that was answered exists; a full refusal stays one."""
    answered = receipt.granted | receipt.refused
    return receipt.granted <= NOTHING_BEYOND or purposes - NOTHING_BEYOND <= answered <= known


def _is_in_force(receipt: Receipt, policy: PolicyVersion, now: datetime, matters: Matters | None) -> bool:
    if matters is not None and receipt.matter:
        return receipt.matter == matter_of(receipt.granted, matters)
    return receipt.policy_version == policy.version or is_announced_only(policy, now)
