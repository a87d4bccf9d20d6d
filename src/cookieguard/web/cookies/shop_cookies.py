"""The rules for the shop's cookies, shared by all requests: which are held, and how held ones are removed."""

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

# It ends with the browser, and is not sent with links or forms of other sites.
STAFF_COOKIE = CookieSpec(name="__Host-cg_staff", max_age=0, same_site="Strict")
BOTH_NAMES = frozenset(DEFAULT_NAMES) | frozenset(DEFAULT_NAMES.values())
# For this time after a choice, pages have the script that clears storage: the open page and the next ones.
FORGETTING = timedelta(minutes=5)


class ShopCookies:
    """Decide which of the cookies that the app sets and reads are held. Independent of a request."""

    def __init__(self, config: Config, findings: Findings, today: date | None = None) -> None:
        cookies = config.cookies
        self.own = tuple(cookie_name(spec, dev=config.dev) for spec in cookies.specs)
        self.former = tuple(sorted(BOTH_NAMES - set(self.own)))
        """The names of our cookies under the other setting of `cookies.domain`; we remove cookies of these names."""
        self.shadowable = frozenset(
            cookie_name(spec, dev=config.dev)
            for spec in cookies.specs
            if spec.domain or spec.partitioned or not spec.name.startswith(HOST_PREFIX)
        )
        """Names of which a browser may still have a cookie with another domain or partition, from an older setting."""
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
        self._passing = set(self.register.necessary)  # and up to NAMES_KEPT names that browsers sent
        self._findings = findings
        self._reports = config.consent.enabled
        self._dev = config.dev

    def lets_all_pass(self, jar: CookieJar, header: bytes) -> bool:
        """Return whether a request has only cookies that need no consent, and whose undeclared names are noted."""
        if jar.has_only(self.register.necessary):
            return True
        return jar.has_only(self._passing) and is_plain(header)

    def let_pass(self, name: bytes) -> None:
        """Remember a cookie that needs no consent, so that requests with only such cookies skip the filter."""
        if len(self._passing) >= NAMES_KEPT:
            self._passing = set(self.register.necessary)
        if len(name) <= LONGEST_NAME:
            self._passing.add(name.decode("latin-1"))

    def note(self, name: bytes, *, way: str, page: str) -> None:
        """Report an undeclared cookie to the owner."""
        if self._reports and not self.register.use_of(name).is_declared:
            self._findings.note_cookie(name, way=way, page=page)

    def held_names(self, header: bytes, granted: frozenset[str]) -> list[bytes]:
        """Return the names in a Cookie header that are held while only these purposes are granted; each once."""
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
        """Return lines that remove these cookies from `path` and the paths above it, in at most `most` bytes."""
        origin = request.origin
        deeper = [cookie.path for cookie in self.register.deeper if cookie.name.encode() in names]
        return removal_lines(
            names,
            site=site_of(origin.host, origin.port),
            paths=list(dict.fromkeys([*deeper, *paths_above(path)])),
            secure=request.is_secure_context and not self._dev,  # Safari refuses Secure cookies on loopback
            turn=int(now.timestamp() * 1000),
            most=most,
        )

    def removals_of_choice(self, request: Request, granted: frozenset[str], *, now: datetime) -> list[bytes]:
        """Return lines that remove the held cookies after a choice.

        A browser sends to our own pages only cookies of the root path. Cookies of deeper paths are removed here if
        they are declared, and otherwise by the pages of these paths.
        """
        names = self.held_names(request.headers.get(b"cookie", b""), granted)
        deeper = [cookie.name.encode() for cookie in self.register.deeper]
        names += [name for name in deeper if name not in names and self.register.holds(name, granted)]
        return self.removals(names, request, path="/", now=now, most=MOST_REMOVAL_BYTES_OF_CHOICE)

    def to_forget(self, consent: Consent, now: datetime) -> tuple[str, ...]:
        """Return the patterns of storage keys that a page has to clear, for FORGETTING after the choice.

        They are returned at any time if the time of the choice is unknown, as on pages out of a shared cache, or if a
        signal overrules the choice.
        """
        receipt = consent.receipt
        if receipt is None and consent.state is not State.UNDECIDED:
            return self.register.held_patterns(consent.in_force)
        if not consent.is_overruled and (receipt is None or now - receipt.decided >= FORGETTING):
            return ()
        return self.register.held_patterns(consent.in_force)
