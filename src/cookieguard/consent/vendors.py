"""The register of purposes and vendors, and the judge: whose is a host, and is it held for this visitor. On
strict pages, such as a checkout, only what is necessary is let in.

Rule: pure look-ups over what configuration declared. The judge is the hot path of every page, so answers are
kept in one bounded dict per register.
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

# Verdict.purpose of a host nobody declared, where `undeclared` does not count it as marketing. No purpose id
# can look like these, so neither can ever be granted by a visitor.
BLOCKED = "!block"
REPORTED = "!report"
LAPSED = "!lapsed"  # Verdict.purpose of a vendor whose contract has ended: nobody can agree to that
UNDECLARED_PURPOSE = {"marketing": "marketing", "block": BLOCKED, "report": REPORTED}
# What is granted for one document stands among the purposes under a name no purpose can have: a vendor's name, or
# the host of somebody whom nobody declared.
ONE_VENDOR, ONE_HOST = "@vendor ", "@host "
# What a customer's own terms keep from them stands there too: nothing that is granted beside it counts.
WITHOUT = "!without "
# And what a page may say of itself: nobody is let in but who is necessary. As a vendor's name it would keep that one.
STRICT = f"{WITHOUT}*"
REFUSED = "!refused"  # a purpose that is asked for no more: the visitor did not agree to everything
# 20,000 short keys are about 4 MB; a page names 42 third-party hosts at the median.
VERDICTS_KEPT = 20_000
LONGEST_NAME = 253  # of a host (RFC 1035)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say whose a host is: its purpose, its vendor (None when nobody declared it), or the shop's own."""

    host: str
    purpose: str
    vendor: str | None = None
    is_first_party: bool = False
    port: int | None = None
    """That of an undeclared host, if it is no default port."""

    @property
    def pattern(self) -> str:
        """Write the host as it would be declared."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def is_undeclared(self) -> bool:
        """Return whether this is a third party that no vendor declares, which the owner wants to hear of."""
        return self.vendor is None and not self.is_first_party

    @property
    def alone(self) -> str:
        """Name the grant that lets this party in, for one document, and nobody else."""
        return f"{ONE_HOST}{self.host}" if self.vendor is None else f"{ONE_VENDOR}{self.vendor}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """Hold one declared host pattern, taken apart; `vendor` is None for `first_party_hosts`."""

    host: str
    is_wildcard: bool
    port: int | None
    path: str
    vendor: Vendor | None
    is_lapsed: bool = False
    """The contract with the vendor has ended: it is held from everybody."""

    @property
    def pattern(self) -> str:
        """Write it as it was declared."""
        port = "" if self.port is None else f":{self.port}"
        return f"{'*.' if self.is_wildcard else ''}{self.host}{port}{self.path}"

    @property
    def purpose(self) -> str:
        """Name the purpose that must be granted for this host."""
        if self.is_lapsed:
            return LAPSED
        return self.vendor.purpose if self.vendor else NECESSARY

    def is_granted(self, granted: frozenset[str]) -> bool:
        """Return whether a visitor who granted these may contact this host."""
        if self.is_lapsed or self.is_kept(granted):
            return False
        return self.purpose in granted or (
            self.vendor is not None and f"{ONE_VENDOR}{self.vendor.name}" in granted
        )

    def is_kept(self, granted: frozenset[str]) -> bool:
        """Return whether the visitor's own terms keep this vendor from them."""
        return self.vendor is not None and f"{WITHOUT}{self.vendor.name}" in granted

    def covers(self, port: int | None, path: str) -> bool:
        """Return whether port and path fit; as in CSP, a path ending in `/` is a prefix, any other is exact."""
        if not self.covers_port(port):
            return False
        return not self.path or _is_within(path, self.path)

    def may_cover(self, port: int | None, path: str) -> bool:
        """Return whether a backend may read `path` (as `as_backends_read` writes it) as one of a party to be held."""
        is_held = bool(self.path) and self.vendor is not None and self.purpose != NECESSARY
        return is_held and self.covers_port(port) and _is_within(path, as_backends_read(self.path))

    def covers_port(self, port: int | None) -> bool:
        """Return whether the port fits."""
        return self.port is None or normal_port(self.port) == normal_port(port)


