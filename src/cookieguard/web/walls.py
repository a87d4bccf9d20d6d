"""The walls: the rules and policies for one shop origin and one state of consent, built once for all its requests."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import count
from posixpath import normpath
from urllib.parse import unquote

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import (
    Register,
    Site,
    Verdict,
    allowed_pattern,
    declared_policy,
    policy_for,
    site_of,
    strict_policy,
)
from cookieguard.consent.csp import OPEN
from cookieguard.consent.vendors import is_once, keeps_any
from cookieguard.html import Held, Rules, Ruling, Url, readings
from cookieguard.html.page import Glance
from cookieguard.html.types import nobody
from cookieguard.web.banner.placeholder_values import Offer
from cookieguard.web.http.content_type import WORKER_DESTINATIONS
from cookieguard.web.http.headers import POLICY
from cookieguard.web.http.origin import Origin

logger = logging.getLogger("cookieguard")

# A shop's origins times its visitors' states of consent. Clients choose Host headers, so the number is bounded. Forged
# hosts replace each other, but not the shop's own host, which is in constant use.
WALLS_KEPT = 64
# Bytes of a policy that leave room for other headers in the 4 KB that nginx buffers by default on most machines. Lines
# that remove cookies take 1 KB, our own cookies 1.2 KB, and nginx's note of a page in its cache 0.4 KB.
MOST_POLICY = 900
# A worker's script has no other long headers. Its policy also covers what a service worker fetches for its pages.
MOST_POLICY_OF_WORKER = 2000
CUT_POLICY = (
    "a response (Sec-Fetch-Dest: %s) got only %d of the %d bytes of its Content-Security-Policy, because proxies "
    "refuse long headers. The response cannot load the vendors that you declared last, even after consent. "
    "To shorten the policy, declare one `*.host` instead of several hosts"
)
TOO_MANY_DECLARED = (
    "the declared hosts need a report-only policy of more than %d bytes, which is too long. Requests of scripts to "
    "undeclared hosts are therefore not reported. Declare one `*.host` instead of several hosts"
)
DOCUMENT_VARY = (b"Cookie", b"Sec-GPC")
OPENED_VARY = (*DOCUMENT_VARY, b"Sec-Fetch-Dest", b"Sec-Fetch-Mode")
HOSTS_KNOWN = 1000  # for each wall; a page may name any number of hosts
REPORT_ONLY = b"content-security-policy-report-only"
MOST_DECLARED = 2000  # bytes of the report-only policy; the enforced policy is short if this one is sent
WATCHED = 10  # one document in this many asks for reports, since each report is a request
# All pages below the prefix, except those that only show something, to which a form of the shop may lead. The
# exceptions are matched to the end of the path, so that `cookies-` is not one.
ACTING_PAGES = r"(?!(?:choices|cookies|policy(?:/\w[\w.-]*)*)/?\Z)"
REPORT_PAGE = "report"  # below the prefix: where browsers post what the policy stopped


@dataclass(frozen=True, slots=True)
class Wall:
    """Hold the rules by which documents are rewritten, and the policies for them."""

    rules: Rules
    policy: bytes
    short_policy: bytes  # as much of it as headers allow; the hosts left out are held
    worker_policy: bytes  # the same for a worker's script
    meta: bytes  # the whole policy as markup, if it is too long for headers
    strict_policy: bytes
    allowed: str  # addresses that guard.js allows, as a JavaScript pattern
    register: Register
    site: Site
    granted: frozenset[str]
    is_open: bool  # no party is held for these visitors
    note_cut: Callable[[bytes, bytes, bytes], None]  # called if a response gets a part of the policy only
    declared: bytes = b""  # for visitors who accepted everything: reports undeclared hosts, stops none
    views: Iterator[int] = field(default_factory=count, compare=False, repr=False)  # counts documents
    known: set[str] = field(default_factory=set, compare=False, repr=False)  # hosts already reported
    # Offers to load a held party, by the party and the other grants
    offers: dict[tuple[Verdict, frozenset[str]], Offer] = field(
        default_factory=dict, compare=False, repr=False
    )
    # Markup of placeholders
    placed: dict[tuple[object, ...], bytes] = field(default_factory=dict, compare=False, repr=False)
    # Markup of banners, without the path that they lead back to
    banners: dict[tuple[object, ...], list[bytes]] = field(default_factory=dict, compare=False, repr=False)
    # Quick checks of tags, by the folder of the page
    folders: dict[str, Glance] = field(default_factory=dict, compare=False, repr=False)
    # Markup for the start of documents, by purposes granted and state of the choice
    heads: dict[tuple[frozenset[str], str], bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def has_everything(self) -> bool:
        """Return whether these visitors agreed to every purpose, or no party needs their consent."""
        has_all = self.register.ids <= self.granted | {NECESSARY}
        return self.is_open or (has_all and not keeps_any(self.granted))

    @property
    def vary(self) -> tuple[bytes, ...]:
        """The headers that documents depend on; with fetch metadata if only opened pages contain the policy."""
        return OPENED_VARY if self.meta else DOCUMENT_VARY

    @property
    def spare(self) -> int:
        """The bytes of headers that the policy could take, but does not use."""
        return max(0, MOST_POLICY - len(self.short_policy))

    def policies(
        self, *, is_strict: bool, has_meta: bool, destination: bytes | None
    ) -> list[tuple[bytes, bytes]]:
        """Return a document's policy headers; if the page contains its policy, they only replace an older one."""
        if has_meta and not is_strict:
            return self.watched([(POLICY, OPEN)])
        return self.watched([(POLICY, self.in_headers(is_strict=is_strict, destination=destination))])

    def in_headers(self, *, is_strict: bool, destination: bytes | None) -> bytes:
        """Return the policy for headers, shortened if it is too long."""
        if is_strict:
            return self.strict_policy
        taken = self.worker_policy if destination in WORKER_DESTINATIONS else self.short_policy
        # A response that a script fetches runs under no policy.
        if len(taken) < len(self.policy) and destination != b"empty":
            self.note_cut(destination or b"none", taken, self.policy)
        return taken

    def unwatched(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return headers for the page cache, without the report-only policy, which is decided for each response."""
        return [pair for pair in headers if pair != (REPORT_ONLY, self.declared)]  # a shop's own stays

    def watched(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return a copy of headers, with the report-only policy for one document in WATCHED."""
        if self.declared and next(self.views) % WATCHED == 0:
            return [*headers, (REPORT_ONLY, self.declared)]
        return headers.copy()

    def verdict(self, url: Url) -> Verdict:
        """Return whom the host of a URL belongs to."""
        return self.register.judge(url.host, url.port, url.path, shop=self.site)

    def news(self, held: Iterable[Held]) -> list[tuple[Held, Verdict]]:
        """Return the held elements whose hosts were not reported yet, with their verdicts."""
        new = [element for element in held if element.url.host not in self.known]
        if not new:
            return []
        if len(self.known) + len(new) > HOSTS_KNOWN:
            self.known.clear()
        hosts = {element.url.host for element in new}
        self.known.update(host for host in hosts if not self.register.is_by_path(host))
        return [(element, self.verdict(element.url)) for element in new]

    def holds(self, reference: str) -> bool:
        """Return whether a URL reference on this page leads to a held host."""
        return self.held_party(reference) is not None

    def held_party(self, reference: str) -> Verdict | None:
        """Return the held party that a URL reference on this page leads to; None if it leads to none."""
        verdicts = [self.verdict(url) for url in readings(reference, self.rules.url)]
        return next((verdict for verdict in verdicts if self.register.holds(verdict, self.granted)), None)


class Walls:
    """Build the walls, and keep those used last."""

    def __init__(
        self, config: Config, register: Register, note_own: Callable[[Url], None] = lambda _: None
    ) -> None:
        """`note_own` is called with each URL that leads to another host of the shop's own site."""
        self._config, self._note_own = config, note_own
        self._register = register
        self._build = lru_cache(maxsize=WALLS_KEPT)(self._make)
        self._is_cut_told = False
        self._last: dict[frozenset[str], tuple[Origin, str, Wall]] = {}  # by state of consent (bounded)

    def _note_cut(self, destination: bytes, taken: bytes, policy: bytes) -> None:
        """Warn the owner once that a response's policy leaves out vendors that the visitor agreed to."""
        if not self._is_cut_told:
            self._is_cut_told = True
            shown = ascii(destination.decode("latin-1"))[1:-1][:40]  # a client's own text
            logger.warning(CUT_POLICY, shown, len(taken), len(policy))

    def around(self, origin: Origin, granted: frozenset[str], *, base: str) -> Wall:
        """Return the walls for pages of `origin` and visitors who granted these purposes (or a single party).

        `base` is the path that our own pages are below; browsers report violations there.
        """
        last = self._last.get(granted)
        if last is not None and last[0] is origin and last[1] == base:  # most shops have one origin
            return last[2]
        wall = self._build(origin, granted, base + REPORT_PAGE)
        if len(self._last) >= WALLS_KEPT:
            self._last.clear()
        self._last[granted] = origin, base, wall
        return wall

    def strictest(self, origin: Origin, *, base: str) -> Wall:
        """Return the walls for visitors who agreed to nothing, which are safe for everyone."""
        return self.around(origin, frozenset(), base=base)

    def _make(self, origin: Origin, granted: frozenset[str], report: str) -> Wall:
        register, form_action = self._register, self._config.csp.form_action
        site = site_of(origin.host, origin.port)

        def verdict_of(url: Url) -> Verdict:
            return register.judge(url.host, url.port, url.path, shop=site)

        def rule(url: Url) -> Ruling | None:
            verdict = verdict_of(url)
            if not register.holds(verdict, granted):
                if verdict.is_first_party and url.host != site.host:
                    self._note_own(url)
                return None
            return Ruling(purpose=verdict.purpose, vendor=verdict.vendor)

        ours = re.compile(re.escape(self._config.prefix) + ACTING_PAGES)
        is_open = register.holds_nobody(granted)
        write = partial(policy_for, register, granted, shop=site, form_action=form_action)
        policy = write(report=report)
        return Wall(
            rules=Rules(
                rule,
                url=f"{origin}/",
                inline=_held_inline(register, granted),
                holds_marked=not (is_open or register.has_all(granted)),
                own_is_free=register.leaves_own(site),
                is_foreign=lambda url: not verdict_of(url).is_first_party,
                is_lifted=(lambda url: verdict_of(url).alone in granted) if is_once(granted) else nobody,
                marks_links=self._config.html.noreferrer,
                acts=lambda url: url.host == site.host and ours.search(_plain_path(url.path)) is not None,
            ),
            policy=policy,
            short_policy=write(report=report, most=MOST_POLICY),
            worker_policy=write(report=report, most=MOST_POLICY_OF_WORKER),
            meta=_meta(write()) if len(policy) > MOST_POLICY else b"",
            strict_policy=strict_policy(
                register, shop=site, form_action=form_action, report=report, most=MOST_POLICY
            ),
            allowed=allowed_pattern(register, granted, shop=site),
            register=register,
            site=site,
            granted=granted,
            is_open=is_open,
            note_cut=self._note_cut,
            declared=self._declared(granted, site, report),
        )

    def _declared(self, granted: frozenset[str], site: Site, report: str) -> bytes:
        register = self._register
        has_everything = register.ids <= granted | {NECESSARY} and register.is_open(granted)
        if not (has_everything and register.vendors):
            return b""
        policy = declared_policy(register, shop=site, report=report, most=MOST_DECLARED)
        if not policy:
            logger.warning(TOO_MANY_DECLARED, MOST_DECLARED)
        return policy


def _plain_path(path: str) -> str:
    """Return a path as servers and proxies may read it: decoded, with a final slash, no dots or empty segments."""
    is_plain = "%" not in path and "/." not in path and "//" not in path
    return f"{path.removesuffix('/') if is_plain else normpath(unquote(path))}/"


def _meta(policy: bytes) -> bytes:
    """Return a policy as a `<meta>`, which applies to everything after it in the page."""
    return b'<meta http-equiv="Content-Security-Policy" content="%s">' % policy.replace(b"&", b"&amp;")


def _held_inline(register: Register, granted: frozenset[str]) -> list[tuple[str, Held]]:
    """Return the patterns of held vendors' inline scripts; each counts as a contact with the vendor's first host."""
    found: list[tuple[str, Held]] = []
    for vendor in register.vendors:
        host = vendor.hosts[0].removeprefix("*.").partition("/")[0].partition(":")[0]
        verdict = register.verdict_on(vendor, host)
        if vendor.inline and register.holds(verdict, granted):
            held = Held("script", "", Url("https", host, None, "/"), verdict.purpose, vendor.name)
            found += [(pattern, held) for pattern in vendor.inline]
    return found
