"""The row that statistics store for one page view, error, choice or goal: no address, no user agent, no query.

Rule: text and whole numbers only, never None, so that a row is the same in every database and in the spool.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, get_type_hints

NO_KEY = 0
PARTLY_COUNTED = "partly, statistics"  # a hit's `consent`: some purposes, including statistics
OTHER = "(other)"  # stands for all values beyond the number kept per day
DIRECT = "(direct)"  # the source of a visit without a referrer
ADDRESS = "(address)"  # replaces a host that is an IP address
SECONDS_OF_DAY = 86_400
SECONDS_OF_HOUR = 3_600


class HitKind(StrEnum):
    """The kinds of hits."""

    VIEW = "view"  # a page view: a document requested for display
    ERROR = "error"  # a status of 400 or more for a requested or returned document
    CHOICE = "choice"  # an answer to the banner
    GOAL = "goal"  # an event that the app reports for counting


class Event(StrEnum):
    """Consent events. `SHOWN` and `GPC` count views, the others choices."""

    SHOWN = "shown"
    GPC = "gpc"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    PARTLY = "partly"
    WITHDRAWN = "withdrawn"  # fewer purposes than before, after consent to more than the necessary one


class BotKind(StrEnum):
    """The purposes of bots."""

    SEARCH = "search"
    AI = "ai"
    TOOL = "tool"
    OTHER = "other"


GOAL_FROM = " < "  # separates joined columns; goal names cannot contain `<`
ANSWER = "?"  # precedes an Event in a dimension of goals; goal names cannot contain it
MISSING = (404, 410)  # statuses of a page that does not exist
# The milliseconds at which each bucket of durations begins. From one second on, people notice an interruption.
BUCKETS = (0, 50, 100, 200, 500, 1000, 2000, 5000)
SLOW_FROM = 1000
_BUCKET_NAMES = tuple(map(str, BUCKETS))
_BUCKETS = " ".join(f"WHEN duration >= {start} THEN '{start}'" for start in reversed(BUCKETS))
# SQL expressions for values computed from a hit's columns; `Hit` has a property with each name.
DERIVED: Mapping[str, str] = {
    "happened": f"CASE WHEN kind = 'goal' THEN event ELSE '{ANSWER}' || event END",
    "failed": f"CASE WHEN status IN {MISSING} THEN page ELSE CAST(status AS TEXT) || ' ' || page END",
    "bucket": f"CASE {_BUCKETS} ELSE '0' END",
}


class Group(NamedTuple):
    """A selection of hits, as SQL and as a function for hits in memory. `entry` must be decided before."""

    sql: str
    pick: Callable[[Sequence[Hit]], Sequence[Hit]]
    """Returns the selected hits of a list. One call per hit would take three times as long."""
    within: Group | None
    """The group from which `pick` selects; None for all hits."""

    @property
    def whose(self) -> str:
        """The SQL condition for people or bots, which `sql` omits."""
        return self.within.whose if self.within else self.sql


# Consent to everything, or to statistics. In hits of an earlier release "partly" means statistics only with a key.
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
# Goals, answers, and views of pages that showed the banner.
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
# All goals, and those banners and answers whose source is a utm_source, because a choice knows no other source.
SOURCED = Group(
    f"{HAPPENED.sql} AND (kind = 'goal' OR source NOT IN ('', '{DIRECT}', referrer))",
    lambda hits: [hit for hit in hits if hit.kind == "goal" or hit.source not in ("", DIRECT, hit.referrer)],
    HAPPENED,
)
AGREED_VIEWS = Group(f"{VIEWS.sql} AND {_HAS_AGREED}", _agreed, VIEWS)


class Counted(NamedTuple):
    """How the values of a dimension are counted."""

    columns: tuple[str, ...] = ()
    """The columns of a hit, or names in `DERIVED`, joined into the value; empty for the dimension's own column."""
    of: Group = VIEWS
    is_named: bool = False
    """Whether hits with an empty last column are not counted."""
    has_visits: bool = True
    """Whether visits are counted by the values with which they begin."""
    is_of_visitor: bool = False
    """Whether a visitor has the same value all day, so that visitors are counted without looking up their keys."""
    is_dashboard_only: bool = False
    """Whether exports and SQL views omit it, because it repeats other figures or visitors type its values."""
    is_typed: bool = False
    """Whether visitors type its values. Sums of days without single hits keep only values of five or more people."""

    @property
    def column(self) -> str:
        """The value, as SQL."""
        value = f" || '{GOAL_FROM}' || ".join(DERIVED.get(column, column) for column in self.columns)
        return value if value.isidentifier() else f"({value})"

    @property
    def which(self) -> str:
        """The SQL condition for the counted hits, in addition to `of.whose`."""
        return f"{self.of.sql} AND {self.columns[-1]} != ''" if self.is_named else self.of.sql


