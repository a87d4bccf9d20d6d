"""Builds the Content-Security-Policy for a visitor's consent, the second defence after rewriting the page.

A single `default-src` suffices, because every fetch directive (script, style, img, font, connect, media, object, frame,
worker, manifest, prefetch) falls back to it. It has hosts and `'unsafe-inline' 'unsafe-eval' blob: data:`, but never a
nonce, a hash or `'strict-dynamic'`. Each of those would disable `'unsafe-inline'` or the hosts, and so the shop's own
scripts. There is no `base-uri`, because URLs relative to a foreign base are fetched under the same `default-src`, and
some shops have their base on a CDN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.consent.sites import HOST_NAME, Site, site_of
from cookieguard.consent.vendors import ONE_HOST, HostRule, Register

KEYWORDS = "'unsafe-inline' 'unsafe-eval' blob: data:"
# A policy without effect on pages. It is sent because Chromium keeps a stored page's old policy if a 304 has none.
OPEN = b"manifest-src * data: blob:"
SOCKETS = ("ws:", "wss:")
# One policy for each consent state and each host of the shop. Bounded, because clients choose the Host header.
POLICIES_KEPT = 512


def policy_for(
    register: Register,
    granted: frozenset[str],
    *,
    shop: Site,
    form_action: str = "off",
    report: str = "",
    most: int = 0,
) -> bytes:
    """Return the policy for a page of `shop` and a visitor who granted these purposes.

    `report` is the path to which browsers post violations, empty for no reports. To keep within `most` bytes (0: no
    limit), the policy omits hosts, which are then held. The shop's own and those of necessary vendors are omitted last.

    The policy is OPEN if every host may be contacted. With `undeclared = "report"` that is always so, because an allow
    list cannot admit unknown hosts and stop known ones; the rewriter is then the only defence. With
    `undeclared = "marketing"` it is so once marketing is granted and no declared host is held.
    """
    granted = granted | NOTHING_BEYOND
    is_open = register.is_open(granted)
    return _written(register, granted, shop, form_action, report, most, is_open=is_open)


def strict_policy(
    register: Register, *, shop: Site, form_action: str = "off", report: str = "", most: int = 0
) -> bytes:
    """Return the policy of a page that the rewriter cannot read: only necessary hosts, whatever the consent."""
    return _written(register, NOTHING_BEYOND, shop, form_action, report, most, is_open=False)


def declared_policy(register: Register, *, shop: Site, report: str, most: int) -> bytes:
    """Return the report-only policy with all declared hosts, for visitors who agreed to everything.

    If it is longer than `most` bytes, it lists domains instead of hosts. If that is too long too, it is empty.
    """
    sources = list(dict.fromkeys(_sources(register, register.ids, shop)))
    policy = _reporting(sources, report)
    if len(policy) > most:
        domains = dict.fromkeys(site_of(rule.host).domain or rule.host for rule in register.rules)
        policy = _reporting(
            ["'self'", *(f"{start}{name}" for name in domains for start in ("", "*."))], report
        )
    return policy if len(policy) <= most else b""


def _reporting(sources: Iterable[str], report: str) -> bytes:
    return f"default-src {' '.join(sources)} {KEYWORDS}; report-uri {report}".encode("ascii")


def allowed_pattern(register: Register, granted: frozenset[str], *, shop: Site) -> str:
    """Return the policy's allowed hosts as a JavaScript pattern for absolute URLs, without white space.

    It does not contain the page's own origin, which only the browser knows for certain. If the policy is open although
    some hosts are held, the pattern matches all other hosts.
    """
    granted = granted | NOTHING_BEYOND
    named = [
        source for source in _sources(register, granted, shop) if source != "'self'" and "://" not in source
    ]
    allowed = f"{NO_NETWORK}|{_pattern(named)}"
    if not register.is_open(granted):
        return allowed
    held = [
        source
        for rule in register.rules
        if not rule.is_granted(granted)
        for source in _rule_sources(rule, Held.of(()))
        if "://" not in source
    ]
    return f"{allowed}|^(?!{_pattern(held)[1:]})"


# Schemes other than these do not reach the network from a script, or the policy stops them.
NO_NETWORK = "^(?!(http|stun|turn)s?:)"


def _pattern(sources: Iterable[str]) -> str:
    """Return one pattern for these sources of a policy; without sources, one that never matches."""
    return rf"^\w+:(//)?([^/?#]*@)?({'|'.join(map(_source_pattern, sources)) or '(?!)'})"


def _source_pattern(source: str) -> str:
    authority, slash, path = source.partition("/")
    host, _, port = authority.rpartition(":")
    name = rf"([^/?#:]+\.){re.escape(host[2:])}" if host.startswith("*.") else re.escape(host)
    number = r"(:\d+)?" if port == "*" else f"(:{port})" + "?" * (port in ("80", "443"))
    end = re.escape(slash + path) + ("" if path.endswith("/") or (not path and slash) else r"([?#]|$)")
    return name + number + (end if slash else r"([/?#]|$)")


@lru_cache(maxsize=POLICIES_KEPT)
def _written(
    register: Register,
    granted: frozenset[str],
    shop: Site,
    form_action: str,
    report: str,
    most: int,
    *,
    is_open: bool,
) -> bytes:
    sources = list(dict.fromkeys(_sources(register, granted, shop)))
    policy = _policy(sources, form_action, report, is_open=is_open)
    while most and len(policy) > most and len(sources) > 1:
        sources = sources[: len(sources) * 9 // 10]
        policy = _policy(sources, form_action, report, is_open=is_open)
    return policy.encode("ascii")


def _policy(sources: Sequence[str], form_action: str, report: str, *, is_open: bool) -> str:
    policy = OPEN.decode() if is_open else f"default-src {' '.join(sources)} {KEYWORDS}"
    if form_action == "strict":  # without sockets, to which no form can be sent
        hosts = [source for source in sources if not source.startswith(SOCKETS)]
        policy += f"; form-action {' '.join(hosts)}"
    if report and not is_open:
        policy += f"; report-uri {report}"
    return policy


def _sources(register: Register, granted: frozenset[str], shop: Site) -> Iterator[str]:
    held = Held.of(rule for rule in register.rules if not rule.is_granted(granted))
    yield "'self'"
    yield from _own_sockets(shop)
    rules = [*_own_site(shop), *register.rules, *_alone(granted)]
    listed = [rule for rule in rules if rule.is_granted(granted)]
    whole = frozenset(rule.host for rule in listed if _is_whole_domain(rule, held))
    for rule in sorted(listed, key=lambda rule: rule.purpose != NECESSARY):
        if whole.isdisjoint(_parents(rule.host)):  # otherwise a listed wildcard covers this rule
            yield from _rule_sources(rule, held)


@dataclass(frozen=True, slots=True)
class Held:
    """The hosts that no pattern may allow: `hosts` held as a whole, and domains with a held host `inside`."""

    hosts: frozenset[str]
    inside: frozenset[str]

    @classmethod
    def of(cls, rules: Iterable[HostRule]) -> Held:
        """Return the hosts and domains of these held rules."""
        hosts: set[str] = set()
        inside: set[str] = set()
        for rule in rules:
            inside.update(_parents(rule.host))
            if rule.is_wildcard:
                inside.add(rule.host)
            elif not rule.path and rule.port is None:
                hosts.add(rule.host)
        return cls(frozenset(hosts), frozenset(inside))


def _is_whole_domain(rule: HostRule, held: Held) -> bool:
    """Return whether a pattern allows all hosts below its own."""
    return rule.is_wildcard and not rule.path and rule.port is None and rule.host not in held.inside


def _parents(host: str) -> Iterator[str]:
    while host:
        host = host.partition(".")[2]
        if host:
            yield host


def _own_sockets(shop: Site) -> Iterator[str]:
    # 'self' includes ws: and wss: in Chromium and Firefox, but not in every Safari. CSP has no syntax for IPv6
    # addresses, so for those the policy has only 'self'.
    if HOST_NAME.fullmatch(shop.host):
        authority = f"{shop.host}:{shop.port}" if shop.port else shop.host
        yield f"ws://{authority}"
        yield f"wss://{authority}"


def _own_site(shop: Site) -> list[HostRule]:
    if not shop.domain:
        return []
    return [HostRule(host=shop.domain, is_wildcard=True, port=None, path="", vendor=None)]


def _alone(granted: Iterable[str]) -> Iterator[HostRule]:
    """Yield rules for the undeclared hosts that are allowed for one document."""
    for name in sorted(granted):
        if name.startswith(ONE_HOST):
            host = name.removeprefix(ONE_HOST)
            yield HostRule(host=host, is_wildcard=False, port=None, path="", vendor=None)


def _rule_sources(rule: HostRule, held: Held) -> Iterator[str]:
    """Yield the sources of a granted pattern, except those that would allow a held host.

    An allow list cannot exclude hosts. A wildcard that contains a held host is therefore reduced to its own name. A
    shop that declares `stats.shop.example` must list its other subdomains in `first_party_hosts`.
    """
    if rule.host not in held.hosts:
        yield from _with_socket(rule, rule.host)
    if rule.is_wildcard and rule.host not in held.inside:
        yield from _with_socket(rule, f"*.{rule.host}")


def _with_socket(rule: HostRule, host: str) -> Iterator[str]:
    # A source without a scheme means http(s), like the page; ws: must be named and includes wss:. A pattern without a
    # port means any port in `judge`, and therefore also here.
    path = quote(rule.path, safe="/!$&'()*+:@=~")  # an unescaped `;` or `,` would end directive or policy
    source = f"{host}:{rule.port or '*'}{path}"
    yield source
    yield f"ws://{source}"
