"""Examine what the settings claim about vendors, hosts, cookies, the policy and the controller; and the banner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from cookieguard.config import Config, Entry, Vendor, load_catalogue
from cookieguard.config.catalogue import DELIVERS
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import site_of
from cookieguard.engines.doctor_settings import Finding, examine_contracts
from cookieguard.errors import ConfigError
from cookieguard.features.policy.folder import read_versions
from cookieguard.web.banner.free_choice import faults_of

RESPONSIBLE = 'set both in [controller], the address as a list: address = ["1 Mug Lane", "Dublin"]'
LONGEST_CONSENT = 13 * 30 * 86400  # seconds; the French authority (CNIL) recommends 6 months and allows 13


def examine_promises(config: Config, *, today: date) -> Iterator[Finding]:
    """Yield the findings on purposes, vendors, cookies and the policy."""
    for vendor in config.vendors:
        if vendor.purpose == NECESSARY:
            yield _necessary(vendor)
    yield from examine_contracts(config, today=today)
    yield from _wide(config)
    yield from _own_hosts(config)
    yield from _own_cookies(config)
    yield from _weakened(config)
    yield from _notice(config, today)
    yield from _controller(config)


def _necessary(vendor: Vendor) -> Finding:
    check, entry = f"vendor {vendor.name}", _entry_of(vendor)
    when = entry.necessary_when if entry is not None else ""
    if not vendor.reason:
        known = f"; it is necessary where {when}" if when else ""
        return Finding(check, "necessary without a reason", f'say why, reason = "..."{known}')
    by = f" by {vendor.basis}" if vendor.basis else ""
    text = f"necessary{by}: {vendor.reason}"
    if entry is not None and not when:
        return Finding(check, text, advice=f"the catalogue knows no case in which {entry.name} is necessary")
    return Finding(check, text)


def _entry_of(vendor: Vendor) -> Entry | None:
    catalogue = load_catalogue()
    if vendor.catalogue:
        return catalogue.find(vendor.catalogue)
    host, slash, path = vendor.hosts[0].removeprefix("*.").partition("/")
    return catalogue.by_host(host.partition(":")[0], slash + path)


def _wide(config: Config) -> Iterator[Finding]:
    """Yield a finding for each pattern that covers hosts of many owners, such as `*.com`."""
    named = [("first_party_hosts", pattern) for pattern in config.first_party_hosts]
    named += [(f"vendor {vendor.name}", pattern) for vendor in config.vendors for pattern in vendor.hosts]
    for check, pattern in named:
        domain = pattern.partition("/")[0].removeprefix("*.")
        # The catalogue may have a public suffix, if its owner runs all hosts below it for customers.
        if (
            pattern.startswith("*.")
            and not site_of(domain).domain
            and load_catalogue().by_host(domain) is None
        ):
            mend = "name the hosts, or a domain with one owner: *.ads.example"
            yield Finding(check, f"{pattern} covers the hosts of every owner below {domain}", mend)


def _own_hosts(config: Config) -> Iterator[Finding]:
    for pattern in config.first_party_hosts:
        host, slash, path = pattern.removeprefix("*.").partition("/")
        entry = load_catalogue().by_host(host.partition(":")[0], slash + path)
        if entry is None and pattern.startswith("*."):
            entry = next(
                (known for known in load_catalogue().below(host) if known.category not in DELIVERS), None
            )
        if entry is not None and entry.category not in DELIVERS:
            mend = f'remove it from first_party_hosts, and add "{entry.id}" to vendors'
            yield Finding("first_party_hosts", f"{pattern} belongs to {entry.name}, not to the shop", mend)


def _own_cookies(config: Config) -> Iterator[Finding]:
    for cookie in config.cookies.own:
        entry = load_catalogue().by_cookie(cookie.name) if cookie.purpose == NECESSARY else None
        if entry is not None and entry.purpose != NECESSARY:
            purpose = entry.purpose_in(config.purpose_preset)
            mend = f'give it the purpose "{purpose}", or add "{entry.id}" to vendors'
            yield Finding("cookies.own", f"{cookie.name} is called necessary, but is {entry.name}'s", mend)


def _weakened(config: Config) -> Iterator[Finding]:
    """Yield a finding for each setting that lets more through, or asks visitors less often, than the default."""
    asked = [vendor.name for vendor in config.vendors if vendor.purpose != NECESSARY]
    if config.undeclared == "report":
        yield Finding("undeclared", "undeclared hosts are let through", advice="set it to marketing or block")
    if not config.consent.gpc:
        yield Finding("consent.gpc", "opt-out signals are ignored", advice="California's law protects them")
    if not (config.consent.enabled and config.html.enabled):
        text = "visitors are not asked" + (f", so {len(asked)} vendors stay held" if asked else "")
        yield Finding("banner", text, advice="consent.enabled = true and html.enabled = true show it")
    if config.cookies.consent.max_age > LONGEST_CONSENT:
        days = config.cookies.consent.max_age // 86400
        yield Finding("cookies.consent", f"a choice lasts {days} days", advice="ask again after 6 months")


def _controller(config: Config) -> Iterator[Finding]:
    """Yield findings on details of the controller that the privacy page must have (art. 13(1)(a) GDPR)."""
    missing = [name for name in ("name", "address") if not getattr(config.controller, name)]
    if config.rights.enabled and missing:
        text = f"{config.prefix}privacy does not say who is responsible: it lacks {' and '.join(missing)}"
        yield Finding("controller", text, advice=RESPONSIBLE)
    ways = (config.rights.login_url, config.controller.email, config.rights.hooks)
    if config.rights.enabled and not any(ways):
        text = f"visitors without a login cannot make a request on {config.prefix}privacy"
        yield Finding("requests", text, advice="set rights.login_url, or controller.email")


def _notice(config: Config, today: date) -> Iterator[Finding]:
    if config.policy.folder:
        yield from _texts(config, today)
        return
    effective = config.policy.effective
    if effective is None or effective <= today:
        return
    days = (effective - today).days
    text = f"version {config.policy.version} asks all visitors again in {days} days"
    notice = config.policy.notice_days
    late = f"it must be announced {notice} days ahead: check that it was" if days < notice else ""
    yield Finding("policy notice", text, advice=late)


def _texts(config: Config, today: date) -> Iterator[Finding]:
    """Yield the findings on the versions in the policy's folder; a version with too short a notice is an error."""
    try:
        versions = read_versions(config)
    except ConfigError as error:
        yield Finding("policy", str(error), "correct this version")
        return
    yield Finding("policy", f"{len(versions)} versions load, the newest is {versions[-1].name}")
    for version in versions:
        if version.effective > today:
            days, announced = (version.effective - today).days, version.announced
            yield Finding(
                "policy notice", f"{version.name} takes effect in {days} days, announced {announced}"
            )


def examine_banner(page: str, check: str = "banner") -> Iterator[Finding]:
    """Yield the findings on the banner in a page, or on the HTML of a banner alone."""
    faults = faults_of(page)
    if faults is None:
        mend = "see that the page ends with </body>, and that no template removes the banner"
        yield Finding(check, "the page has none", mend)
        return
    for fault, mend in faults:
        yield Finding(check, fault, mend)
    if not faults:
        yield Finding(check, "refusing is as easy as accepting, and nothing is ticked beforehand")
