"""Signing of the shop's own cookies: the browser holds a token with the app's value, bound to session and customer.

The app's Set-Cookie line is parsed as browsers parse it (RFC 6265, 5.2).

Rule: pure logic. The app sees its own value, byte for byte; the browser sees only the token.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from cookieguard.config import SignedCookie
from cookieguard.config.shop_cookies import LONGEST_UNBOUND
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.session_state import NOBODY, Binding
from cookieguard.identity.token_cookie import Mismatch
from cookieguard.identity.tokens import Reason, Token, TokenCodec, TokenError, TokenKind
from cookieguard.keyring import Keyring, length_prefixed

DIGEST_BYTES = 12  # 96 bits: finding a second pair with the same digest is infeasible


class Plain(StrEnum):
    """Reasons for refusing a value that is not a token."""

    UNSIGNED = "not signed"
    SPELLING = "spelled differently"


# Reasons that only show that the value was never a token.
UNSIGNED = frozenset({Reason.MALFORMED, Reason.UNKNOWN_FORMAT, Reason.UNKNOWN_KEY})
Refusal = Reason | Mismatch | Plain


@dataclass(frozen=True, slots=True)
class Content:
    """The value and attributes in a token, or an accepted value that was never signed, whose `token` is None."""

    value: bytes = field(repr=False)
    lasting: bytes = b""
    is_persistent: bool = False
    token: Token | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on a presented value: shown to the app, or refused with a reason.

    If there is both a `content` and a refusal, the token is genuine but expired or bound to another session. The
    content then says how to remove the cookie.
    """

    content: Content | None
    refusal: Refusal | None = None


class ShopToken:
    """Write and read the tokens of one of the shop's cookies."""

    def __init__(
        self,
        keyring: Keyring,
        cookie: SignedCookie,
        *,
        session_life: timedelta,
        steps: Steps | None = None,
    ) -> None:
        self.name = cookie.name.encode()
        self.is_bound = cookie.is_bound
        self._codec = TokenCodec(
            keyring, kind=TokenKind.SHOP, name=cookie.name, sealed=cookie.sealed, steps=steps
        )
        self._life = session_life
        self._longest = session_life if cookie.is_bound else LONGEST_UNBOUND
        self._last_unsigned_day = cookie.last_unsigned_day

    def wrap(self, line: CookieLine, binding: Binding, *, host: str, now: datetime) -> bytes:
        """Return the app's line with a token in place of its value. Raises CookieTooLarge if no cookie can hold it."""
        payload = {"v": line.value.decode("latin-1"), "a": line.lasting.decode("latin-1")}
        if line.ends is not None:
            payload["k"] = ""
        expires = min(line.ends or now + self._life, now + self._longest)
        return self.name + b"=" + self._token(payload, binding, host, now, expires) + line.attributes

    def follow(self, content: Content, binding: Binding, *, host: str, now: datetime) -> bytes:
        """Return the line that binds a value to another session, with its first attributes and expiry."""
        token = content.token
        if token is None:
            raise ValueError("only a signed value can follow")
        payload = {key: value for key, value in token.payload.items() if key != "b"}
        revocation = b"; Max-Age=%d" % max(0, int((token.expires - now).total_seconds()))
        body = self._token(payload, binding, host, now, token.expires)
        return self.name + b"=" + body + (revocation if content.is_persistent else b"") + content.lasting

    def removal(self, content: Content) -> bytes:
        """Return the line that removes the cookie, with the path and domain that the app had set."""
        return self.name + b"=; Max-Age=0" + content.lasting

    def read(self, value: bytes, presented: Binding, *, host: str, now: datetime) -> Verdict:
        """Return the judgement on a presented value."""
        try:
            token = self._codec.open(value.decode("latin-1"), host=host)
            content = _content(token)
        except TokenError as error:
            return self._unsigned(value, error.reason, now)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Verdict(None, Reason.MALFORMED)
        return Verdict(content, self._refusal(token, presented, now))

    def is_current(self, content: Content) -> bool:
        """Return whether a value needs no new token: it has the current key, or was never signed."""
        return content.token is None or self._codec.is_current(content.token)

    def _token(
        self, payload: dict[str, Any], binding: Binding, host: str, now: datetime, expires: datetime
    ) -> bytes:
        bound = {**payload, "b": _digest(binding)} if self.is_bound else payload
        return self._codec.dumps(bound, host=host, issued=now, expires=expires).encode("ascii")

    def _unsigned(self, value: bytes, reason: Reason, now: datetime) -> Verdict:
        if reason not in UNSIGNED:
            return Verdict(None, reason)
        last_day = self._last_unsigned_day
        if last_day is not None and now.date() <= last_day:
            return Verdict(Content(value))
        return Verdict(None, reason if reason is Reason.UNKNOWN_KEY else Plain.UNSIGNED)

    def _refusal(self, token: Token, presented: Binding, now: datetime) -> Refusal | None:
        try:
            self._codec.check_times(token, now)
        except TokenError as error:
            return error.reason
        if not self.is_bound:
            return None
        if presented == NOBODY:
            return Mismatch.NO_SESSION
        return None if token.payload.get("b") == _digest(presented) else Mismatch.OTHER_SESSION


