"""The register of purposes and vendors: which vendor a host belongs to, and whether a visitor's consent allows it.

On strict pages, such as a checkout, only necessary vendors are allowed.

Rule: pure look-ups in the configuration. `judge` runs for every URL of every page, so verdicts are cached (bounded).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

from cookieguard.config.purposes import NECESSARY, Purpose, Vendor
from cookieguard.consent.sites import HOST_NAME, Site, normal_host, normal_port
from cookieguard.errors import ConfigError

# The purpose of an undeclared host, unless `undeclared` counts it as marketing. Purpose ids cannot contain "!", so
# visitors cannot grant these.
BLOCKED = "!block"
REPORTED = "!report"
LAPSED = "!lapsed"  # the purpose of a vendor whose contract has ended, which visitors cannot grant either
UNDECLARED_PURPOSE = {"marketing": "marketing", "block": BLOCKED, "report": REPORTED}
# A grant for one document is added to the granted purposes, as a vendor's name or an undeclared host after one of these
# prefixes, which no purpose id can have.
ONE_VENDOR, ONE_HOST = "@vendor ", "@host "
# A vendor that a customer's own terms exclude is added too, with this prefix. It overrides every grant.
WITHOUT = "!without "
# Added on strict pages, where only necessary vendors are allowed. No vendor has the name `*`.
STRICT = f"{WITHOUT}*"
REFUSED = "!refused"  # added if the visitor refused a purpose that the shop no longer asks for
# 20,000 short keys are about 4 MB; a page names 42 third-party hosts at the median.
VERDICTS_KEPT = 20_000
LONGEST_NAME = 253  # of a host (RFC 1035)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The purpose and vendor of a host (None if it is undeclared), or that it is the shop's own."""

    host: str
    purpose: str
    vendor: str | None = None
    is_first_party: bool = False
    port: int | None = None
    """The port of an undeclared host, unless it is a default port."""

    @property
    def pattern(self) -> str:
        """Return the pattern that would declare this host."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def is_undeclared(self) -> bool:
        """Return whether this is a third party without a declaration, which is reported to the owner."""
        return self.vendor is None and not self.is_first_party

    @property
    def alone(self) -> str:
        """Return the grant that allows only this party, for one document."""
        return f"{ONE_HOST}{self.host}" if self.vendor is None else f"{ONE_VENDOR}{self.vendor}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """A declared host pattern, parsed; `vendor` is None for `first_party_hosts`."""

    host: str
    is_wildcard: bool
    port: int | None
    path: str
    vendor: Vendor | None
    is_lapsed: bool = False
    """Whether the contract with the vendor has ended, so that it is held for all visitors."""

    @property
    def pattern(self) -> str:
        """Return the pattern as it was declared."""
        port = "" if self.port is None else f":{self.port}"
        return f"{'*.' if self.is_wildcard else ''}{self.host}{port}{self.path}"

    @property
    def purpose(self) -> str:
        """Return the purpose that must be granted for this host."""
        if self.is_lapsed:
            return LAPSED
        return self.vendor.purpose if self.vendor else NECESSARY

    def is_granted(self, granted: frozenset[str]) -> bool:
        """Return whether a visitor with these grants may contact this host."""
        if self.is_lapsed or self.is_kept(granted):
            return False
        return self.purpose in granted or (
            self.vendor is not None and f"{ONE_VENDOR}{self.vendor.name}" in granted
        )

    def is_kept(self, granted: frozenset[str]) -> bool:
        """Return whether the visitor's own terms exclude this vendor."""
        return self.vendor is not None and f"{WITHOUT}{self.vendor.name}" in granted

    def covers(self, port: int | None, path: str) -> bool:
        """Return whether port and path match. As in CSP, a path ending in `/` is a prefix, and any other is exact."""
        if not self.covers_port(port):
            return False
        return not self.path or _is_within(path, self.path)

    def may_cover(self, port: int | None, path: str) -> bool:
        """Return whether a backend may serve this vendor, which needs consent, at a path from `as_backends_read`."""
        is_held = bool(self.path) and self.vendor is not None and self.purpose != NECESSARY
        return is_held and self.covers_port(port) and _is_within(path, as_backends_read(self.path))

    def covers_port(self, port: int | None) -> bool:
        """Return whether the port matches."""
        return self.port is None or normal_port(self.port) == normal_port(port)


