"""The second wall: the Content-Security-Policy that a visitor's consent amounts to.

One `default-src` says it all: every fetch directive (script, style, img, font, connect, media, object, frame,
worker, manifest, prefetch) falls back to it. It carries host lists and `'unsafe-inline' 'unsafe-eval' blob:
data:`, never a nonce, a hash or `'strict-dynamic'`: each would switch `'unsafe-inline'` or the hosts off and
kill the shop's own scripts. `base-uri` stays out: whatever a foreign base resolves to is fetched under the
same `default-src`, and shops do keep their base on a CDN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.consent.purposes import ONE_HOST, HostRule, Register
from cookieguard.consent.sites import HOST_NAME, Site

KEYWORDS = "'unsafe-inline' 'unsafe-eval' blob: data:"
# Restricts nothing a page uses, and still is a policy: Chromium keeps a stored page's old policy when a 304
# brings none, so "everything is allowed" has to be said.
OPEN = b"manifest-src * data: blob:"
# (visitors' states) x (hosts the shop is reached by); Host headers are free text, so it is bounded.
POLICIES_KEPT = 512


def policy_for(
    register: Register, granted: frozenset[str], *, shop: Site, form_action: str = "off", report: str = ""
) -> bytes:
    """Write the policy for a page of `shop` and a visitor who granted these purposes.

    `report` is the path violations are posted to, empty for nowhere.

    OPEN where every host may be contacted: `undeclared = "report"` (an allow list cannot let unknown hosts
    through and stop known ones, so there the rewriter stands alone), or marketing granted under
    `undeclared = "marketing"` with nothing declared still held.
    """
    granted = granted | NOTHING_BEYOND
    return _written(register, granted, shop, form_action, report, is_open=register.is_open(granted))


def strict_policy(register: Register, *, shop: Site, form_action: str = "off", report: str = "") -> bytes:
    """Write the policy of a page the rewriter cannot read: nothing beyond necessary, whatever the state."""
    return _written(register, NOTHING_BEYOND, shop, form_action, report, is_open=False)


@lru_cache(maxsize=POLICIES_KEPT)
def _written(
    register: Register,
    granted: frozenset[str],
    shop: Site,
    form_action: str,
    report: str,
    *,
    is_open: bool,
) -> bytes:
    hosts = " ".join(dict.fromkeys(_sources(register, granted, shop)))
    policy = OPEN.decode() if is_open else f"default-src {hosts} {KEYWORDS}"
    if form_action == "strict":
        policy += f"; form-action {hosts}"
    if report and not is_open:
        policy += f"; report-uri {report}"
    return policy.encode("ascii")


def _sources(register: Register, granted: frozenset[str], shop: Site) -> Iterator[str]:
    held = [rule for rule in register.rules if not rule.is_granted(granted)]
    yield "'self'"
    yield from _own_sockets(shop)
    for rule in [*_own_site(shop), *register.rules, *_alone(granted)]:
        if rule.is_granted(granted):
            yield from _rule_sources(rule, held)


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


def _rule_sources(rule: HostRule, held: Iterable[HostRule]) -> Iterator[str]:
    """Write a granted pattern, without letting a held host through.

    An allow list cannot subtract. So a wildcard with a held host inside is left out and only its name itself
    stays (consent fails closed): who declares `stats.shop.example` lists siblings in `first_party_hosts`.
    """
    if not any(_is_whole_host(one, rule.host) for one in held):
        yield from _with_socket(rule, rule.host)
    if rule.is_wildcard and not any(_is_inside(one, rule.host) for one in held):
        yield from _with_socket(rule, f"*.{rule.host}")


def _is_whole_host(rule: HostRule, host: str) -> bool:
    return rule.host == host and not rule.is_wildcard and not rule.path and rule.port is None


def _is_inside(rule: HostRule, host: str) -> bool:
    return rule.host.endswith(f".{host}") or (rule.host == host and rule.is_wildcard)


def _with_socket(rule: HostRule, host: str) -> Iterator[str]:
    # Without a scheme a source means http(s) like the page; ws: has to be named and covers wss:. A pattern
    # without a port means any port to the judge, so it must to the policy.
    path = quote(rule.path, safe="/!$&'()*+:@=~")  # a bare `;` or `,` would end the directive or the policy
    source = f"{host}:{rule.port or '*'}{path}"
    yield source
    yield f"ws://{source}"
