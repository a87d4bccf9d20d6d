"""Reading and writing one kind of token cookie. A refused cookie causes a log event, never an exception."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from cookieguard.config import CookieSpec
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.cookies import (
    CookieJar,
    attributes,
    bound_host,
    check_size,
    cookie_name,
    expire_cookie,
)
from cookieguard.identity.oversized import MARK, OversizedEntries
from cookieguard.identity.tokens import (
    Reason,
    Token,
    TokenCodec,
    TokenError,
    TokenKind,
    milliseconds_until,
    to_milliseconds,
)
from cookieguard.keyring import Keyring
from cookieguard.security_events import SecurityEvent

Parsed = TypeVar("Parsed")
# For cookies whose content can move to the store. All cookies of a site share one header line, and nginx and Apache
# accept 8 KB of it by default. They answer a longer line with 400, on every page until the cookies are removed.
MAX_CARRIED_BYTES = 3072


class Presented:
    """Hold one request's cookies, the host they are for, its time, and the function that logs its events.

    `moment` is the time in milliseconds. `oversized` holds the entries that cookies refer to and the store has.
    """

    __slots__ = ("host", "jar", "moment", "now", "on_event", "oversized")

    def __init__(self, jar: CookieJar, host: str, now: datetime, on_event: Callable[[str], None]) -> None:
        self.jar = jar
        self.host = host
        self.now = now
        self.moment = milliseconds_until(now)
        self.on_event = on_event
        self.oversized: OversizedEntries | None = None


class Mismatch(StrEnum):
    """Reasons for refusing a cookie whose token is genuine."""

    DOUBLED = "sent twice"
    OTHER_CUSTOMER = "from another customer"
    OTHER_SESSION = "from another session"
    NO_SESSION = "without its session"
    ENDED = "ended"
    OLD = "outdated"
    GONE = "no longer in the store"


# The values of all other reasons fit into the log line: "session cookie refused (forged)".
PHRASES = {Reason.UNKNOWN_KEY: "signed with an unknown key", Reason.UNKNOWN_FORMAT: "in an unknown format"}


class Refused(Exception):  # an outcome, not an error: it never leaves this package
    """A genuine token that is refused for its content."""

    def __init__(self, reason: Reason | Mismatch) -> None:
        self.reason = reason
        super().__init__(str(reason))


class Channel:
    """Read and write the cookie of one kind of token."""

    __slots__ = ("_attributes", "_codec", "_dev", "_kind", "_longest", "_shared", "_spec", "name")

    def __init__(
        self,
        keyring: Keyring,
        *,
        kind: TokenKind,
        spec: CookieSpec,
        dev: bool,
        steps: Steps | None = None,
    ) -> None:
        self.name = cookie_name(spec, dev=dev)
        self._codec = TokenCodec(keyring, kind=kind, name=self.name, sealed=spec.sealed, steps=steps)
        self._kind = kind
        self._spec = spec
        self._shared = bound_host(spec, "")
        self._dev = dev
        self._attributes = attributes(spec, dev=dev)
        self._longest = spec.max_age

    def read(self, presented: Presented, parse: Callable[[Token], Parsed]) -> tuple[Token, Parsed] | None:
        """Return the token and the result of `parse`; None if the cookie is missing or refused.

        `parse` may raise Refused. A KeyError, TypeError or ValueError from it means a malformed payload.
        """
        value = presented.jar.get(self.name)
        if value is None:
            if presented.jar.is_doubled(self.name):
                self._report(presented, Mismatch.DOUBLED)
            return None
        try:
            token = self._loads(value, presented)
            return token, parse(token)
        except (TokenError, Refused) as refusal:
            self._report(presented, refusal.reason)
        except (KeyError, TypeError, ValueError):
            self._report(presented, Reason.MALFORMED)
        return None

    def peek(self, presented: Presented) -> Token | None:
        """Return a genuine token without judging its payload; None, and no log event, if there is none."""
        value = presented.jar.get(self.name)
        try:
            return None if value is None else self._loads(value, presented)
        except TokenError:
            return None

    def _loads(self, value: str, presented: Presented) -> Token:
        host = self._shared or presented.host
        is_marked = value.startswith(MARK)
        token = self._codec.read(value[1:] if is_marked else value, host, presented.moment)
        # The mark must come with a place in the store (`n` is a list), so that each token has one spelling.
        # In a remember-me token `n` is a number.
        if is_marked != isinstance(token.payload.get("n"), list):
            raise TokenError(Reason.MALFORMED)
        return token

    def fits(self, text: bytes) -> bool:
        """Return whether a payload fits into the cookie, so that it need not move to the store."""
        return self._codec.size_of(text) <= MAX_CARRIED_BYTES

    def write(
        self, text: bytes, *, host: str, now: datetime, expires: datetime, is_oversized: bool = False
    ) -> bytes:
        """Return the Set-Cookie header value for a payload; the browser drops the cookie when the token expires."""
        return self.write_until(text, host, to_milliseconds(now), to_milliseconds(expires), is_oversized)

    def write_until(self, text: bytes, host: str, now: int, expires: int, is_oversized: bool) -> bytes:  # noqa: FBT001  # compiled
        """Return the same value as `write`, from times in milliseconds."""
        token = self._codec.write(text, self._shared or host, now, expires)
        if is_oversized:
            token = MARK + token
            check_size(self.name, token)
        # Faster than `set_cookie`: a token's characters need no check, and its attributes are always the same.
        longest = self._longest
        lasting = f"; Max-Age={max(0, min(longest, (expires - now) // 1000))}" if longest else ""
        return f"{self.name}={token}{lasting}{self._attributes}".encode("ascii")

    def expire(self, presented: Presented) -> bytes | None:
        """Return the Set-Cookie header value that removes the cookie; None if the browser did not send it."""
        if not presented.jar.has(self.name):
            return None
        return expire_cookie(self._spec, dev=self._dev)

    def is_current(self, token: Token) -> bool:
        """Return whether a token has the newest format and the current signing key."""
        return self._codec.is_current(token)

    def _report(self, presented: Presented, reason: Reason | Mismatch) -> None:
        phrase = PHRASES.get(reason, reason) if isinstance(reason, Reason) else reason
        presented.on_event(SecurityEvent.COOKIE_REFUSED.format(name=self._kind, reason=phrase))
