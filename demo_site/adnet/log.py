"""The ad network's record of its requests, in memory and with a limit."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

MOST_RECORDS = 5_000
LONGEST_TEXT = 600

# The kind of a request, by its path; the first match counts.
KINDS = (
    ("/tag.js", "script"),
    ("/audience.js", "script"),
    ("/analytics.js", "script"),
    ("/widget.js", "script"),
    ("/pixel.gif", "pixel"),
    ("/collect", "beacon"),
    ("/embed/", "frame"),
    ("/style.css", "style"),
    ("/font/", "font"),
    ("/banner.svg", "image"),
    ("/avatar.svg", "image"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Hold one request as the ad network sees it."""

    id: int
    time: str
    method: str
    host: str
    path: str
    query: str
    kind: str
    site: str
    """The host of the shop that caused the request, or "" if it is unknown."""
    referrer: str
    cookie: str
    body: str

    @property
    def page(self) -> str:
        """Return the visitor's page, if the tag sent it."""
        return self.told("dl") or self.referrer

    @property
    def recognised_by(self) -> str:
        """Return the browser's number, from our own cookie or from the one that our script set on the shop's site."""
        return self.cookie or self.told("uid") or self.told("cid")

    def told(self, name: str) -> str:
        """Return one value that the tag sent in the query or the body."""
        values = parse_qs(f"{self.query}&{self.body}").get(name)
        return values[0] if values else ""


class Log:
    """Keep the newest requests, and count all of them. Owned by one ad network."""

    def __init__(self) -> None:
        self._ids = count(1)
        self.clear()

    def clear(self) -> None:
        """Delete all records and counts."""
        self.records: deque[Record] = deque(maxlen=MOST_RECORDS)
        self.connections = 0
        self.total = 0
        self.by_host: Counter[str] = Counter()
        self.by_kind: Counter[str] = Counter()
        self.by_site: Counter[str] = Counter()

    def note(self, request: Request, *, body: bytes, now: datetime) -> Record:
        """Add one request."""
        record = _record(request, number=next(self._ids), body=body, now=now)
        self.records.append(record)
        self.total += 1
        self.by_host[record.host] += 1
        self.by_kind[record.kind] += 1
        self.by_site[record.site] += 1
        return record

    def note_connection(self) -> None:
        """Count a connection, which reveals the visitor's address to a third party even without a request."""
        self.connections += 1


def site_of(request: Request) -> str:
    """Return the host of the shop that caused a request: `site`, which our own frames send, or the referrer's host."""
    said = request.query_params.get("site", "")
    headers: Mapping[str, str] = request.headers
    return said or (urlsplit(headers.get("referer") or headers.get("origin") or "").hostname or "")


def _record(request: Request, *, number: int, body: bytes, now: datetime) -> Record:
    path = request.url.path
    kind = next((kind for start, kind in KINDS if path.startswith(start)), "other")
    return Record(
        id=number,
        time=now.isoformat(timespec="milliseconds"),
        method=request.method,
        host=(request.headers.get("host") or "").rpartition(":")[0] or request.headers.get("host", ""),
        path=path[:LONGEST_TEXT],
        query=request.url.query[:LONGEST_TEXT],
        kind="preflight" if request.method == "OPTIONS" else kind,
        site=site_of(request)[:LONGEST_TEXT],
        referrer=request.headers.get("referer", "")[:LONGEST_TEXT],
        cookie=request.headers.get("cookie", "")[:LONGEST_TEXT],
        body=body.decode("utf-8", "replace")[:LONGEST_TEXT],
    )
