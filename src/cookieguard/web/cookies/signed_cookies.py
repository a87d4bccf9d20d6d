"""The shop's own cookies that cookieguard signs: which they are, and how to find them in a Cookie header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import CookieRegister
from cookieguard.errors import ConfigError
from cookieguard.identity.clock_steps import Steps
from cookieguard.identity.shop_token import ShopToken
from cookieguard.keyring import Keyring

# RFC 9110 tchar. Parsers strip different blanks around a cookie's name (even U+00A0, in UTF-8 too), so an app may read
# a signed name wherever only other bytes surround it.
NAME_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
OTHER_BYTES = bytes(byte for byte in range(256) if byte not in NAME_BYTES)


class SignedCookies:
    """Hold the token of each signed cookie, by name. Built once, independent of a request."""

    def __init__(
        self, config: Config, keyring: Keyring, register: CookieRegister, steps: Steps | None = None
    ) -> None:
        life = timedelta(days=config.identity.absolute_days)
        self._tokens = {
            cookie.name.encode(): ShopToken(keyring, cookie, session_life=life, steps=steps)
            for cookie in config.cookies.sign
        }
        for name in self._tokens:
            _require_necessary(name, register)
        self.are_there = bool(self._tokens)
        names = b"|".join(map(re.escape, self._tokens)) or b"(?!)"
        self._names = re.compile(names)
        # Python's http.cookies ends a value at a blank, and begins the next name there.
        self._inside = re.compile(rb"[\x00-\x20\"\x7f-\xff](?:%s)[\x00-\x20]*=" % names)

    def occur_in(self, header: bytes) -> bool:
        """Return whether a Cookie header may contain a signed cookie."""
        return self._names.search(header) is not None

    def of(self, name: bytes) -> ShopToken | None:
        """Return the token of a cookie; None if the cookie is not signed."""
        return self._tokens.get(name)

    def pairs(self, header: bytes) -> Iterator[tuple[bytes, ShopToken | None, bytes | None]]:
        """Yield each pair of a Cookie header, the token of its name if that is signed, and its value.

        The value is None if only some parsers would read the name in this spelling.
        """
        for pair in header.split(b";"):
            name, equals, value = pair.partition(b"=")
            token = self._tokens.get(name.strip(b" \t")) if equals else None
            if token is not None and self._inside.search(value) is None:
                yield pair, token, value.strip(b" \t")
            else:
                yield pair, self._alike(pair), None

    def shown(self, header: bytes, values: Mapping[bytes, bytes]) -> bytes:
        """Return a Cookie header with these values for signed cookies, and without signed cookies not in `values`."""
        kept = []
        for pair, token, value in self.pairs(header):
            if token is None:
                kept.append(pair)
            elif value is not None and token.name in values:
                start = pair[: len(pair) - len(pair.lstrip(b" \t"))]
                kept.append(start + token.name + b"=" + values[token.name])
        return b";".join(kept).strip(b" \t")

    def _alike(self, pair: bytes) -> ShopToken | None:
        """Return the token of the signed cookie that some parser may find in a pair; None if there is none."""
        if self._names.search(pair) is None:
            return None
        token = self._tokens.get(pair.lstrip(OTHER_BYTES).partition(b"=")[0].strip(OTHER_BYTES))
        if token is not None:
            return token
        found = self._inside.search(pair)  # even in the name, where parsers skip `$Path` and `secure`
        return self._tokens.get(found[0].strip(OTHER_BYTES)) if found else None


def _require_necessary(name: bytes, register: CookieRegister) -> None:
    """Raise ConfigError if a cookie to sign is not necessary: binding it would begin a session without consent."""
    use = register.use_of(name)
    if use.is_declared and use.purpose != NECESSARY:
        allowed = f"a cookie that is declared as {NECESSARY}, or not declared"
        was = f"{name.decode()!r}, declared for {use.purpose}"
        raise ConfigError("cookies.sign.name", was=was, allowed=allowed)
