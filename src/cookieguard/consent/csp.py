"""The second wall: the Content-Security-Policy that a visitor's consent amounts to.

One `default-src` says it all: every fetch directive (script, style, img, font, connect, media, object, frame,
worker, manifest, prefetch) falls back to it. It carries host lists and `'unsafe-inline' 'unsafe-eval' blob:
data:`, never a nonce, a hash or `'strict-dynamic'`: each would switch `'unsafe-inline'` or the hosts off and
kill the shop's own scripts. `base-uri` stays out: whatever a foreign base resolves to is fetched under the
same `default-src`, and shops do keep their base on a CDN.
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
# Restricts nothing a page uses, and still is a policy: Chromium keeps a stored page's old policy when a 304
# brings none, so "everything is allowed" has to be said.
OPEN = b"manifest-src * data: blob:"
SOCKETS = ("ws:", "wss:")
# (visitors' states) x (hosts the shop is reached by); Host headers are free text, so it is bounded.
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
    """Write the policy for a page of `shop` and a visitor who granted these purposes.

    `report` is the path violations are posted to, empty for nowhere. A policy of more than `most` bytes (0: of any
    number) names fewer hosts; those it leaves out are held. The shop's and those of necessary vendors stay longest.

    OPEN where every host may be contacted: `undeclared = "report"` (an allow list cannot let unknown hosts
    through and stop known ones, so there the rewriter stands alone), or marketing granted under
    `undeclared = "marketing"` with nothing declared still held.
    """
    granted = granted | NOTHING_BEYOND
    is_open = register.is_open(granted)
    return _written(register, granted, shop, form_action, report, most, is_open=is_open)


def strict_policy(
    register: Register, *, shop: Site, form_action: str = "off", report: str = "", most: int = 0
) -> bytes:
    """Write the policy of a page the rewriter cannot read: nothing beyond necessary, whatever the state."""
    return _written(register, NOTHING_BEYOND, shop, form_action, report, most, is_open=False)


def declared_policy(register: Register, *, shop: Site, report: str, most: int) -> bytes:
    """Write the report-only policy that lists whom the shop declared, for visitors who agreed to everything.

    Where it would be longer than `most` bytes it lists domains; where that is too long too, it is empty.
    """
    sources = list(dict.fromkeys(_sources(register, register.ids, shop)))
    policy = _reporting(sources, report)
    if len(policy) > most:
        domains = dict.fromkeys(site_of(rule.host).domain or rule.host for rule in register.rules)
        policy = _reporting(["'self'", *(f"{start}{one}" for one in domains for start in ("", "*."))], report)
    return policy if len(policy) <= most else b""


def _reporting(sources: Iterable[str], report: str) -> bytes:
    return f"default-src {' '.join(sources)} {KEYWORDS}; report-uri {report}".encode("ascii")


def allowed_pattern(register: Register, granted: frozenset[str], *, shop: Site) -> str:
    """Write the policy's allowed hosts as a JavaScript pattern for absolute URLs, without blanks.

    The page's own origin is missing, which only the browser knows for sure. Where the policy is open and somebody is
    held all the same, the pattern takes whatever is not theirs.
    """
    granted = granted | NOTHING_BEYOND
    named = [one for one in _sources(register, granted, shop) if one != "'self'" and "://" not in one]
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


# Beside these a script contacts nobody that a policy would not stop.
NO_NETWORK = "^(?!(http|stun|turn)s?:)"


def _pattern(sources: Iterable[str]) -> str:
    """Write sources of a policy as one pattern; one that takes nothing where there are none."""
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
    if form_action == "strict":  # no form is sent to a socket
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
        if whole.isdisjoint(_parents(rule.host)):  # else a wildcard that is listed lets in all that this does
            yield from _rule_sources(rule, held)


@dataclass(frozen=True, slots=True)
class Held:
    """Hold what no pattern may let through: `hosts` that are held as a whole, and every domain with one `inside`."""

    hosts: frozenset[str]
    inside: frozenset[str]

    @classmethod
    def of(cls, rules: Iterable[HostRule]) -> Held:
        """Sort the rules of who is held."""
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
    """Return whether a pattern lets in all there is under its host."""
    return rule.is_wildcard and not rule.path and rule.port is None and rule.host not in held.inside


def _parents(host: str) -> Iterator[str]:
    while host:
        host = host.partition(".")[2]
        if host:
            yield host


def _own_sockets(shop: Site) -> Iterator[str]:
    # 'self' means ws: and wss: in Chromium and Firefox, not in every Safari. CSP has no grammar for IPv6
    # literals: there 'self' is all we can say.
    if HOST_NAME.fullmatch(shop.host):
        authority = f"{shop.host}:{shop.port}" if shop.port else shop.host
        yield f"ws://{authority}"
        yield f"wss://{authority}"


def _own_site(shop: Site) -> list[HostRule]:
    if not shop.domain:
        return []
    return [HostRule(host=shop.domain, is_wildcard=True, port=None, path="", vendor=None)]


def _alone(granted: Iterable[str]) -> Iterator[HostRule]:
    """Name the hosts that are let in for one document and that nobody declared."""
    for name in sorted(granted):
        if name.startswith(ONE_HOST):
            host = name.removeprefix(ONE_HOST)
            yield HostRule(host=host, is_wildcard=False, port=None, path="", vendor=None)


def _rule_sources(rule: HostRule, held: Held) -> Iterator[str]:
    """Write a granted pattern, without letting a held host through.

    An allow list cannot subtract. So a wildcard with a held host inside is left out and only its name itself
    stays (consent fails closed): who declares `stats.shop.example` lists siblings in `first_party_hosts`.
    """
    if rule.host not in held.hosts:
        yield from _with_socket(rule, rule.host)
    if rule.is_wildcard and rule.host not in held.inside:
        yield from _with_socket(rule, f"*.{rule.host}")


def _with_socket(rule: HostRule, host: str) -> Iterator[str]:
    # Without a scheme a source means http(s) like the page; ws: has to be named and covers wss:. A pattern
    # without a port means any port to the judge, so it must to the policy.
    path = quote(rule.path, safe="/!$&'()*+:@=~")  # a bare `;` or `,` would end the directive or the policy
    source = f"{host}:{rule.port or '*'}{path}"
    yield source
    yield f"ws://{source}"