class Register:
    """Hold every purpose, vendor and declared host, and the cache of verdicts. Does not change once it is made.

    `today` decides which vendors' contracts have ended; without it, none have.
    """

    def __init__(
        self,
        *,
        purposes: Sequence[Purpose],
        vendors: Sequence[Vendor] = (),
        undeclared: str = "marketing",
        first_party_hosts: Sequence[str] = (),
        today: date | None = None,
    ) -> None:
        self.lapsed = frozenset(each.name for each in vendors if today is not None and each.is_lapsed(today))
        self.purposes = tuple(purposes)
        self.vendors = tuple(vendors)
        self.undeclared = undeclared
        self.ids = frozenset(purpose.id for purpose in purposes)
        self.rules = tuple(_rules(vendors, first_party_hosts, self.lapsed))
        self.has_paths = any(rule.path for rule in self.rules)
        self._exact, self._wild = _tables(self.rules)
        self._verdicts: dict[tuple[str, int | None, str], Verdict | None] = {}

    def judge(self, host: str, port: int | None, path: str, *, shop: Site) -> Verdict:
        """Return the verdict on `host`, seen from a page of `shop`; `path` is the URL's path without its query.

        The most specific declaration wins: the exact host before `*.host` before `*.parent`, and a path or port before
        none. A declared host on the shop's site belongs to its vendor. On the shop's own host only paths do.
        """
        key = (host, port, shop.key)
        found = self._verdicts.get(key, ...)
        if found is None:
            return self._verdict(host, port, path, shop)
        if found is not ...:
            return found
        if len(self._verdicts) >= VERDICTS_KEPT:
            self._verdicts.clear()
        # None marks a host whose verdict depends on the path.
        verdict = self._verdict(host, port, path, shop)
        self._verdicts[key] = None if self.is_by_path(host) else verdict
        return verdict

    def pattern_of(self, host: str, port: int | None, path: str, *, shop: Site) -> str:
        """Return the declared pattern that decides about a host; empty if there is none."""
        host = normal_host(host)
        is_page_host = host == shop.host and normal_port(port) == shop.port
        rule = self._rule_for(host, port, path, is_page_host=is_page_host)
        return "" if rule is None else rule.pattern

    def is_named(self, host: str) -> bool:
        """Return whether a declaration names a host, even if only with a port or path."""
        return any(self._matching(normal_host(host)))

    def is_by_path(self, host: str) -> bool:
        """Return whether the verdict on a host depends on the URL's path."""
        return any(rule.path for rule in self._matching(normal_host(host)))

    def holds(self, verdict: Verdict, granted: frozenset[str]) -> bool:
        """Return whether a load must be held for a visitor with these grants.

        An undeclared host is allowed only if the policy is open. A policy with a list of hosts does not name it, so the
        browser would block an element that the rewriter lets through.
        """
        if verdict.purpose == LAPSED:
            return True
        if verdict.vendor is not None and f"{WITHOUT}{verdict.vendor}" in granted:
            return True
        if STRICT in granted:
            return verdict.purpose != NECESSARY
        if verdict.alone in granted:
            return False
        if verdict.is_undeclared and verdict.purpose != REPORTED:
            return not self.is_open(granted)
        return verdict.purpose not in granted and verdict.purpose not in (NECESSARY, REPORTED)

    def party(self, alone: str, *, shop: Site) -> Verdict | None:
        """Return the verdict on the party that this grant allows alone; None if it is unknown or never allowed.

        An undeclared host is allowed alone only if it counts as marketing and a policy can contain its name.
        """
        if alone.startswith(ONE_VENDOR):
            name = alone.removeprefix(ONE_VENDOR)
            known = next((vendor for vendor in self.vendors if vendor.name == name), None)
            return None if known is None or known.name in self.lapsed else self.verdict_on(known, "")
        host = alone.removeprefix(ONE_HOST)
        if alone == host or not HOST_NAME.fullmatch(host) or len(host) > LONGEST_NAME:
            return None
        verdict = self._verdict(host, None, "/", shop)
        return verdict if verdict.is_undeclared and verdict.purpose in self.ids else None

    def verdict_on(self, vendor: Vendor, host: str) -> Verdict:
        """Return the verdict on a host of this vendor."""
        return Verdict(host, LAPSED if vendor.name in self.lapsed else vendor.purpose, vendor.name)

    def holds_nobody(self, granted: frozenset[str]) -> bool:
        """Return whether a visitor with these grants may contact every host."""
        purposes = {rule.purpose for rule in self.rules} | {UNDECLARED_PURPOSE[self.undeclared]}
        return purposes <= granted | {NECESSARY, REPORTED} and not keeps_any(granted)

    def has_all(self, granted: frozenset[str]) -> bool:
        """Return whether a visitor agreed to all purposes; false if the shop asks for none but the necessary one."""
        return {NECESSARY} < self.ids <= granted | {NECESSARY} and REFUSED not in granted

    def leaves_own(self, shop: Site) -> bool:
        """Return whether no declaration has a path on the page's own host."""
        return not any(rule.path for rule in self._matching(normal_host(shop.host)))

    def is_open(self, granted: frozenset[str]) -> bool:
        """Return whether the policy allows any host: every declared host is granted, and marketing covers the others.

        With `undeclared = "report"` it does: an allow list cannot admit unknown hosts and stop known ones.
        """
        if STRICT in granted:
            return False
        if self.undeclared == "report":
            return True
        has_all = all(rule.purpose in granted for rule in self.rules) and not keeps_any(granted)
        return self.undeclared == "marketing" and "marketing" in granted and has_all

    def _verdict(self, host: str, port: int | None, path: str, shop: Site) -> Verdict:
        host = normal_host(host)
        is_page_host = host == shop.host and normal_port(port) == shop.port
        rule = self._rule_for(host, port, path, is_page_host=is_page_host)
        if rule is not None:
            return _verdict_by(rule, host)
        if is_page_host or shop.holds(host, port):
            return _own(host)
        return Verdict(host, UNDECLARED_PURPOSE[self.undeclared], port=normal_port(port))

    def _rule_for(self, host: str, port: int | None, path: str, *, is_page_host: bool) -> HostRule | None:
        """Return the narrowest rule that matches exactly, or else one that matches the path as backends may read it."""
        path = unquote(path)
        plain = as_backends_read(path)
        near: HostRule | None = None
        for rule in self._matching(host):
            if is_page_host and not rule.path:
                continue
            if near is not None and _narrowest(near)[0] != _narrowest(rule)[0]:
                break
            if rule.covers(port, path):
                return rule
            if near is None and rule.may_cover(port, plain):
                near = rule
        return near

    def _matching(self, host: str) -> Iterator[HostRule]:
        yield from self._exact.get(host, ())
        while host:
            yield from self._wild.get(host, ())
            host = host.partition(".")[2]


