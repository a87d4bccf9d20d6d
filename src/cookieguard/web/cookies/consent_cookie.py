"""Read and write consent cookies; each value is verified once, then found in a cache until it or its key expires."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from cookieguard.config import Config
from cookieguard.consent import Consent, Matters, Receipt, Register, decide, to_payload
from cookieguard.consent.decision import is_announced_only
from cookieguard.consent.terms import News
from cookieguard.identity.cookies import bound_host, set_cookie
from cookieguard.identity.tokens import Token, TokenCodec, TokenError
from cookieguard.security_events import SecurityEvent

# About the visitors of an hour; an entry takes 3 KB. Only genuine cookies are kept, so a client cannot fill the cache.
COOKIES_KEPT = 2048
# With `max_age` 0 the cookie ends with the browser. The choice expires after this time in a browser that stays open.
LONGEST_CONSENT = timedelta(days=180)


class Consents:
    """Decide which consent is in force by a cookie and the GPC signal. Owns a bounded cache of decisions."""

    def __init__(
        self,
        codec: TokenCodec,
        config: Config,
        register: Register,
        matters: Matters | None = None,
        news: News | None = None,
    ) -> None:
        self.cookie_name = codec.name
        self._config = config
        self._shared = bound_host(config.cookies.consent, "")
        self._codec = codec
        self._policy = config.policy
        self._purposes, self._all = register.ids, config.purpose_ids
        self._matters = matters
        self._news = news
        self._known: dict[tuple[object, ...], tuple[Token, Consent]] = {}
        self._undecided = {gpc: Consent(gpc=gpc, has_question=len(register.ids) > 1) for gpc in (False, True)}

    def renewed(self, config: Config, register: Register, news: News) -> Consents:
        """Return a copy for changed vendors; `news` are the vendors that staff added in the console."""
        return Consents(self._codec, config, register, self._matters, news)

    def undecided(self, gpc: bool) -> Consent:  # noqa: FBT001  # compiled
        """Return the consent that is in force without a cookie."""
        return self._undecided[gpc]

    def decided(
        self, cookie: str | None, *, host: str, gpc: bool, now: datetime, report: Callable[[str], None]
    ) -> Consent:
        """Return the consent in force by a cookie's value; an invalid one is reported and counts as undecided."""
        if cookie is None:
            return self.undecided(gpc)
        try:
            return self.read(cookie, host=host, gpc=gpc, now=now)
        except TokenError as error:
            report(SecurityEvent.CONSENT_REFUSED.format(reason=error.reason))
            return self.undecided(gpc)

    def read(self, cookie: str, *, host: str, gpc: bool, now: datetime) -> Consent:
        """Return the consent in force by a cookie's value; raises TokenError for an invalid one."""
        host, policy = self._shared or host, self._policy
        # The decision changes on the day a policy version takes effect, so the key has to change too.
        key = (cookie, host, gpc, policy.effective is not None and is_announced_only(policy, now))
        known = self._known.get(key)
        if known is not None and self._codec.is_in_force(known[0]):
            self._codec.check_times(known[0], now)
            return known[1]
        token = self._codec.loads(cookie, host=host, now=now)
        consent = decide(
            token.payload,
            gpc=gpc,
            policy=policy,
            purposes=self._purposes,
            now=now,
            known=self._all,
            matters=self._matters,
            news=self._news,
        )
        while len(self._known) >= COOKIES_KEPT:
            _forget_first(self._known)
        self._known[key] = token, consent
        return consent

    def recorded(
        self, receipt: Receipt, *, host: str, gpc: bool, now: datetime
    ) -> tuple[Consent, tuple[bytes, bool]]:
        """Return the consent in force, and the new cookie, once the consent log has a choice that was pending."""
        receipt = replace(receipt, pending=False, meanwhile=None)
        line = self.line_of(receipt, host=host, now=now)
        return self.decide_recorded(receipt, gpc=gpc, now=now), (line, False)

    def decide_recorded(self, receipt: Receipt, *, gpc: bool, now: datetime) -> Consent:
        """Return the consent in force by a receipt that reached the consent log after its cookie was written."""
        return decide(
            to_payload(receipt),
            gpc=gpc,
            policy=self._policy,
            purposes=self._purposes,
            now=now,
            known=self._all,
            matters=self._matters,
            news=self._news,
        )

    def line_of(self, receipt: Receipt, *, host: str, now: datetime) -> bytes:
        """Return the Set-Cookie line of a choice."""
        spec = self._config.cookies.consent
        token = self._codec.dumps(
            to_payload(receipt),
            host=self._shared or host,
            issued=now,
            expires=now + (timedelta(seconds=spec.max_age) or LONGEST_CONSENT),
        )
        return set_cookie(spec, token, dev=self._config.dev)


def _forget_first(known: dict[tuple[object, ...], tuple[Token, Consent]]) -> None:
    """Remove the oldest entry. WSGI apps and Django's views may call this from several threads at once."""
    with suppress(RuntimeError):  # another thread changed the dict meanwhile
        known.pop(next(iter(known), ()), None)
