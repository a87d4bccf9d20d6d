"""The row that statistics keep of one page view, error, choice or goal: no address, no user agent, no query.

Rule: text and whole numbers only, never None, so that a row is the same in every engine and in the spool.
"""

from __future__ import annotations

from bisect import bisect
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
ANSWER = "?"  # before an Event in a dimension of goals; no goal's name has it
MISSING = (404, 410)  # statuses of a page that is not there
# Milliseconds at which a bucket of durations begins; people wait a second without losing the thread.
BUCKETS = (0, 50, 100, 200, 500, 1000, 2000, 5000)
SLOW_FROM = 1000
_BUCKET_NAMES = tuple(map(str, BUCKETS))
_BUCKETS = " ".join(f"WHEN duration >= {one} THEN '{one}'" for one in reversed(BUCKETS))
# What follows from a hit's columns, as SQL; `Hit` has a property of each name.
DERIVED: Mapping[str, str] = {
    "happened": f"CASE WHEN kind = 'goal' THEN event ELSE '{ANSWER}' || event END",
    "failed": f"CASE WHEN status IN {MISSING} THEN page ELSE CAST(status AS TEXT) || ' ' || page END",
    "bucket": f"CASE {_BUCKETS} ELSE '0' END",
}


class Group(NamedTuple):
    """Name some hits, for SQL and for hits in memory; `entry` is decided by then."""

    sql: str
    pick: Callable[[Sequence[Hit]], Sequence[Hit]]
    """Returns those of a list. By whole lists: a call for each hit takes three times as long."""
    within: Group | None
    """The group that `pick` picks from, None if it picks from all hits."""

    @property
    def whose(self) -> str:
        """Whether its hits are people's or bots', as SQL, which `sql` leaves out."""
        return self.within.whose if self.within else self.sql


# To everything, or to statistics. Hits of an earlier release have "partly" for both: those with a key agreed.
WHOLLY, PARTLY = ("all", PARTLY_COUNTED), "partly"
_HAS_AGREED = f"(consent IN {WHOLLY} OR (consent = '{PARTLY}' AND key != 0))"


def _agreed(hits: Sequence[Hit]) -> Sequence[Hit]:
    return [hit for hit in hits if hit.consent in WHOLLY or (hit.consent == PARTLY and hit.key)]


PEOPLE = Group("(bot = '')", lambda hits: [hit for hit in hits if not hit.bot], None)
BOTS = Group("(bot != '')", lambda hits: [hit for hit in hits if hit.bot], None)
REQUESTS_OF_BOTS = Group("kind != 'choice'", lambda hits: [hit for hit in hits if hit.kind != "choice"], BOTS)
VIEWS = Group("kind = 'view'", lambda hits: [hit for hit in hits if hit.kind == "view"], PEOPLE)
ENTRIES = Group(f"{VIEWS.sql} AND entry = 1", lambda hits: [hit for hit in hits if hit.entry], VIEWS)
ERRORS = Group("kind = 'error'", lambda hits: [hit for hit in hits if hit.kind == "error"], PEOPLE)
# Goals, answers, and views that carried a banner.
HAPPENED = Group(
    f"event != '' AND kind != 'error' AND (kind != 'view' OR event = '{Event.SHOWN}')",
    lambda hits: [
        hit
        for hit in hits
        if hit.event and hit.kind != "error" and (hit.kind != "view" or hit.event == "shown")
    ],
    PEOPLE,
)
GOALS = Group(
    "kind = 'goal' AND event != ''", lambda hits: [hit for hit in hits if hit.kind == "goal"], HAPPENED
)
# Of banners and answers, those whose source utm_source names: of others a choice does not know.
SOURCED = Group(
    f"{HAPPENED.sql} AND (kind = 'goal' OR source NOT IN ('', '{DIRECT}', referrer))",
    lambda hits: [hit for hit in hits if hit.kind == "goal" or hit.source not in ("", DIRECT, hit.referrer)],
    HAPPENED,
)
AGREED_VIEWS = Group(f"{VIEWS.sql} AND {_HAS_AGREED}", _agreed, VIEWS)


class Counted(NamedTuple):
    """Say what counts as a value of a dimension."""

    columns: tuple[str, ...] = ()
    """Of a hit, or `DERIVED`, one behind the other; empty for the column named as the dimension."""
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
        value = f" || '{GOAL_FROM}' || ".join(DERIVED.get(one, one) for one in self.columns)
        return value if value.isidentifier() else f"({value})"

    @property
    def which(self) -> str:
        """Which hits count, as SQL, of those that `of.whose` names."""
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
    AGREED_PAGE = "agreed_page"  # of views of who agreed
    # Of goals: the name, and where the visitor's first view of that day came from.
    GOAL_SOURCE = "goal_source"
    GOAL_CAMPAIGN = "goal_campaign"
    EXIT = "exit_page"  # the last page of a visit, of who agreed
    ERROR = "not_found"  # the path of a page that is not there; of another error its status, then the page
    SPEED = "slow_page"  # of views: the least milliseconds of their bucket, then the page
    SEARCH = "search"  # what was searched for in the shop
    PLACE = "event_place"  # of goals, answers and banners: what happened, the country and the device
    GOAL_PAGE = "goal_page"  # of goals: the name, and the page that led there
    BOT_PAGE = "bot_page"  # of bots: the name, and what they asked for

    @property
    def counted(self) -> Counted:
        """What counts as a value."""
        found = COUNTED.get(self, Counted())
        return found._replace(columns=found.columns or (self.value,))


_OF_VISITOR = Counted(is_of_visitor=True)
_GOAL = Counted(of=GOALS, has_visits=False)
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
    Dimension.AGREED_PAGE: Counted(("page",), AGREED_VIEWS, is_dashboard_only=True),
    Dimension.GOAL_SOURCE: _GOAL._replace(columns=("happened", "source"), of=SOURCED, is_dashboard_only=True),
    Dimension.GOAL_CAMPAIGN: _GOAL._replace(
        columns=("event", "campaign"), is_named=True, is_dashboard_only=True
    ),
    # Of the hits of `shared_sql.exits`; a visit that begins with them, too, is a bounce.
    Dimension.EXIT: _OF_SOME._replace(has_visits=True),
    Dimension.ERROR: _OF_SOME._replace(columns=("failed",), of=ERRORS, is_typed=True),
    Dimension.SPEED: _OF_SOME._replace(columns=("bucket", "page")),
    Dimension.SEARCH: _OF_SOME._replace(columns=(), is_named=True, is_typed=True),
    Dimension.PLACE: _OF_SOME._replace(columns=("happened", "country", "device"), of=HAPPENED),
    Dimension.GOAL_PAGE: _OF_SOME._replace(columns=("event", "page"), of=GOALS),
    Dimension.BOT_PAGE: _OF_SOME._replace(columns=("browser", "page"), of=REQUESTS_OF_BOTS),
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

    @property
    def happened(self) -> str:
        """The name of a goal, or a sign and the Event."""
        return self.event if self.kind == "goal" else ANSWER + self.event

    @property
    def failed(self) -> str:
        """The path of a page that is not there; of another error its status, then the page."""
        return self.page if self.status in MISSING else f"{self.status} {self.page}"

    @property
    def bucket(self) -> str:
        """The least duration of its bucket."""
        return _BUCKET_NAMES[bisect(BUCKETS, self.duration, 1) - 1]


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