def as_backends_read(path: str) -> str:
    """Return a decoded path as the most lenient backend reads it.

    nginx merges slashes and resolves `..` after encoded slashes, and file systems and routers may ignore case.

    >>> as_backends_read("//Matomo/./x.js"), as_backends_read("/a/../matomo/")
    ('/matomo/x.js', '/matomo/')
    """
    kept: list[str] = []
    segments = path.lower().replace("\\", "/").split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    is_folder = segments[-1] in ("", ".", "..") and bool(kept)
    return "/" + "/".join(kept) + "/" * is_folder


def is_once(granted: Iterable[str]) -> bool:
    """Return whether one of these grants is for one document only."""
    return any(name.startswith((ONE_VENDOR, ONE_HOST)) for name in granted)


def keeps_any(granted: Iterable[str]) -> bool:
    """Return whether the visitor's own terms or a strict page exclude a vendor."""
    return any(name.startswith(WITHOUT) for name in granted)


def first_party_line(*patterns: str) -> str:
    """Return the TOML line that declares these hosts, and no others, as the shop's own."""
    return f"first_party_hosts = {json.dumps(patterns)}"


def _is_within(path: str, declared: str) -> bool:
    return path == declared or (declared.endswith("/") and path.startswith(declared))


def _verdict_by(rule: HostRule, host: str) -> Verdict:
    if rule.vendor is None:
        return _own(host)
    return Verdict(host, rule.purpose, rule.vendor.name)


