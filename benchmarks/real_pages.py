"""Measure what a page that comes again costs, where a token, a text or a version in it is another each time.

    python benchmarks/real_pages.py --pages DIR [--rounds N]

DIR holds pages (*.html, *.html.gz); the larger third of them is what counts. The first table says of each case how many
of these pages are made of what is known of them, without a rewriter; the second what cookieguard adds to a bare app, in
CPU time and in one process, with log and statistics off. A bare copy of the page is measured beside it. Pages of one
size are a page of DIR, cut to it or repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from pages import pages
from served import AGENT

from cookieguard import Config, CookieGuard
from cookieguard.config import LogSettings, StatsSettings
from cookieguard.html import scanner
from cookieguard.web.document import choose_body

SIZES = {"1 KB": 1, "8 KB": 8, "30 KB": 30, "100 KB": 100, "300 KB": 300, "1 MB": 1024}
ROUNDS = 9
WARM = 24  # requests before the first that counts: some pages are known from their third time on
COUNTED = 8  # requests of which none may need a rewriter
AT_LEAST = 0.004  # seconds of CPU time that make a round
BLOCK = re.compile(rb"<(?:div|p|li|a|section|td)[\s>]", re.IGNORECASE)
BODY, HEAD = (re.compile(rb"<%b(?:\s[^>]*)?>" % name, re.IGNORECASE) for name in (b"body", b"head"))
CONTENT_TYPE = (b"content-type", b"text/html; charset=utf-8")
SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "https",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "client": ("198.51.100.7", 4711),
    "server": ("shop.example", 443),
}
BROWSER = [
    (b"host", b"shop.example"),
    (b"user-agent", AGENT),
    (b"accept", b"text/html"),
    (b"sec-fetch-dest", b"document"),
]
LOOP = asyncio.new_event_loop()
FIELD = b'<input type="hidden" name="csrf" value="%032x">'
Make = Callable[[int], bytes]


def _in(page: bytes, place: int, text: bytes) -> Make:
    """Put a text with a number into a page."""
    before, after = page[:place], page[place:]
    return lambda number: before + text % number + after


def _middle(page: bytes) -> int:
    """Return where an element begins in the middle of a page, and not within a script."""
    for found in BLOCK.finditer(page, len(page) // 2):
        at = found.start()
        if page.rfind(b"</script", 0, at) >= page.rfind(b"<script", 0, at) and page.rfind(
            b"-->", 0, at
        ) >= page.rfind(b"<!--", 0, at):
            return at
    return _start(page)


def _start(page: bytes) -> int:
    found = BODY.search(page)
    return found.end() if found else 0


def _head(page: bytes) -> int:
    found = HEAD.search(page)
    return found.end() if found else 0


def _end(page: bytes) -> int:
    place = page.lower().rfind(b"</body")
    return place if place >= 0 else len(page)


def _largest_script(page: bytes) -> int:
    """Return where the text of the longest inline script begins; one of its own is put into a page without any."""
    texts = re.finditer(rb"<script(?![^>]*(?:src|type))[^>]*>(?=(.*?)</script)", page, re.DOTALL)
    longest = max(texts, key=lambda one: len(one[1]), default=None)
    return longest.end() if longest else -1


def _same(page: bytes) -> Make:
    """Write the same page each time, as an app does, rather than give out one object."""
    before, after = page[:100], page[100:]
    return lambda _: before + b"" + after


def _in_script(page: bytes) -> Make:
    place = _largest_script(page)
    if place < 0:
        return _in(page, _middle(page), b'<script>var csrf="%032x";</script>')
    return _in(page, place, b'var csrf="%032x";')


def _twice(page: bytes) -> Make:
    first, last = _in(page, _end(page), FIELD), _start(page)
    return lambda number: _in(first(number), last, FIELD)(number)


def _other_length(page: bytes) -> Make:
    made = _in(page, _middle(page), b"<span>%d items</span>")
    return lambda number: made(7 ** (number % 5))


def _versions(page: bytes) -> Make:
    return _in(page, _head(page), b'<title>Shop %d</title><link rel="stylesheet" href="/shop.css?v=%%d">')


def _version(page: bytes) -> Make:
    text = b'<meta charset="utf-8"><title>Shop %d</title><link rel="stylesheet" href="/shop.css?v=2">'
    return _in(page, _head(page), text)


def _alternating(page: bytes) -> Make:
    place = _middle(page)
    others = page[:place] + b'<iframe src="https://video.example/e/1"></iframe>' + page[place:]
    return lambda number: others if number % 2 else page


def _alternating_with_token(page: bytes) -> Make:
    made, end = _alternating(page), _end
    return lambda number: _in(one := made(number), end(one), FIELD)(number)


def _new(page: bytes) -> Make:
    """Make a page that has other pictures of others in all of its parts."""
    places = [found.start() for found in re.finditer(rb"<(?:div|p|li|a)\b", page)][::8]
    parts = [page[start:end] for start, end in zip([0, *places], [*places, len(page)], strict=True)]
    return lambda number: (b'<img src="https://ads.example/%d.gif">' % number).join(parts)


CASES: dict[str, Callable[[bytes], Make]] = {
    "the same page again": _same,
    "a token in the head": lambda page: _in(page, _head(page), b'<meta name="csrf-token" content="%032x">'),
    "a version in the head": _version,
    "a token at the start": lambda page: _in(page, _start(page), FIELD),
    "a token in the middle": lambda page: _in(page, _middle(page), FIELD),
    "a token at the end": lambda page: _in(page, _end(page), FIELD),
    "a token in a script": _in_script,
    "two tokens": _twice,
    "a text of another length": _other_length,
    "a comment after </html>": lambda page: _in(page, len(page), b"<!-- made in %d us -->"),
    "two variants in turn": _alternating,
    "two variants with a token": _alternating_with_token,
    "never seen": _new,
}


class Runner:
    """Ask an app in process, as a server would."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def taken(self, times: int) -> float:
        """Return the CPU microseconds of a request; what is sent back is let go."""
        return LOOP.run_until_complete(self._taken(times))

    async def _taken(self, times: int) -> float:
        before = time.thread_time()
        for _ in range(times):
            await self._app({**SCOPE, "headers": [*BROWSER]}, _receive, _send)
        return (time.thread_time() - before) / times * 1e6