def _content(token: Token) -> Content:
    payload = token.payload
    value, lasting = payload["v"].encode("latin-1"), payload["a"].encode("latin-1")
    return Content(value, lasting, "k" in payload, token)


def _digest(binding: Binding) -> str:
    """Return a digest of session and customer, which hides both in a token that is signed but not sealed."""
    customer = b"" if binding.customer is None else binding.customer.encode("utf-8", "surrogatepass")
    parts = length_prefixed((binding.session_id or "").encode(), customer)
    return urlsafe_b64encode(blake2b(parts, digest_size=DIGEST_BYTES).digest()).decode("ascii")


BLANKS = b" \t"
AGE = re.compile(rb"-?[0-9]+")
AGE_DIGITS = 10  # 300 years; callers shorten longer ages
ENDING = frozenset({b"max-age", b"expires"})


@dataclass(frozen=True, slots=True)
class CookieLine:
    """One parsed Set-Cookie line. `lasting` are its `attributes` without Max-Age and Expires."""

    name: bytes
    value: bytes
    attributes: bytes
    lasting: bytes
    ends: datetime | None
    """None for a cookie that ends with the browser session."""


def read_line(line: bytes, now: datetime) -> CookieLine:
    """Return the parts of a Set-Cookie header value. Never fails, whatever the value contains."""
    pair, semicolon, rest = line.partition(b";")
    name, _, value = pair.lstrip(b" \t=").partition(b"=")
    parts = rest.split(b";") if semicolon else []
    kept = [part for part in parts if _name_of(part) not in ENDING]
    return CookieLine(
        name=name.rstrip(BLANKS),
        value=value.strip(BLANKS),
        attributes=semicolon + rest,
        lasting=b"".join(b";" + part for part in kept),
        ends=_end(parts, now) if len(kept) < len(parts) else None,
    )


def _end(parts: list[bytes], now: datetime) -> datetime | None:
    """Return when a cookie ends: by its last readable Max-Age, otherwise by its last readable Expires."""
    ages = [_value_of(part) for part in parts if _name_of(part) == b"max-age"]
    ages = [age for age in ages if AGE.fullmatch(age)]
    if ages:
        return now + timedelta(seconds=_seconds(ages[-1]))
    dates = [_date(_value_of(part)) for part in parts if _name_of(part) == b"expires"]
    dates = [date for date in dates if date is not None]
    return dates[-1] if dates else None


def _seconds(age: bytes) -> int:
    if age.startswith(b"-"):
        return 0
    return int(age) if len(age) <= AGE_DIGITS else 10**AGE_DIGITS - 1


def _date(text: bytes) -> datetime | None:
    found = parsedate_tz(text.decode("latin-1"))
    if found is None:
        return None
    try:
        return datetime(*found[:6], tzinfo=UTC) - timedelta(seconds=found[9] or 0)
    except (ValueError, OverflowError):
        return None


def _name_of(part: bytes) -> bytes:
    return part.partition(b"=")[0].strip(BLANKS).lower()


def _value_of(part: bytes) -> bytes:
    return part.partition(b"=")[2].strip(BLANKS)