class Dimension(StrEnum):
    """The dimensions by which figures can be broken down; `COUNTED` says how their values are counted."""

    PAGE = "page"
    ENTRY = "entry_page"  # the page of an entry
    SOURCE = "source"  # of entries: utm_source, or the referrer's host, or (direct)
    MEDIUM = "medium"
    CAMPAIGN = "campaign"
    COUNTRY = "country"
    LANGUAGE = "language"
    DEVICE = "device"
    BROWSER = "browser"
    OS = "os"
    GOAL = "event"  # of goals
    AGREED_PAGE = "agreed_page"  # of views with consent to statistics
    # Of goals: the name, and the source of the visitor's first view of that day
    GOAL_SOURCE = "goal_source"
    GOAL_CAMPAIGN = "goal_campaign"
    EXIT = "exit_page"  # the last page of a visit with consent to statistics
    ERROR = "not_found"  # the path of a missing page, or the status of another error and the page
    SPEED = "slow_page"  # of views: the milliseconds at which their bucket begins, then the page
    SEARCH = "search"  # search terms in the shop
    PLACE = "event_place"  # of goals, answers and banners: the event, the country and the device
    GOAL_PAGE = "goal_page"  # of goals: the name, and the page on which it was reached
    BOT_PAGE = "bot_page"  # of bots: the name, and the requested page

    @property
    def counted(self) -> Counted:
        """How this dimension's values are counted, with its columns filled in."""
        found = COUNTED.get(self, Counted())
        return found._replace(columns=found.columns or (self.value,))


_OF_VISITOR = Counted(is_of_visitor=True)
_GOAL = Counted(of=GOALS, has_visits=False)
_OF_SOME = Counted(("page",), has_visits=False, is_dashboard_only=True)
# A dimension without a row here counts every view by the column with the dimension's name.
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
    # Counts the hits selected by `shared_sql.exits`. A visit that also begins with such a hit is a bounce.
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
    """One row; the fields are the columns, in this order. It is a tuple, because databases take rows as tuples.

    The database that stores the row decides `entry`, and the source, medium and campaign of goals, because that takes
    the hits of all workers. Until then they are 0 and empty.
    """

    time: int  # seconds since 1970, UTC
    site: str  # the host of the configured origin that was requested, or empty
    kind: str  # a HitKind
    page: str  # the app's route (`/product/{id}`), or the path with parts that look like ids replaced
    status: int
    bytes: int  # of the body as sent
    duration: int  # milliseconds until the response had ended
    source: str  # of a view from outside the shop: utm_source, referrer's host or (direct)
    referrer: str  # host of the other site's page that led here
    medium: str  # utm_medium
    campaign: str  # utm_campaign
    term: str  # utm_term
    content: str  # utm_content
    browser: str  # the family, or a bot's name
    browser_major: str
    os: str
    device: str  # desktop, mobile, tablet, other
    language: str  # the first of Accept-Language, without region
    country: str  # two letters, empty if unknown
    entry: int  # 1: the first view of a visit; without a key, a view from outside the shop
    consent: str  # undecided, refused, partly, PARTLY_COUNTED, all
    policy: str  # version of the policy in force
    event: str  # of a choice an Event, of a goal its name; of a view `shown` if the page showed the banner
    gpc: int  # 1: Global Privacy Control was on
    held: str  # JSON: [[host, elements, vendor or "", purpose], ...], empty if no element was held
    bot: str  # a BotKind, empty for people
    key: int  # the visitor key of that day, signed 64 bits; NO_KEY without consent to one
    search: str = ""  # of a view: the search term; deleted together with the key

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
        """The name of a goal, or ANSWER and the Event."""
        return self.event if self.kind == "goal" else ANSWER + self.event

    @property
    def failed(self) -> str:
        """The path of a missing page, or the status of another error and the page."""
        return self.page if self.status in MISSING else f"{self.status} {self.page}"

    @property
    def bucket(self) -> str:
        """The milliseconds at which the bucket of this duration begins."""
        return _BUCKET_NAMES[bisect(BUCKETS, self.duration, 1) - 1]


COLUMNS = Hit._fields
# The columns that are emptied when the keys of a day are deleted, with their empty values
FLEETING: Mapping[str, str] = {"key": "0", "search": "''"}
LASTING = tuple(name for name in COLUMNS if name not in FLEETING)
TEXT_COLUMNS = frozenset(name for name, kind in get_type_hints(Hit).items() if kind is str)


def empty(column: str) -> str | int:
    """Return the value of a column that the release which wrote the hit did not have."""
    return "" if column in TEXT_COLUMNS else 0


class Batch(NamedTuple):
    """Hits to store together: the database writes all of them once, or none.

    `id` identifies the batch, so that a database ignores one that it has already written. `before` maps keys of the
    first half hour of a day to the same visitor's key of the day before, to find visits that continue across
    midnight. It must never be stored. A key that maps to itself was given during a visit that was counted without a
    key, so its first view begins no visit. `lost` counts the hits lost since the last batch, by reason.
    """

    id: str
    hits: Sequence[Hit]
    before: Mapping[int, int]
    lost: Mapping[str, int]
