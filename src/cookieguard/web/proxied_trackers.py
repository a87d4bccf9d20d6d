"""Report trackers that answer on the shop's own hosts: server-side tag managers and first-party proxies.

To a browser they are the shop itself, so they are not held. The log reports each once, with the settings that would
hold it. Trackers are recognized by their paths only, so a tracker under another path is not found.
"""

from __future__ import annotations

import logging
import re

from cookieguard.config import Entry, Vendor, load_catalogue
from cookieguard.consent import named
from cookieguard.html import Url
from cookieguard.web.walls import Wall

logger = logging.getLogger("cookieguard")

MOST_TOLD = 50  # trackers that one process reports
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~-]{1,200}")  # a place that the owner can paste into a setting


class ProxiedTrackers:
    """Report each proxied tracker once, and remember which were reported. Owned by the middleware."""

    def __init__(self, vendors: tuple[Vendor, ...]) -> None:
        self._vendors = vendors
        self._catalogue = load_catalogue()
        self.names = self._catalogue.proxied_names
        """Last segments of trackers' paths; a path that ends in none of them is not checked further."""
        self._told: set[str] = set()

    def note_request(self, path: str, query: str, wall: Wall) -> None:
        """Check a request that the shop answered."""
        entry = self._catalogue.by_path(path, query)
        if entry is not None and wall.verdict(wall.rules.url._replace(path=path)).is_first_party:
            self._tell(entry, wall.site.host, path)

    def note_url(self, url: Url) -> None:
        """Check a URL in a page that leads to another host of the shop's own site."""
        if url.path.rpartition("/")[2] in self.names:
            entry = self._catalogue.by_path(url.path)
            if entry is not None:
                self._tell(entry, url.host, url.path)

    def _tell(self, entry: Entry, host: str, path: str) -> None:
        place = f"{host}{path}"
        if place in self._told or len(self._told) >= MOST_TOLD or not PLAIN_PATH.fullmatch(place):
            return
        self._told.add(place)
        lines = named(entry, self._vendors, hosts=(*entry.needed_hosts, place))
        logger.warning(
            "%s looks like %s on the shop's own host, so it loads without consent; to hold it, add:\n%s",
            place,
            entry.name,
            lines,
        )
