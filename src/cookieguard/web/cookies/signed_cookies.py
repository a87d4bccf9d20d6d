"""The shop's cookies that go out in tokens of ours: which they are, and how they stand in a Cookie header."""

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

# RFC 9110 tchar. Readers of cookies strip all kinds of blanks around a name (U+00A0, in UTF-8 too), so whatever is
# a signed name once everything else around it is gone may be one to the app.
NAME_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
OTHER_BYTES = bytes(byte for byte in range(256) if byte not in NAME_BYTES)


class SignedCookies:
    """Hold the tokens of the cookies that are signed, by name. Made once; knows no request."""

    def __init__(
        self, config: Config, keyring: Keyring, register: CookieRegister, steps: Steps | None = None
    ) -> None:
        life = timedelta(days=config.identity.absolute_days)
        self._tokens = {
            one.name.encode(): ShopToken(keyring, one, session_life=life, steps=steps)
            for one in config.cookies.sign
        }
        for name in self._tokens:
            _require_necessary(name, register)
        self.are_there = bool(self._tokens)
        names = b"|".join(map(re.escape, self._tokens)) or b"(?!)"
        self._names = re.compile(names)
        # http.cookies ends a value at a blank, and begins the next name there.
        self._inside = re.compile(rb"[\x00-\x20\"\x7f-\xff](?:%s)[\x00-\x20]*=" % names)

    def occur_in(self, header: bytes) -> bool:
        """Return whether a Cookie header may hold one of them."""
        return self._names.search(header) is not None

    def of(self, name: bytes) -> ShopToken | None:
        """Return the token of a cookie, None for one that is not signed."""
        return self._tokens.get(name)

    def pairs(self, header: bytes) -> Iterator[tuple[bytes, ShopToken | None, bytes | None]]:
        """Take a Cookie header apart: each pair, whose token its value should be, and that value.

        No value where the name is spelled in a way that only some readers take for it.
        """
        for pair in header.split(b";"):
            name, equals, value = pair.partition(b"=")
            token = self._tokens.get(name.strip(b" \t")) if equals else None
            if token is not None and self._inside.search(value) is None:
                yield pair, token, value.strip(b" \t")
            else:
                yield pair, self._alike(pair), None

    def shown(self, header: bytes, values: Mapping[bytes, bytes]) -> bytes:
        """Return a Cookie header with these values, and without signed cookies that have none."""
        kept = []
        for pair, token, value in self.pairs(header):
            if token is None:
                kept.append(pair)
            elif value is not None and token.name in values:
                start = pair[: len(pair) - len(pair.lstrip(b" \t"))]
                kept.append(start + token.name + b"=" + values[token.name])
        return b";".join(kept).strip(b" \t")

    def _alike(self, pair: bytes) -> ShopToken | None:
        """Find the cookie that some reader might take a pair for."""
        if self._names.search(pair) is None:
            return None
        token = self._tokens.get(pair.lstrip(OTHER_BYTES).partition(b"=")[0].strip(OTHER_BYTES))
        if token is not None:
            return token
        found = self._inside.search(pair)  # in the name too: readers skip `$Path` and `secure` there
        return self._tokens.get(found[0].strip(OTHER_BYTES)) if found else None


def _require_necessary(name: bytes, register: CookieRegister) -> None:
    """Refuse to sign what is declared as not needed: its binding would begin a session nobody agreed to."""
    use = register.use_of(name)
    if use.is_declared and use.purpose != NECESSARY:
        allowed = f"a cookie that is declared as {NECESSARY}, or not declared"
        was = f"{name.decode()!r}, declared for {use.purpose}"
        raise ConfigError("cookies.sign.name", was=was, allowed=allowed)