def _own(host: str) -> Verdict:
    return Verdict(host, NECESSARY, is_first_party=True)


def _rules(
    vendors: Iterable[Vendor], first_party_hosts: Iterable[str], lapsed: frozenset[str]
) -> Iterator[HostRule]:
    seen: dict[str, str] = {}
    declared = [(f"vendors.{vendor.name}.hosts", vendor, host) for vendor in vendors for host in vendor.hosts]
    own = [("first_party_hosts", None, host) for host in first_party_hosts]
    for setting, vendor, pattern in [*declared, *own]:
        # Consent is decided per purpose, so a host must not have two.
        if pattern in seen:
            raise ConfigError(setting, was=repr(pattern), allowed=f"a host that is not in {seen[pattern]}")
        seen[pattern] = setting
        yield _rule(pattern, vendor, is_lapsed=vendor is not None and vendor.name in lapsed)


def _rule(pattern: str, vendor: Vendor | None, *, is_lapsed: bool) -> HostRule:
    authority, slash, rest = pattern.partition("/")
    host, _, port = authority.partition(":")
    return HostRule(
        host=host.removeprefix("*."),
        is_wildcard=host.startswith("*."),
        port=int(port) if port else None,
        path=unquote(slash + rest) if rest else "",
        vendor=vendor,
        is_lapsed=is_lapsed,
    )


_Table = dict[str, tuple[HostRule, ...]]


def _tables(rules: Iterable[HostRule]) -> tuple[_Table, _Table]:
    tables: tuple[dict[str, list[HostRule]], dict[str, list[HostRule]]] = ({}, {})
    for rule in rules:
        tables[rule.is_wildcard].setdefault(rule.host, []).append(rule)
    exact, wild = (
        {host: tuple(sorted(found, key=_narrowest)) for host, found in table.items()} for table in tables
    )
    return exact, wild


def _narrowest(rule: HostRule) -> tuple[int, bool]:
    return (-len(rule.path), rule.port is None)


class StrictPaths:
    """The declared strict paths; each includes its page and all pages below it.

    >>> StrictPaths(["/checkout"]).has("//Checkout/card"), StrictPaths(["/checkout"]).has("/checkouts")
    (True, False)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.folders = tuple(as_backends_read(unquote(path)).rstrip("/") + "/" for path in paths)

    def has(self, path: str) -> bool:
        """Return whether a decoded path is strict, either literally or as the most lenient backend reads it.

        Both count, because a router may match `/checkout/..%2Fa` literally, as a path below `/checkout`.
        """
        if not self.folders:
            return False
        ways = path.lower(), as_backends_read(path)
        return any((way.rstrip("/") + "/").startswith(self.folders) for way in ways)

    def narrowed(self, granted: frozenset[str], path: str) -> frozenset[str]:
        """Return the grants that apply to a page: all of them, or on a strict page only exclusions."""
        if not self.has(path):
            return granted
        return frozenset({STRICT, *(name for name in granted if name.startswith(WITHOUT))})