async def _receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Any) -> None:
    return None


def app_of(bodies: Iterator[bytes]) -> Any:
    """Answer with one body after the other."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        body = next(bodies)
        headers = [(b"content-length", b"%d" % len(body)), CONTENT_TYPE]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


class Readings:
    """Count how often a rewriter is made."""

    def __init__(self) -> None:
        self.made = 0
        real = choose_body.Rewriter

        def counted(*given: Any, **named: Any) -> Any:
            self.made += 1
            return real(*given, **named)

        choose_body.Rewriter = counted  # type: ignore[misc,assignment]


def measured(make: Make, state: str, readings: Readings, rounds: int) -> tuple[bool, float, float]:
    """Return whether pages are made of what is known, what is added in microseconds, and what a bare copy takes."""
    config = Config(state_dir=state, log=LogSettings(enabled=False), stats=StatsSettings(enabled=False))
    guard = CookieGuard(app_of(map(make, count())), config)
    guarded, bare = Runner(guard), Runner(app_of(map(make, count())))
    guarded.taken(WARM)
    before = readings.made
    once = guarded.taken(COUNTED)
    is_known = readings.made == before
    times = max(3, int(AT_LEAST * 1e6 / once))
    differences = [guarded.taken(times) - bare.taken(times) for _ in range(rounds)]
    guard.close()
    return is_known, statistics.median(differences), _copied(make(0), rounds)


def _copied(page: bytes, rounds: int) -> float:
    def once() -> float:
        before = time.thread_time()
        for _ in range(20):
            bytearray(page)
        return (time.thread_time() - before) / 20 * 1e6

    return statistics.median(once() for _ in range(rounds))


def sized(found: list[bytes], kilobytes: int) -> bytes:
    """Make a page of a size: the real one that is nearest above, cut at a tag; a shorter one is repeated."""
    size = kilobytes * 1024
    page = next((one for one in sorted(found, key=len) if len(one) >= size), max(found, key=len))
    head, end = page[: _start(page)], b"</body></html>\n"
    if len(page) < size:
        body = page[len(head) : _end(page)]
        page = head + body * (size // len(body) + 1)
    if len(head) > size // 2:
        head = b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head><body>'
        page = head + page[_start(page) :]
    place = page.rfind(b"<div", len(head), size)
    place = place if place > size // 2 else page.rfind(b"<", len(head), size)
    while page.rfind(b"</script", 0, place) < page.rfind(b"<script", 0, place):
        place = page.rfind(b"<script", 0, place)
    return page[:place] + end


def rows(names: list[str], cells: dict[str, list[str]], corner: str) -> Iterator[str]:
    """Write a table in Markdown."""
    yield f"| {corner} | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * len(names)
    for name, row in cells.items():
        yield f"| {name} | " + " | ".join(row) + " |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, required=True, help="directory of pages (*.html, *.html.gz)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    found, readings = pages(options.pages), Readings()
    logging.disable()  # the pages are full of others
    real: dict[str, list[str]] = {}
    by_size: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as state:
        for name, case in CASES.items():
            each = [measured(case(page), state, readings, 3) for page in found]
            per_kb = [added * 1024 / len(page) for page, (_, added, _) in zip(found, each, strict=True)]
            known = sum(one[0] for one in each)
            middle = [statistics.median(values) for values in ([one[1] for one in each], per_kb)]
            real[name] = [f"{known} of {len(found)}", f"{middle[0]:.0f}", f"{middle[1]:.2f}"]
        cut = {name: sized(found, kilobytes) for name, kilobytes in SIZES.items()}
        for name, case in CASES.items():
            each = [measured(case(page), state, readings, options.rounds) for page in cut.values()]
            by_size[name] = [f"{added:.0f}{'' if known else ' *'}" for known, added, _ in each]
        by_size["a bare copy"] = [f"{one[2]:.0f}" for one in each]
    print(f"cookieguard, {scanner()}; {len(found)} real pages\n")
    print(
        *rows(
            ["made of pieces", "us added, median page", "us added per KB"], real, f"{len(found)} real pages"
        ),
        sep="\n",
    )
    print("\nus added by size (*: read anew)\n")
    print(*rows([*SIZES], by_size, "case"), sep="\n")


if __name__ == "__main__":
    main()
