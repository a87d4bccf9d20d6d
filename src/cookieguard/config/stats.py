"""`[stats]`: what the statistics count of a visit, and where and how long the figures are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cookieguard.config.loading.checks import (
    require_between,
    require_distinct,
    require_environment,
    require_match,
    require_one_of,
    require_private_url,
    require_text,
)
from cookieguard.config.loading.types import require_types
from cookieguard.config.mail import ADDRESS
from cookieguard.errors import ConfigError

BEFORE_CONSENT = ("aggregate", "none", "hashed")
PAGES = ("route", "path")
PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,60}")
STEP = re.compile(r"\S|\S.{0,398}\S")
ROUTE = re.compile(r"/[!-~]{0,200}\{[!-~]{1,60}\}[!-~]{0,200}")
# The form of a URL of each scheme: as a pattern, and as errors show it. `features/statistics/engines/open.py` has the
# engines.
FORMS = {
    "": ("", "empty"),
    "sqlite": ("sqlite:///[!-~]+", "'sqlite:///path/file.db'"),
    "postgresql": ("postgres(ql)?://[!-~]+", "'postgresql://user@host/database'"),
    "clickhouse": (
        r"clickhouse://([!-~]*@)?(\[[0-9A-Fa-f:]+\]|[0-9A-Za-z._-]+)(:[0-9]{1,5})?(/[!-~]*)?",
        "'clickhouse://user@host:8123/database'",
    ),
    "chdb": ("chdb:///[!-~]+", "'chdb:///path/directory'"),
}
STATS_URL = re.compile("|".join(pattern for pattern, _ in FORMS.values()))
SHOWN = " or ".join(form for _, form in FORMS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsSettings:
    """Set the statistics. The server counts visits without scripts or cookies, and never stores an address."""

    enabled: bool = True
    """Count page views."""
    url: str = field(default="", repr=False)  # it may hold a password
    """The database of the figures: `sqlite:///path` or `postgresql://...`. Empty: `stats.db` in the state directory."""
    environment: str = "COOKIEGUARD_STATS"
    """The environment variable that holds the URL. If it is set, `url` is not used."""
    before_consent: str = "aggregate"
    """How visitors who did not agree to statistics are counted: without a visitor key (`aggregate`) or not at all
    (`none`). With `hashed`, visitors who have not chosen yet get a key for the day; those who refused, or whose browser
    sends GPC, never do."""
    pages: str = "route"
    """How pages are named: by the app's `route` (`/product/{id}`), or by `path` if no path identifies a person."""
    named_pages: tuple[str, ...] = ()
    """Routes whose pages are named by path, such as `/product/{slug}`, to show which product was viewed. Numbers and
    tokens are still shown as `{id}`. Leave out routes whose paths identify a person."""
    country_header: str = ""
    """The header in which a trusted proxy sends the visitor's country, such as `CF-IPCountry`."""
    mmdb: str = ""
    """The path of your country database (MMDB), read before the address is dropped; needs the extra `country`."""
    time_zone: str = "UTC"
    """The time zone of today's hours in the dashboard, such as `Europe/Berlin`. Days are always UTC days."""
    funnel: tuple[str, ...] = ()
    """The steps to an order, in order: pages as the dashboard names them, such as `/cart`, or names of goals. The
    dashboard shows how many people reached each step."""
    search: tuple[str, ...] = ()
    """The query parameters of the shop's search, such as `q`. The dashboard shows what at least five people searched
    for on one day. Leave out a parameter that can be just a person's name, as in a search for customers."""
    report: tuple[str, ...] = ()
    """The mail addresses to which `cookieguard report --mail` sends the week's figures; needs `[mail]`."""
    hit_days: int = 30
    """How many days single hits are kept. Filtered figures go back this far."""
    rollup_days: int = 760
    """How many days hourly and daily sums are kept (760 is 25 months)."""

    @property
    def zone(self) -> tzinfo:
        """The zone of `time_zone`; UTC works without the tables of time zones, which small containers lack."""
        return UTC if self.time_zone == "UTC" else ZoneInfo(self.time_zone)

    def __post_init__(self) -> None:
        require_stats_url("stats.url", self.url)
        require_types("stats", self)
        require_environment("stats.environment", self.environment)
        require_one_of("stats.before_consent", self.before_consent, BEFORE_CONSENT)
        require_one_of("stats.pages", self.pages, PAGES)
        require_distinct("stats.named_pages", self.named_pages)
        for route in self.named_pages:
            require_match("stats.named_pages", route, ROUTE, "routes of the app, such as '/product/{slug}'")
        self._require_time_zone()
        require_distinct("stats.funnel", self.funnel)
        if len(self.funnel) == 1:
            allowed = "two or more steps in order: pages such as '/cart', or names of goals"
            raise ConfigError("stats.funnel", was=repr(self.funnel[0]), allowed=allowed)
        for step in self.funnel:
            require_match("stats.funnel", step, STEP, "a page such as '/cart', or a goal's name")
        require_distinct("stats.search", self.search)
        for name in self.search:
            require_match("stats.search", name, PARAMETER, "names of query parameters, such as 'q'")
        require_distinct("stats.report", self.report)
        for address in self.report:
            require_match("stats.report", address, ADDRESS, "a mail address like 'owner@shop.example'")
        header = re.compile(r"[A-Za-z0-9-]{0,60}")
        require_match("stats.country_header", self.country_header, header, "the name of a header")
        require_text("stats.mmdb", self.mmdb, empty=True)
        require_between("stats.hit_days", self.hit_days, 2, 400, "days")
        require_between("stats.rollup_days", self.rollup_days, self.hit_days, 1200, "days (>= hit_days)")

    def _require_time_zone(self) -> None:
        """Require a zone that this machine knows, from the system or from the package tzdata."""
        try:
            _ = self.zone
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            allowed = (
                "a time zone such as 'Europe/Berlin'; if this machine knows none, install the package tzdata"
            )
            raise ConfigError("stats.time_zone", was=repr(self.time_zone), allowed=allowed) from error


def require_stats_url(setting: str, url: str) -> None:
    """Require the URL of a statistics database; the error does not show it, because it may hold a password."""
    require_private_url(setting, url, STATS_URL, SHOWN)
