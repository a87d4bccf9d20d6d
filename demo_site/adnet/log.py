"""What the ad network remembers of each request, in memory and bounded."""

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

# What a request was, by its path; the first match counts.
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
    """The shop that caused the request, as far as it can be told: a host, or nothing."""
    referrer: str
    cookie: str
    body: str

    @property
    def page(self) -> str:
        """Return the page the visitor was on, where the tag said so."""
        return self.told("dl") or self.referrer

    @property
    def recognised_by(self) -> str:
        """Return what tells this browser from others: our cookie, or the number our script left in the shop's."""
        return self.cookie or self.told("uid") or self.told("cid")

    def told(self, name: str) -> str:
        """Return one value the tag put into the query or the body."""
        values = parse_qs(f"{self.query}&{self.body}").get(name)
        return values[0] if values else ""


class Log:
    """Remember the newest requests and count all of them. Owned by one ad network."""

    def __init__(self) -> None:
        self._ids = count(1)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.records: deque[Record] = deque(maxlen=MOST_RECORDS)
        self.connections = 0
        self.total = 0
        self.by_host: Counter[str] = Counter()
        self.by_kind: Counter[str] = Counter()
        self.by_site: Counter[str] = Counter()

    def note(self, request: Request, *, body: bytes, now: datetime) -> Record:
        """Remember one request."""
        record = _record(request, number=next(self._ids), body=body, now=now)
        self.records.append(record)
        self.total += 1
        self.by_host[record.host] += 1
        self.by_kind[record.kind] += 1
        self.by_site[record.site] += 1
        return record

    def note_connection(self) -> None:
        """Count a connection, which tells a third party the visitor's address before any request does."""
        self.connections += 1


def site_of(request: Request) -> str:
    """Name the shop that caused a request: what our own frames say (`site`), else the referrer's host."""
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
