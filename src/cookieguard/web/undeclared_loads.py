"""Find undeclared hosts through browsers' reports: those that allowed scripts load, and those that were held.

Anyone can post a report, and extensions make pages load hosts that the shop does not use. So a host counts only if the
script of a declared vendor asked for it, or if several visitors reported it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from anyio import to_thread

from cookieguard.config import Vendor
from cookieguard.consent import Verdict, advice_on
from cookieguard.consent.sites import Site
from cookieguard.engines.files.undeclared_loads import UndeclaredLoadsFile
from cookieguard.rate_limit import RateLimit
from cookieguard.stats.anonymize import packed_address
from cookieguard.stats.text_cleaning import shown_path
from cookieguard.web.owner_notices import shortened

logger = logging.getLogger("cookieguard")

VISITORS = 3  # networks that have to report a host, unless a declared vendor's script asked for it
MOST_WAITING = 1000  # hosts that fewer visitors have reported
HOSTS_A_DAY, LOADS_OF_NETWORK = 100, 20
# Schemes of extensions, as browsers write them in reports: as a whole URL, or the scheme alone.
EXTENSION = re.compile(r"(chrome|moz|safari|safari-web|ms-browser)-extension\b|user-script:", re.IGNORECASE)
# Hosts that programs on visitors' machines add to every page, as documented by their makers.
ON_MACHINES = re.compile(
    r"(\w+\.)*kis\.v2\.scr\.kaspersky-labs\.com|local\.adguard\.org|translate\.(google|googleapis)\.com|localhost"
)


class UndeclaredLoads:
    """Collect the hosts that browsers report. Owns the hosts that wait for more reports, and those recorded today."""

    def __init__(self, file: UndeclaredLoadsFile, vendors: Sequence[Vendor]) -> None:
        self._file, self._vendors = file, tuple(vendors)
        self._waiting: dict[str, set[str]] = {}
        self._told: set[tuple[str, str, bool]] = set()
        self._logged: set[tuple[str, str]] = set()
        self._networks = RateLimit(LOADS_OF_NETWORK, seconds=86400)
        self._days = RateLimit(HOSTS_A_DAY, seconds=86400)

    async def note(
        self,
        verdict: Verdict,
        source: Verdict | None,
        *,
        site: Site,
        page: str,
        network: str,
        now: datetime,
        is_held: bool = False,
    ) -> None:
        """Take one report: an undeclared host, and the party whose script asked for it (None: the page's own script).

        Anyone can report held hosts without having agreed to anything, so these have limits of their own.
        """
        verdict = shortened(verdict)
        if not verdict.is_undeclared or packed_address(verdict.host.strip("[]")) is not None:
            return
        if self._days.renews(now):
            self._told.clear()
        by = "" if source is None else source.vendor or source.host
        key, kind = (verdict.host, by, is_held), "held" if is_held else ""
        is_vendors = source is not None and source.vendor is not None
        if key in self._told or not self._networks.take(network + kind, now):
            return
        if not (is_vendors or self._is_common(verdict.host, network)) or not self._days.take(kind, now):
            return
        self._told.add(key)
        if not is_held:  # `Findings` logs held hosts
            self._log(verdict, by, site=site, page=page)
        add = partial(self._file.add, is_held=is_held)
        await to_thread.run_sync(add, verdict.host, by, shown_path(page), now.date())

    def _is_common(self, host: str, network: str) -> bool:
        """Return whether visitors from enough networks have reported a host."""
        if host not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
        networks = self._waiting.setdefault(host, set())
        networks.add(network)
        if len(networks) < VISITORS:
            return False
        del self._waiting[host]
        return True

    def _log(self, verdict: Verdict, by: str, *, site: Site, page: str) -> None:
        if (verdict.host, by) in self._logged:
            return
        self._logged.add((verdict.host, by))
        advice, lines = advice_on(verdict, site=site, path="", vendors=self._vendors, elements=["script"])
        shown = ascii(shown_path(page))[1:-1]
        whose = ascii(by)[1:-1] or "the page itself"
        line = "%s loads %s on %s: it is not declared (reported by browsers; reports can be forged); %s\n%s"
        logger.warning(line, whose, verdict.host, shown, advice, lines)


def is_of_extension(report: dict[str, object]) -> bool:
    """Return whether a report is about something that a visitor's extension or program added to the page."""
    texts = [str(report.get(name, ""))[:2048] for name in ("blocked-uri", "source-file")]
    hosts = [text.partition("://")[2].partition("/")[0].partition(":")[0] for text in texts]
    return any(map(EXTENSION.match, texts)) or any(map(ON_MACHINES.fullmatch, hosts))
