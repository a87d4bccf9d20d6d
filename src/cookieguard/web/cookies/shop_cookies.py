"""The shop's cookies on their way through: what every request shares, built once at start."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from cookieguard.config import Config, CookieSpec
from cookieguard.config.cookies import DEFAULT_NAMES, HOST_PREFIX
from cookieguard.consent import Consent, CookieRegister, site_of
from cookieguard.consent.cookie_register import (
    LONGEST_NAME,
    MOST_REMOVAL_BYTES,
    MOST_REMOVAL_BYTES_OF_CHOICE,
    NAMES_KEPT,
    is_plain,
    paths_above,
    removal_lines,
)
from cookieguard.consent.decision import State
from cookieguard.identity import cookie_name
from cookieguard.identity.cookies import CookieJar
from cookieguard.web.owner_notices import Findings
from cookieguard.web.request import Request

# Ends with the browser; no other site's link or form brings it along.
STAFF_COOKIE = CookieSpec(name="__Host-cg_staff", max_age=0, same_site="Strict")
BOTH_NAMES = frozenset(DEFAULT_NAMES) | frozenset(DEFAULT_NAMES.values())
# How long after a choice pages carry the script that clears storage: the page that was open, and the next ones.
FORGETTING = timedelta(minutes=5)


class ShopCookies:
    """Judge the cookies that the app sets and reads. Knows no request."""

    def __init__(self, config: Config, findings: Findings, today: date | None = None) -> None:
        cookies = config.cookies
        self.own = tuple(cookie_name(spec, dev=config.dev) for spec in cookies.specs)
        self.former = tuple(sorted(BOTH_NAMES - set(self.own)))
        """What our cookies are called under the other setting of `cookies.domain`; ours as well, and over."""
        self.shadowable = frozenset(
            cookie_name(spec, dev=config.dev)
            for spec in cookies.specs
            if spec.domain or spec.partitioned or not spec.name.startswith(HOST_PREFIX)
        )
        """Of those a browser may hold one elsewhere than where they are set now, from before a change."""
        self.register = CookieRegister(
            vendors=config.vendors,
            own=cookies.own,
            ours={
                *self.own,
                *self.former,
                *(spec.name for spec in cookies.specs),
                STAFF_COOKIE.name,
                cookie_name(STAFF_COOKIE, dev=config.dev),
                cookies.variant.name,
                cookie_name(cookies.variant, dev=config.dev),
            },
            undeclared=cookies.undeclared,
            today=today,
        )
        self._passing = set(self.register.necessary)  # and names that browsers sent, as NAMES_KEPT allows
        self._findings = findings
        self._tells = config.consent.enabled
        self._dev = config.dev

    def lets_all_pass(self, jar: CookieJar, header: bytes) -> bool:
        """Return whether a request brings only cookies that every visitor may send, each noted before if undeclared."""
        if jar.has_only(self.register.necessary):
            return True
        return jar.has_only(self._passing) and is_plain(header)

    def let_pass(self, name: bytes) -> None:
        """Remember a cookie that every visitor may send, so that requests with no others are not read again."""
        if len(self._passing) >= NAMES_KEPT:
            self._passing = set(self.register.necessary)
        if len(name) <= LONGEST_NAME:
            self._passing.add(name.decode("latin-1"))

    def note(self, name: bytes, *, way: str, page: str) -> None:
        """Tell the owner of a cookie that nobody declared."""
        if self._tells and not self.register.use_of(name).is_declared:
            self._findings.note_cookie(name, way=way, page=page)

    def held_names(self, header: bytes, granted: frozenset[str]) -> list[bytes]:
        """Name the cookies of a Cookie header that are held from who granted these purposes; each once."""
        names = self.register.beyond_necessary(header)
        return [name for name in dict.fromkeys(names) if self.register.holds(name, granted)]

    def removals(
        self,
        names: list[bytes],
        request: Request,
        *,
        path: str,
        now: datetime,
        most: int = MOST_REMOVAL_BYTES,
    ) -> list[bytes]:
        """Write the lines that remove these cookies, wherever under `path` they lie; at most so many bytes."""
        origin = request.origin
        deeper = [one.path for one in self.register.deeper if one.name.encode() in names]
        return removal_lines(
            names,
            site=site_of(origin.host, origin.port),
            paths=list(dict.fromkeys([*deeper, *paths_above(path)])),
            secure=request.is_secure_context and not self._dev,  # Safari takes no Secure one on loopback
            turn=int(now.timestamp() * 1000),
            most=most,
        )

    def removals_of_choice(self, request: Request, granted: frozenset[str], *, now: datetime) -> list[bytes]:
        """Write the lines that go with a choice just made.

        What is sent to our own pages lies at the root; what lies deeper is removed by the pages there, and here
        where it is declared.
        """
        names = self.held_names(request.headers.get(b"cookie", b""), granted)
        deeper = [one.name.encode() for one in self.register.deeper]
        names += [name for name in deeper if name not in names and self.register.holds(name, granted)]
        return self.removals(names, request, path="/", now=now, most=MOST_REMOVAL_BYTES_OF_CHOICE)

    def to_forget(self, consent: Consent, now: datetime) -> tuple[str, ...]:
        """Name what pages clear the browser's storage of: what is held, for a while after the choice.

        Longer if the time of the choice is not known: under a signal that overrules it, and on pages that caches keep.
        """
        receipt = consent.receipt
        if receipt is None and consent.state is not State.UNDECIDED:
            return self.register.held_patterns(consent.in_force)
        if not consent.is_overruled and (receipt is None or now - receipt.decided >= FORGETTING):
            return ()
        return self.register.held_patterns(consent.in_force)
