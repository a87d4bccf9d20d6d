"""The doctor's checks of settings: origins, trusted proxies, languages, links, and contracts that end.

Rule: a check only reads, and uses the network only if its caller allows that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from cookieguard.config import Config, Vendor
from cookieguard.config.languages import LANGUAGES, language_of
from cookieguard.consent import Register, shop_site

TIMEOUT_SECONDS = 5.0  # for connecting, and for each read
MOST_REDIRECTS = 5
MOST_URLS = 20
ERRORS = 400  # the first status code of an error
TURNED_AWAY = (403, 406, 429)  # the usual answers of a protection against bots
PLAIN = re.compile(r"http://(?!([^/:]+\.)?localhost(:|$)|127\.0\.0\.1(:|$)|\[::1\])")  # not loopback
ORIGINS = 'set origins = ["https://shop.example"] before the first choice: they name the consent log for good'


class Finding(NamedTuple):
    """Hold the result of one check. `mend` is the repair that is needed, empty if all is well.

    `advice` is a step for later, or one to consider if the shop may be right as it is.
    """

    check: str
    found: str
    mend: str = ""
    advice: str = ""
    day: date = date.max
    """The day by which it has to be done; `date.max` if there is none."""
    role: str = ""
    """The role of the staff who can do it; empty for the person who runs the server."""
    task: str = ""
    """The next step, in words for people without a shell."""
    page: str = ""
    """The staff page for the task, below the prefix; empty if it needs a command."""

    @property
    def what(self) -> str:
        """The task in one line; without a task, the check and what it found."""
        return self.task or f"{self.check[:1].upper()}{self.check[1:]}: {self.found}"

    @property
    def is_fine(self) -> bool:
        """Whether no repair is needed."""
        return not self.mend

    @property
    def is_due(self) -> bool:
        """Whether there is something to do, now or later."""
        return bool(self.mend or self.advice)


def examine_settings(config: Config, *, asks: bool) -> Iterator[Finding]:
    """Yield the findings on a configuration; `asks` opens the pages that the banner links to."""
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
    if any(ipaddress.ip_network(network).prefixlen == 0 for network in config.trusted_proxies):
        mend = "name only the addresses of your proxies in trusted_proxies"
        return Finding("proxies", "everybody is trusted: any client can claim any address", mend)
    return Finding("proxies", f"{count} addresses or networks are trusted")


def _languages(config: Config) -> Finding:
    mixed = ", ".join(purpose.id for purpose in config.purposes if purpose.has_one_text)
    spoken, given = config.languages, language_of(config.consent.language)
    named = f"all {len(spoken)} languages" if spoken == LANGUAGES else ", ".join(spoken)
    text = f"speaks {named}, by default {given}"
    advice = f"the text of {mixed} has no translations; docs/consent.md shows how to add them"
    return Finding("banner", text, advice=advice if mixed else "")


def _links(config: Config, *, asks: bool) -> Iterator[Finding]:
    if not (config.policy.privacy_url or config.policy.folder):  # with a folder, our page is linked
        advice = "set policy.privacy_url, so that visitors can read what they agree to"
        yield Finding("privacy policy", "the banner has no link to it", advice=advice)
    links = {"privacy policy": config.policy.privacy_url}
    links |= {f"policy of {vendor.name}": vendor.privacy_url for vendor in config.vendors}
    given = [(check, url) for check, url in links.items() if url]
    if not asks and given:
        yield Finding("links", f"{len(given)} to privacy policies; cookieguard doctor --urls opens them")
        return
    for check, url in given[:MOST_URLS]:
        yield _opened(check, url, config)


def _opened(check: str, url: str, config: Config) -> Finding:
    if url.startswith("/"):
        if not config.origins:
            return Finding(check, f"{url} was not opened", "set origins: the link is a path on the first one")
        url = config.origins[0] + url
    import httpx  # not at the top: it imports click and rich, a fifth of the time that a shop takes to start

    try:  # a proxy in the environment whose URL is not valid ends the first line
        browser = httpx.Client(follow_redirects=True, max_redirects=MOST_REDIRECTS, timeout=TIMEOUT_SECONDS)
        with browser, browser.stream("GET", url, headers={"accept": "text/html"}) as answer:
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(check, f"{url} cannot be opened ({type(error).__name__})", "repair page or link")
    if status in TURNED_AWAY:  # many sites behind a CDN admit only browsers
        return Finding(check, f"{url} answers {status}", advice="it may block programs: use a browser")
    mend = "link to a page that exists" if status >= ERRORS else ""
    return Finding(check, f"{url} answers {status}", mend)


SOON = timedelta(days=30)
# The countries where the GDPR applies: the EU and the EEA.
HOME = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()
)
RENEW = "enter the new contract_end when the contract is renewed, or remove the vendor"


def examine_contracts(config: Config, *, today: date) -> Iterator[Finding]:
    """Yield the findings on vendors' contracts that end, vendors that are held, and transfers without a basis."""
    for vendor in config.vendors:
        if vendor.held:
            yield Finding(f"vendor {vendor.name}", "held = true, so it is held for every visitor")
        elif vendor.is_lapsed(today):
            text = f"its contract ended on {vendor.contract_end}, so it is held for every visitor"
            yield _ending(vendor, text, mend=RENEW)
        if vendor.country and vendor.country not in HOME and not vendor.transfer:
            text = f"its data go to {vendor.country}, and no legal basis for that transfer is given"
            advice = 'set transfer = "adequacy", "clauses", "rules", "consent" or "contract"'
            task = f"Say why data of {vendor.name} may go to {vendor.country}"
            yield Finding(
                f"vendor {vendor.name}", text, advice=advice, task=task, page=vendor_page(vendor=vendor.name)
            )
    for vendor in ending(config, today=today):
        text = f"its contract ends on {vendor.contract_end}; from the next day it is held for every visitor"
        yield _ending(vendor, text, advice=RENEW)


def undeclared(hosts: Iterable[str], config: Config) -> list[str]:
    """Return the hosts of which the shop has yet to say whose they are."""
    own, site = config.first_party_hosts, shop_site(config)
    register = Register(purposes=config.purposes, vendors=config.vendors, first_party_hosts=own)
    others = (host for host in hosts if not register.is_named(host))
    return [host for host in others if register.judge(host, None, "", shop=site).is_undeclared]


def vendor_page(**asked: str) -> str:
    """Return the address, below the prefix, of the staff page on a third party, by `vendor` or `host`."""
    return f"vendors?{urlencode({name: text[:253] for name, text in asked.items()})}"  # no host is longer


def _ending(vendor: Vendor, text: str, *, mend: str = "", advice: str = "") -> Finding:
    task, day = f"Renew or end the contract with {vendor.name}", vendor.contract_end or date.max
    return Finding(
        f"vendor {vendor.name}", text, mend, advice, day, task=task, page=vendor_page(vendor=vendor.name)
    )


def ending(config: Config, *, today: date) -> list[Vendor]:
    """Return the vendors whose contract ends within 30 days, the earliest first."""
    due = [vendor for vendor in config.vendors if today <= (vendor.contract_end or date.min) <= today + SOON]
    return sorted(due, key=lambda vendor: vendor.contract_end or today)
