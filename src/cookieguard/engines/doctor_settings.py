"""What `cookieguard doctor` says of the settings: the proxies believed, where links lead, contracts that end.

Rule: a check only looks, and asks the network only where it was told to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from cookieguard.config import Config, Vendor
from cookieguard.config.languages import LANGUAGES, language_of

TIMEOUT_SECONDS = 5.0  # for each page: connecting, and every read
MOST_REDIRECTS = 5
MOST_URLS = 20
ERRORS = 400  # the first status of them
TURNED_AWAY = (403, 406, 429)  # what protection from bots answers
PLAIN = re.compile(r"http://(?!([^/:]+\.)?localhost(:|$)|127\.0\.0\.1(:|$)|\[::1\])")  # beyond loopback
ORIGINS = 'set origins = ["https://shop.example"] before the first choice: they name the consent log for good'


class Finding(NamedTuple):
    """Say what one check found; `mend` is what to do, empty where all is well.

    `advice` is what to do soon, or to think of where it may be well as it is.
    """

    check: str
    found: str
    mend: str = ""
    advice: str = ""
    day: date = date.max
    """The day by which it has to be done; the last one of all where there is none."""
    role: str = ""
    """The role of the staff who do it; empty for the person who runs the server."""
    task: str = ""
    """The next step, in words for people without a shell."""
    page: str = ""
    """The page of staff on which that is done, below the prefix; empty where a command does it."""

    @property
    def what(self) -> str:
        """What to do, in one line; for a check that fails, what it found."""
        return self.task or f"{self.check[:1].upper()}{self.check[1:]}: {self.found}"

    @property
    def is_fine(self) -> bool:
        """Nothing need be done."""
        return not self.mend

    @property
    def is_due(self) -> bool:
        """Somebody has to do something, now or soon."""
        return bool(self.mend or self.advice)


def examine_settings(config: Config, *, asks: bool) -> Iterator[Finding]:
    """Yield what is to be said of a configuration; `asks` opens the pages that the banner links to."""
    yield _origins(config)
    yield _proxies(config)
    if config.cache.mode == "shared":
        advice = "check the cache in front: cookieguard check --edge https://shop.example/"
        yield Finding("cache", "shared caches may keep pages", advice=advice if asks else "")
    yield _languages(config)
    yield from _links(config, asks=asks)


def _origins(config: Config) -> Finding:
    if config.origins:
        count = f"{len(config.origins)}, the first is {config.origins[0]}"
        is_plain = any(map(PLAIN.match, config.origins)) and not config.dev
        advice = "browsers drop Secure cookies of http origins other than loopback" if is_plain else ""
        return Finding("origins", count, advice=advice)
    if config.dev:
        return Finding("origins", "none; in dev mode, local hosts, testserver and *.test count as the shop")
    return Finding("origins", "none, so every Host header counts as the shop", advice=ORIGINS)


def _proxies(config: Config) -> Finding:
    count = len(config.trusted_proxies)
    if not count:
        advice = "behind a proxy, name it in trusted_proxies; otherwise all visitors share its address"
        return Finding("proxies", "none is trusted", advice=advice)
    if any(ipaddress.ip_network(one).prefixlen == 0 for one in config.trusted_proxies):
        mend = "name only the addresses of your proxies in trusted_proxies"
        return Finding("proxies", "everybody is trusted: any client can claim any address", mend)
    return Finding("proxies", f"{count} addresses or networks are trusted")


def _languages(config: Config) -> Finding:
    mixed = ", ".join(one.id for one in config.purposes if one.has_one_text)
    spoken, given = config.languages, language_of(config.consent.language)
    named = f"all {len(spoken)} languages" if spoken == LANGUAGES else ", ".join(spoken)
    told = f"speaks {named}, by default {given}"
    advice = f"the text of {mixed} has no translations; docs/consent.md shows how to add them"
    return Finding("banner", told, advice=advice if mixed else "")


def _links(config: Config, *, asks: bool) -> Iterator[Finding]:
    if not (config.policy.privacy_url or config.policy.folder):  # with a folder our own page of it is linked
        advice = "set policy.privacy_url, so that visitors can read what they agree to"
        yield Finding("privacy policy", "the banner has no link to it", advice=advice)
    links = {"privacy policy": config.policy.privacy_url}
    links |= {f"policy of {one.name}": one.privacy_url for one in config.vendors}
    given = [(check, url) for check, url in links.items() if url]
    if not asks and given:
        yield Finding("links", f"{len(given)} to privacy policies; cookieguard doctor --urls opens them")
        return
    for check, url in given[:MOST_URLS]:
        yield _looked_at(check, url, config)


def _looked_at(check: str, url: str, config: Config) -> Finding:
    if url.startswith("/"):
        if not config.origins:
            return Finding(check, f"{url} was not opened", "set origins: the link is a path on the first one")
        url = config.origins[0] + url
    import httpx  # it brings click and rich, a fifth of importing the package: a shop that starts need not wait

    try:
        status = _status_of(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(check, f"{url} cannot be opened ({type(error).__name__})", "repair page or link")
    if status in TURNED_AWAY:  # many a site behind a CDN lets in browsers alone
        return Finding(check, f"{url} answers {status}", advice="it may block programs: use a browser")
    mend = "link to a page that exists" if status >= ERRORS else ""
    return Finding(check, f"{url} answers {status}", mend)


def _status_of(url: str) -> int:
    """Open a page as a browser does, and read none of its body."""
    import httpx

    with (
        httpx.Client(follow_redirects=True, max_redirects=MOST_REDIRECTS, timeout=TIMEOUT_SECONDS) as client,
        client.stream("GET", url, headers={"accept": "text/html"}) as answer,
    ):
        return answer.status_code


SOON = timedelta(days=30)
# Where the GDPR applies: the EU and the EEA.
HOME = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()
)
VENDORS = "vendors"  # the page of staff
RENEW = "enter the new contract_end when the contract is renewed, or remove the vendor"


def examine_contracts(config: Config, *, today: date) -> Iterator[Finding]:
    """Yield findings about contracts with vendors; a contract without an end has none."""
    for vendor in config.vendors:
        if vendor.held:
            yield Finding(f"vendor {vendor.name}", "held = true, so it is held for every visitor")
        elif vendor.is_lapsed(today):
            told = f"its contract ended on {vendor.contract_end}, so it is held for every visitor"
            yield _ending(vendor, told, mend=RENEW)
        if vendor.country and vendor.country not in HOME and not vendor.transfer:
            told = f"its data go to {vendor.country}, and no legal basis for that transfer is given"
            advice = 'set transfer = "adequacy", "clauses", "rules", "consent" or "contract"'
            task = f"Say why data of {vendor.name} may go to {vendor.country}"
            yield Finding(f"vendor {vendor.name}", told, advice=advice, task=task, page=VENDORS)
    for vendor in ending(config, today=today):
        told = f"its contract ends on {vendor.contract_end}; from the next day it is held for every visitor"
        yield _ending(vendor, told, advice=RENEW)


def _ending(vendor: Vendor, told: str, *, mend: str = "", advice: str = "") -> Finding:
    task, day = f"Renew or end the contract with {vendor.name}", vendor.contract_end or date.max
    return Finding(f"vendor {vendor.name}", told, mend, advice, day, task=task, page=VENDORS)


def ending(config: Config, *, today: date) -> list[Vendor]:
    """Return the vendors whose contract ends within 30 days, the first first."""
    found = [one for one in config.vendors if one.contract_end and today <= one.contract_end <= today + SOON]
    return sorted(found, key=lambda one: one.contract_end or today)
