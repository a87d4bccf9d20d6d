"""The observations of a scan, as values: contacts with hosts, stored cookies, and errors of missing scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

UNDECIDED, REFUSED, ACCEPTED = "undecided", "refused", "accepted"
STATES = (UNDECIDED, REFUSED, ACCEPTED)
# How a contact was observed: the browser sent a request; it only opened a connection; an element would make it send
# one; a script names the host; cookieguard held the element or request.
ASKED, CONNECTED, WOULD, NAMED, HELD = "asked", "connected", "would ask", "named", "held"
LEAKS = frozenset({ASKED, CONNECTED, WOULD})
LONGEST_URL = 300  # characters of an address that a report shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Hold one way in which a page contacts a host."""

    host: str
    port: int | None = None
    url: str
    """Without its query, which may name a visitor."""
    how: str
    element: str
    """What sent the request: `script src`, `fetch`, `link href`."""
    by: str = ""
    """The script that sent the request, without its query; empty for the page's own markup."""
    page: str
    state: str
    line: int = 0
    """The line in the page's source; 0 if it is unknown."""
    told: tuple[str, ...] = ()
    """What the request reveals of the page apart from its origin: its path, or values of its query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageEntry:
    """Hold the name of one cookie or storage key; never its value."""

    name: str
    kind: str
    """`cookie`, `local storage`, `session storage` or `database`."""
    site: str
    """The host it belongs to."""
    by: str = ""
    """The host whose script or response wrote it; empty for the shop itself."""
    days: int | None = None
    """How many days it is kept; None for a session cookie, and for storage, which does not expire."""
    page: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Hold an error of the shop's own code that occurs only while a third party is held."""

    page: str
    state: str
    missing: str
    """The JavaScript name that was not defined."""
    message: str
    by: str
    """The shop's own script, or the page, that failed."""
    hosts: tuple[str, ...] = ()
    """The hosts whose scripts define that name after the visitor agreed to everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitedPage:
    """Hold one page that was visited, in one state of consent."""

    page: str
    state: str
    status: int
    led_to: str = ""
    """The page that it redirected to, which was visited instead; empty without a redirect."""
    title: str = ""
    picture: bytes = field(default=b"", repr=False)
    """A JPEG of the page's top as a visitor sees it; empty if none was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Hold a form that asks for personal data, in the words of the report."""

    page: str
    leads_to: str
    """The third-party host that receives it; empty for the shop itself."""
    asks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Hold everything that one scan observed."""

    target: str
    started: datetime
    with_browser: bool
    looks: tuple[VisitedPage, ...] = ()
    contacts: tuple[Contact, ...] = ()
    kept: tuple[StorageEntry, ...] = ()
    needs: tuple[Need, ...] = ()
    forms: tuple[Form, ...] = ()
    notes: tuple[str, ...] = ()
    """The limits of the result, in words for the shop's owner."""

    @property
    def states(self) -> tuple[str, ...]:
        """Return the states of consent that were visited."""
        found = {look.state for look in self.looks}
        return tuple(state for state in STATES if state in found)

    @property
    def pages(self) -> tuple[str, ...]:
        """Return the pages that were visited, each once."""
        return tuple(dict.fromkeys(look.page for look in self.looks))


def shown_url(url: str) -> str:
    """Return an address without its query and fragment, at most LONGEST_URL characters."""
    return url.partition("#")[0].partition("?")[0][:LONGEST_URL]
