"""What a scan has seen, as values: contacts, what was kept, what the shop's own code missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

UNDECIDED, REFUSED, ACCEPTED = "undecided", "refused", "accepted"
STATES = (UNDECIDED, REFUSED, ACCEPTED)
# How a contact was seen. The browser asked; it only connected; a live element would make a browser ask; a script names
# the host; a wall of ours held it.
ASKED, CONNECTED, WOULD, NAMED, HELD = "asked", "connected", "would ask", "named", "held"
LEAKS = frozenset({ASKED, CONNECTED, WOULD})
LONGEST_URL = 300  # characters of an address that a report shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Name one way in which a page reaches a host."""

    host: str
    port: int | None = None
    url: str
    """Without its query, which may name a visitor."""
    how: str
    element: str
    """`script src`, `fetch`, `link href`: what asked."""
    by: str = ""
    """The script that asked, without its query; empty for the page's own markup."""
    page: str
    state: str
    line: int = 0
    """Of the page's source; 0 where it is unknown."""
    told: tuple[str, ...] = ()
    """What the request says of the page beside its origin: its path, what stands in its query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageEntry:
    """Name one cookie or storage key; never its value."""

    name: str
    kind: str
    """`cookie`, `local storage`, `session storage` or `database`."""
    site: str
    """The host it belongs to."""
    by: str = ""
    """The host whose script or answer wrote it; empty for the shop itself."""
    days: int | None = None
    """How long it stays; None until the browser closes, or without end."""
    page: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Name what the shop's own code missed where a third party was held."""

    page: str
    state: str
    missing: str
    """The name that was not there."""
    message: str
    by: str
    """The shop's own script, or the page, that failed."""
    hosts: tuple[str, ...] = ()
    """Whose scripts define that name once all is agreed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitedPage:
    """Name one page that was looked at, in one state."""

    page: str
    state: str
    status: int
    led_to: str = ""
    """The page that it led to, and that was looked at in its place; empty where it was itself."""
    title: str = ""
    picture: bytes = field(default=b"", repr=False)
    """A JPEG of what a visitor sees first; empty where none was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Name a form of a page that asks for something personal, in the words of the report."""

    page: str
    leads_to: str
    """The third party that it is sent to; empty for the shop itself."""
    asks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Hold all that one scan saw."""

    target: str
    started: datetime
    with_browser: bool
    looks: tuple[VisitedPage, ...] = ()
    contacts: tuple[Contact, ...] = ()
    kept: tuple[StorageEntry, ...] = ()
    needs: tuple[Need, ...] = ()
    forms: tuple[Form, ...] = ()
    notes: tuple[str, ...] = ()
    """What limits the result, in words for the owner."""

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
    """Return an address without query and fragment, at most LONGEST_URL characters."""
    return url.partition("#")[0].partition("?")[0][:LONGEST_URL]
