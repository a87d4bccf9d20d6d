"""A finished request as the access log records it."""

from __future__ import annotations

from cookieguard.stats.accesslog import LogLine
from cookieguard.web.exchange import Exchange

SERVER_ERROR = 500  # what a server answers where the app raised before it said anything


def line_of(exchange: Exchange) -> LogLine:
    """Return the line of a request, without a person in it once that is written."""
    request = exchange.request
    return LogLine(
        address=exchange._address if exchange.parts.logs_in_cipher else exchange.client,
        time=exchange.now,
        method=request.method,
        path=request.raw_path,
        http_version=request.http_version,
        status=exchange.status or SERVER_ERROR,
        bytes_sent=exchange.bytes_sent,
        referrer=request.headers.get(b"referer", b""),
        user_agent=request.headers.get(b"user-agent", b""),
        host=request.origin.authority.encode("latin-1"),
    )
