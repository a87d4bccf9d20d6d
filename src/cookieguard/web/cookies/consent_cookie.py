"""What consent cookies say, and writing them: each is verified once, then known by its text while time and key last."""

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

# Visitors of an hour, say; an entry takes 3 KB. Only what verified is kept, so nobody can fill it with junk.
COOKIES_KEPT = 2048
# A cookie that ends with the browser (`max_age` 0) still says how long its choice counts in one left open.
LONGEST_CONSENT = timedelta(days=180)


class Consents:
    """Decide what is in force for a cookie and a signal. Owns the answers given last (bounded)."""

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
        """Return the same for other vendors; `news` are those that came in the console."""
        return Consents(self._codec, config, register, self._matters, news)

    def undecided(self, gpc: bool) -> Consent:  # noqa: FBT001  # compiled
        """Return what is in force without a cookie."""
        return self._undecided[gpc]

    def decided(
        self, cookie: str | None, *, host: str, gpc: bool, now: datetime, report: Callable[[str], None]
    ) -> Consent:
        """Return what is in force by a cookie's value; one that does not count is reported, and undecided."""
        if cookie is None:
            return self.undecided(gpc)
        try:
            return self.read(cookie, host=host, gpc=gpc, now=now)
        except TokenError as error:
            report(SecurityEvent.CONSENT_REFUSED.format(reason=error.reason))
            return self.undecided(gpc)

    def read(self, cookie: str, *, host: str, gpc: bool, now: datetime) -> Consent:
        """Return what is in force by a cookie's value; raises TokenError for one that does not count."""
        host, policy = self._shared or host, self._policy
        # The day a version takes effect changes the answer, and so must the key.
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
        """Return what is in force once the log has a choice that was pending, and its new cookie."""
        receipt = replace(receipt, pending=False, meanwhile=None)
        line = self.line_of(receipt, host=host, now=now)
        return self.decide_recorded(receipt, gpc=gpc, now=now), (line, False)

    def decide_recorded(self, receipt: Receipt, *, gpc: bool, now: datetime) -> Consent:
        """Return what is in force by a receipt that the log has since it was written into a cookie."""
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
    """Let go of what came first. Apps that speak WSGI, and Django's views, ask in threads, several at once."""
    with suppress(RuntimeError):  # another thread has just let go of one, or kept one
        known.pop(next(iter(known), ()), None)