class Register:
    """Know every purpose, vendor and declared host; built from configuration, then only read.

    Owns the one cache of verdicts. `today` says whose contract has ended; without it nobody's has.
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
        self.lapsed = frozenset(one.name for one in vendors if today is not None and one.is_lapsed(today))
        self.purposes = tuple(purposes)
        self.vendors = tuple(vendors)
        self.undeclared = undeclared
        self.ids = frozenset(one.id for one in purposes)
        self.rules = tuple(_rules(vendors, first_party_hosts, self.lapsed))
        self.has_paths = any(rule.path for rule in self.rules)
        self._exact, self._wild = _tables(self.rules)
        self._verdicts: dict[tuple[str, int | None, str], Verdict | None] = {}

    def judge(self, host: str, port: int | None, path: str, *, shop: Site) -> Verdict:
        """Find whose `host` is, seen from a page of `shop`; `path` is the URL's path without its query.

        The most specific declaration wins: the exact host before `*.host` before `*.parent`, a path or port
        before none. A declared same-site host is its vendor's; the shop's own host is only by path.
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
        """Return the declared pattern that decides on a host, empty where none does."""
        host = normal_host(host)
        is_page_host = host == shop.host and normal_port(port) == shop.port
        rule = self._rule_for(host, port, path, is_page_host=is_page_host)
        return "" if rule is None else rule.pattern

    def is_named(self, host: str) -> bool:
        """Return whether a declaration names a host, even if for one port or path alone."""
        return any(self._matching(normal_host(host)))

    def is_by_path(self, host: str) -> bool:
        """Return whether the verdict on a host depends on the path."""
        return any(rule.path for rule in self._matching(normal_host(host)))

    def holds(self, verdict: Verdict, granted: frozenset[str]) -> bool:
        """Return whether a load must be held from a visitor who granted these purposes, or this party alone.

        A host nobody declared is let through only where the policy is open: a policy of allowed hosts has no
        name for it, and an element that one wall restores and the other refuses helps nobody.
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
        """Find who may be let in alone under this name; None for nobody we know, or who may never be.

        Whom nobody declared counts only while it counts as marketing, and by a name that a policy can hold.
        """
        if alone.startswith(ONE_VENDOR):
            name = alone.removeprefix(ONE_VENDOR)
            known = next((one for one in self.vendors if one.name == name), None)
            return None if known is None or known.name in self.lapsed else self.verdict_on(known, "")
        host = alone.removeprefix(ONE_HOST)
        if alone == host or not HOST_NAME.fullmatch(host) or len(host) > LONGEST_NAME:
            return None
        verdict = self._verdict(host, None, "/", shop)
        return verdict if verdict.is_undeclared and verdict.purpose in self.ids else None

    def verdict_on(self, vendor: Vendor, host: str) -> Verdict:
        """Return the verdict on a host that is this vendor's."""
        return Verdict(host, LAPSED if vendor.name in self.lapsed else vendor.purpose, vendor.name)

    def holds_nobody(self, granted: frozenset[str]) -> bool:
        """Return whether a visitor who granted these purposes may contact every host there is."""
        purposes = {rule.purpose for rule in self.rules} | {UNDECLARED_PURPOSE[self.undeclared]}
        return purposes <= granted | {NECESSARY, REPORTED} and not keeps_any(granted)

    def has_all(self, granted: frozenset[str]) -> bool:
        """Return whether a visitor agreed to all that is asked for; never where nothing is."""
        return {NECESSARY} < self.ids <= granted | {NECESSARY} and REFUSED not in granted

    def leaves_own(self, shop: Site) -> bool:
        """Return whether nobody is declared by a path of the page's own host."""
        return not any(rule.path for rule in self._matching(normal_host(shop.host)))

    def is_open(self, granted: frozenset[str]) -> bool:
        """Return whether any host may be contacted: nothing declared is held, and marketing covers the rest.

        Under `undeclared = "report"` always: an allow list cannot let unknown hosts through and stop known ones.
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
        """Find the narrowest rule; where none fits to the letter, one to be held may, as backends read paths."""
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
    """Write a decoded path as the most lenient of backends reads it.

    nginx merges slashes and resolves dots behind encoded ones, and file systems and routers may ignore case.

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
    """Return whether somebody among these is let in alone, for one document."""
    return any(name.startswith((ONE_VENDOR, ONE_HOST)) for name in granted)


def keeps_any(granted: Iterable[str]) -> bool:
    """Return whether a vendor is kept from the visitor by their own terms, or by the page."""
    return any(name.startswith(WITHOUT) for name in granted)


def first_party_line(*patterns: str) -> str:
    """Write the TOML line that would call hosts the shop's own, and no others."""
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
        # One host with two purposes has no answer to "was it consented to".
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
        {host: tuple(sorted(found, key=_narrowest)) for host, found in one.items()} for one in tables
    )
    return exact, wild


def _narrowest(rule: HostRule) -> tuple[int, bool]:
    return (-len(rule.path), rule.port is None)


class StrictPaths:
    """Hold the declared paths; each stands for its page and all below it.

    >>> StrictPaths(["/checkout"]).has("//Checkout/card"), StrictPaths(["/checkout"]).has("/checkouts")
    (True, False)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.folders = tuple(as_backends_read(unquote(one)).rstrip("/") + "/" for one in paths)

    def has(self, path: str) -> bool:
        """Return whether a decoded path is one of them, as it stands or as the most lenient of backends reads it.

        `/checkout/..%2Fa` is both: routers take it as it stands, and a path below `/checkout` in it.
        """
        if not self.folders:
            return False
        ways = path.lower(), as_backends_read(path)
        return any((one.rstrip("/") + "/").startswith(self.folders) for one in ways)

    def narrowed(self, granted: frozenset[str], path: str) -> frozenset[str]:
        """Return what counts of these on a page: on a strict one only what takes away."""
        if not self.has(path):
            return granted
        return frozenset({STRICT, *(name for name in granted if name.startswith(WITHOUT))})
