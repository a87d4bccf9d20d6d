"""The row that statistics keep of one page view, error, choice or goal: no address, no user agent, no query.

Rule: text and whole numbers only, never None, so that a row is the same in every engine and in the spool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, get_type_hints

NO_KEY = 0
PARTLY_COUNTED = "partly, statistics"  # a hit's `consent`: some purposes, statistics among them
OTHER = "(other)"  # what is beyond the values kept of a day
DIRECT = "(direct)"  # the source of who came without a referrer
ADDRESS = "(address)"  # a host that is an IP address
SECONDS_OF_DAY = 86_400
SECONDS_OF_HOUR = 3_600


class HitKind(StrEnum):
    """Name what a hit is of."""

    VIEW = "view"  # a document that somebody asked for to read
    ERROR = "error"  # a status from 400 on, where a document was asked for or came
    CHOICE = "choice"  # somebody answered the banner
    GOAL = "goal"  # the app says that something worth counting happened


class Event(StrEnum):
    """Name what happened with consent. `SHOWN` and `GPC` count views, the others choices."""

    SHOWN = "shown"
    GPC = "gpc"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    PARTLY = "partly"
    WITHDRAWN = "withdrawn"  # less than before, after more than the necessary had been granted


class BotKind(StrEnum):
    """Name what a bot is for."""

    SEARCH = "search"
    AI = "ai"
    TOOL = "tool"
    OTHER = "other"


GOAL_FROM = " < "  # no goal's name has such a sign
MISSING = (404, 410)  # statuses of a page that is not there
SLOW_FROM = 1000  # milliseconds: so long people wait without losing the thread


class Group(NamedTuple):
    """Name some hits of people, for SQL and for hits in memory; `entry` is decided by then."""

    sql: str
    pick: Callable[[Sequence[Hit]], Sequence[Hit]]
    """Returns those of a list. By whole lists: a call for each hit takes three times as long."""
    within: Group | None = None
    """The group that `pick` picks from, None if it picks from all hits of people."""


# To everything, or to statistics. Hits of an earlier release have "partly" for both: those with a key agreed.
WHOLLY, PARTLY = ("all", PARTLY_COUNTED), "partly"
_HAS_AGREED = f"(consent IN {WHOLLY} OR (consent = '{PARTLY}' AND key != 0))"


def _agreed(hits: Sequence[Hit]) -> Sequence[Hit]:
    return [hit for hit in hits if hit.consent in WHOLLY or (hit.consent == PARTLY and hit.key)]


VIEWS = Group("kind = 'view'", lambda hits: [hit for hit in hits if hit.kind == "view"])
ENTRIES = Group(f"{VIEWS.sql} AND entry = 1", lambda hits: [hit for hit in hits if hit.entry], VIEWS)
GOALS = Group(
    "kind = 'goal' AND event != ''", lambda hits: [hit for hit in hits if hit.kind == "goal" and hit.event]
)
MISSED = Group(
    f"kind = 'error' AND status IN {MISSING}",
    lambda hits: [hit for hit in hits if hit.kind == "error" and hit.status in MISSING],
)
SLOW_VIEWS = Group(
    f"{VIEWS.sql} AND duration >= {SLOW_FROM}",
    lambda hits: [hit for hit in hits if hit.duration >= SLOW_FROM],
    VIEWS,
)
AGREED_VIEWS = Group(f"{VIEWS.sql} AND {_HAS_AGREED}", _agreed, VIEWS)
AGREED_ENTRIES = Group(f"{ENTRIES.sql} AND {_HAS_AGREED}", _agreed, ENTRIES)


class Counted(NamedTuple):
    """Say what counts as a value of a dimension."""

    columns: tuple[
        str, ...
    ] = ()  # of a hit, one behind the other; empty for the column named as the dimension
    of: Group = VIEWS
    is_named: bool = False
    """Whether a hit whose last column is empty counts for no value."""
    has_visits: bool = True
    """Whether visits begin with its values."""
    is_of_visitor: bool = False
    """Whether a visitor has one value all day, as with what the key is made of: then visitors need no look-up."""
    is_dashboard_only: bool = False
    """Whether it is in neither exports nor views, as a part of what is there, or what visitors write."""
    is_typed: bool = False
    """Whether visitors write it: of days whose single hits are gone, sums have only what five people wrote."""

    @property
    def column(self) -> str:
        """The value, as SQL."""
        value = f" || '{GOAL_FROM}' || ".join(self.columns)
        return value if len(self.columns) == 1 else f"({value})"

    @property
    def which(self) -> str:
        """Which hits of people count, as SQL."""
        return f"{self.of.sql} AND {self.columns[-1]} != ''" if self.is_named else self.of.sql


class Dimension(StrEnum):
    """Name what figures can be broken down by; `COUNTED` says what counts as a value."""

    PAGE = "page"
    ENTRY = "entry_page"  # the page of an entry
    SOURCE = "source"  # of entries: utm_source, else the referrer's host, else (direct)
    MEDIUM = "medium"
    CAMPAIGN = "campaign"
    COUNTRY = "country"
    LANGUAGE = "language"
    DEVICE = "device"
    BROWSER = "browser"
    OS = "os"
    GOAL = "event"  # of goals
    # Of views of who agreed: what a tool that waits for consent would count.
    AGREED_PAGE = "agreed_page"
    AGREED_CAMPAIGN = "agreed_campaign"
    AGREED_COUNTRY = "agreed_country"
    # Of goals: the name, and where the visitor's first view of that day came from.
    GOAL_SOURCE = "goal_source"
    GOAL_CAMPAIGN = "goal_campaign"
    EXIT = "exit_page"  # the last page of a visit, of who agreed
    NOT_FOUND = "not_found"  # the path of a page that is not there
    SLOW = "slow_page"  # the page of a view that took `SLOW_FROM`
    SEARCH = "search"  # what was searched for in the shop

    @property
    def counted(self) -> Counted:
        """What counts as a value."""
        found = COUNTED.get(self, Counted())
        return found._replace(columns=found.columns or (self.value,))


_OF_VISITOR = Counted(is_of_visitor=True)
_GOAL, _PART = Counted(of=GOALS, has_visits=False), Counted(is_dashboard_only=True)
_OF_SOME = Counted(("page",), has_visits=False, is_dashboard_only=True)
# Of a dimension without a row, each view has a value: the column of that name.
COUNTED: Mapping[Dimension, Counted] = {
    Dimension.ENTRY: Counted(("page",), ENTRIES),
    Dimension.SOURCE: Counted(of=ENTRIES),
    Dimension.MEDIUM: Counted(of=ENTRIES, is_named=True),
    Dimension.CAMPAIGN: Counted(of=ENTRIES, is_named=True),
    Dimension.COUNTRY: _OF_VISITOR,
    Dimension.LANGUAGE: _OF_VISITOR,
    Dimension.DEVICE: _OF_VISITOR,
    Dimension.BROWSER: _OF_VISITOR,
    Dimension.OS: _OF_VISITOR,
    Dimension.GOAL: _GOAL,
    Dimension.AGREED_PAGE: _PART._replace(columns=("page",), of=AGREED_VIEWS),
    Dimension.AGREED_CAMPAIGN: _PART._replace(columns=("campaign",), of=AGREED_ENTRIES, is_named=True),
    Dimension.AGREED_COUNTRY: _PART._replace(columns=("country",), of=AGREED_VIEWS),
    Dimension.GOAL_SOURCE: _GOAL._replace(columns=("event", "source"), is_dashboard_only=True),
    Dimension.GOAL_CAMPAIGN: _GOAL._replace(
        columns=("event", "campaign"), is_named=True, is_dashboard_only=True
    ),
    Dimension.EXIT: _OF_SOME,  # of the hits of `shared_sql.exits`
    Dimension.NOT_FOUND: _OF_SOME._replace(of=MISSED, is_typed=True),
    Dimension.SLOW: _OF_SOME._replace(of=SLOW_VIEWS),
    Dimension.SEARCH: _OF_SOME._replace(columns=(), is_named=True, is_typed=True),
}
# Parts of another dimension's values: shown only beside the whole, by `features/statistics/dashboard/consent_gap.py`.
AGREED: Mapping[Dimension, Dimension] = {
    Dimension.PAGE: Dimension.AGREED_PAGE,
    Dimension.CAMPAIGN: Dimension.AGREED_CAMPAIGN,
    Dimension.COUNTRY: Dimension.AGREED_COUNTRY,
}
DASHBOARD_ONLY = frozenset(by for by in Dimension if by.counted.is_dashboard_only)
WHOLE = tuple(by for by in Dimension if by not in DASHBOARD_ONLY)


class Hit(NamedTuple):
    """Be one row; the fields are the columns, in this order. A tuple, since engines take rows as tuples.

    `entry`, and source, medium and campaign of goals, are decided by the engine that writes it, since all workers must
    agree on it; 0 and empty until then.
    """

    time: int  # seconds since 1970, UTC
    site: str  # the configured origin's host it came to, else empty
    kind: str  # a HitKind
    page: str  # the app's route (`/product/{id}`), else the path with what looks like an id folded
    status: int
    bytes: int  # of the body as it was sent
    duration: int  # milliseconds until the response had ended
    source: str  # of a view that comes from elsewhere: utm_source, referrer's host or (direct); of a goal, as decided
    referrer: str  # host of the page elsewhere that led here
    medium: str  # utm_medium
    campaign: str  # utm_campaign
    term: str  # utm_term
    content: str  # utm_content
    browser: str  # family; of a bot its name
    browser_major: str
    os: str
    device: str  # desktop, mobile, tablet, other
    language: str  # the first of Accept-Language, without region
    country: str  # two letters, empty where nobody says
    entry: int  # 1: the first view of a visit; without a key, a view that comes from elsewhere
    consent: str  # undecided, refused, partly, PARTLY_COUNTED, all
    policy: str  # version of the policy in force
    event: str  # of a choice an Event, of a goal its name; of a view `shown` where the page asked
    gpc: int  # 1: Global Privacy Control was on
    held: str  # JSON: [[host, elements, vendor or "", purpose], ...], empty where nothing was held
    bot: str  # a BotKind, empty for people
    key: int  # the visitor key of that day, signed 64 bits; NO_KEY where there is no consent to one
    search: str = ""  # of a view: what its visitor searched for; goes with the key

    @property
    def day(self) -> int:
        """The UTC day, in days since 1970."""
        return self.time // SECONDS_OF_DAY

    @property
    def hour(self) -> int:
        """The UTC hour, in hours since 1970."""
        return self.time // SECONDS_OF_HOUR


COLUMNS = Hit._fields
# What is empty once the keys of a day are gone.
FLEETING: Mapping[str, str] = {"key": "0", "search": "''"}
LASTING = tuple(name for name in COLUMNS if name not in FLEETING)
TEXT_COLUMNS = frozenset(name for name, kind in get_type_hints(Hit).items() if kind is str)


def empty(column: str) -> str | int:
    """Return what a hit has in a column that its release did not know."""
    return "" if column in TEXT_COLUMNS else 0


class Batch(NamedTuple):
    """Bring hits to an engine: all of them are written once, or none.

    `id` names the batch for good: an engine that has seen it writes nothing. `before` says of keys in the first
    half hour of a day what the same visitor's key was the day before; it is for finding a visit that goes on
    across midnight, and must be written nowhere. A key that is its own was given within a visit that was counted
    without one, so its first view begins none. `lost` counts by reason what could not be kept since the last batch.
    """

    id: str
    hits: Sequence[Hit]
    before: Mapping[int, int]
    lost: Mapping[str, int]
