"""Read the customer's number from the app: by the shop's callable `customer_from`, or from a header of its response."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.identity.session_state import Claim
from cookieguard.security_events import SecurityEvent
from cookieguard.web.http.headers import Headers

CustomerFrom = Callable[[Any], str | int | None]
Report = Callable[[str], None]

NUMBER = re.compile(rb"[ -~]{1,128}")  # sessions have room for it; control characters could split a log line
GUEST = ""


class Customers:
    """Read the customer from the source that the shop has configured. Built once, independent of a request."""

    def __init__(self, ask: CustomerFrom | None, header: str) -> None:
        self.ask = ask
        self._header = header.lower().encode()
        self.are_asked = ask is not None or bool(header)

    @classmethod
    def of(cls, config: Config, ask: CustomerFrom | None) -> Customers:
        """Return the source that the configuration names, if any. Raises ConfigError if the settings conflict."""
        header = config.identity.customer_header
        if ask is None:
            return cls(None, header)
        if inspect.iscoroutinefunction(ask) or inspect.iscoroutinefunction(type(ask).__call__):
            allowed = "a plain function that takes the ASGI scope"
            raise ConfigError("customer_from", was="a coroutine function", allowed=allowed)
        if header:
            allowed = "only one of customer_from and identity.customer_header"
            raise ConfigError(
                "customer_from", was="set together with identity.customer_header", allowed=allowed
            )
        if not config.identity.enabled:
            raise ConfigError("customer_from", was="set although identity.enabled is false", allowed="None")
        return cls(ask, "")

    def claim(self, scope: Any, *, lasts: bool, report: Report) -> Claim:
        """Call `customer_from`. If it fails, the visitor counts as a guest, and the failure is reported."""
        if self.ask is None:
            return Claim(None, is_certain=False)
        try:
            answer = self.ask(scope)
            number = "" if answer is None else _text(answer)
        except Exception as error:  # noqa: BLE001  # the shop's own code may raise anything
            report(SecurityEvent.CUSTOMER_FROM_FAILED.format(error=type(error).__name__))
            return Claim(None, is_certain=False)
        return Claim(number or None, lasts=lasts)

    def without(self, headers: Headers) -> Headers:
        """Return a request's headers without the customer header, which only the app may send; `_` may equal `-`."""
        if not self._header:
            return headers
        kept = [pair for pair in headers if pair[0].lower().replace(b"_", b"-") != self._header]
        return headers if len(kept) == len(headers) else kept

    def take(self, headers: Headers, report: Report) -> tuple[Headers, str | None]:
        """Return a response's headers without the customer header, and its number: GUEST if empty, None if invalid."""
        values = {value.strip(b" \t") for name, value in headers if name == self._header}
        if not self._header or not values:
            return headers, None
        kept = [pair for pair in headers if pair[0] != self._header]
        value = values.pop()
        if values or (value and not NUMBER.fullmatch(value)):
            reason = "has several values" if values else "is not a customer number"
            report(SecurityEvent.CUSTOMER_HEADER_REFUSED.format(name=self._header.decode(), reason=reason))
            return kept, None
        return kept, value.decode("ascii")


def _text(answer: object) -> str:
    if isinstance(answer, bool) or not isinstance(answer, str | int):
        raise TypeError("customer number")
    number = str(answer)
    if number and not NUMBER.fullmatch(number.encode("utf-8", "surrogatepass")):
        raise ValueError("customer number")
    return number
