"""Statistics of 1,000 visitors behind a cache, compared with the same visits without one."""

from __future__ import annotations

import html
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import pytest

from servers.shared_caches import (
    CACHES,
    CHOICES,
    FORM,
    HOST,
    Cache,
    asking,
    choose,
    demo_shop,
    from_cache,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
VISITORS = 1000
SHOP = f"http://{HOST}"
PAGES = ("/", "/catalogue", "/catalogue?kind=bowls", "/journal", "/product/morning-mug", "/privacy")
SOURCES = (
    "",
    "https://news.example",
    "https://search.example",
    "https://pots.example",
    "https://blog.example",
)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
)
SCRIPT = re.compile(r'<script data-cg="/_cg/seen ([^"]*)"')
PICTURE = re.compile(r'<noscript><img src="(/_cg/seen\?[^"]*)"')
# What one figure of the dashboard counts, as rows of (name, number).
FIGURES = {
    "views": "SELECT '', COUNT(*) FROM hit WHERE kind = 'view'",
    "visits": "SELECT '', COUNT(*) FROM hit WHERE kind = 'view' AND entry = 1",
    "visitors who agreed": "SELECT '', COUNT(DISTINCT key) FROM hit WHERE kind = 'view'",
    "pages": "SELECT page, COUNT(*) FROM hit WHERE kind = 'view' GROUP BY page",
    "referrers": "SELECT referrer, COUNT(*) FROM hit WHERE kind = 'view' GROUP BY referrer",
    "entry pages": "SELECT page, COUNT(*) FROM hit WHERE kind = 'view' AND entry = 1 GROUP BY page",
    "consent": "SELECT consent, COUNT(*) FROM hit WHERE kind = 'view' GROUP BY consent",
}
BEGIN = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
SINCE_CHOICE = timedelta(
    hours=2
)  # within seconds after it, a page that leads to itself counts as the one before
MOST = 0.01  # of a figure may be missing or too much


@dataclass(frozen=True)
class Visitor:
    """Open pages one after the other, as a browser with scripts or without, and report those that ask for it."""

    address: str
    agent: str
    cookies: Mapping[str, str]
    has_scripts: bool
    steps: tuple[str, ...]
    led_by: str

    def browse(self, edge: Cache) -> int:
        """Make the visit; return how many pages came from the cache."""
        hits, before = 0, self.led_by
        for path in self.steps:
            site = "none" if not before else "same-origin" if before.startswith(SHOP) else "cross-site"
            said = {"Sec-Fetch-Site": site, **({"Referer": before} if before else {})}
            page = edge.ask(path, cookies=self.cookies, headers=self._headers | said)
            hits += from_cache(page)
            self.report(edge, page.text, path, before)
            before = SHOP + path
        return hits

    def report(self, edge: Cache, page: str, path: str, before: str) -> None:
        """Report a page that asks for it."""
        script, picture = SCRIPT.search(page), PICTURE.search(page)
        if script is None or picture is None:
            return
        headers = {**self._headers, "Referer": SHOP + path}
        if self.has_scripts:
            value, address, route, *_ = html.unescape(script[1]).split(" ")
            said = {
                "v": value,
                "p": address,
                "t": unquote(route),
                "r": "/".join(before.split("/")[:3]),
                "s": "",
            }
            form = {**headers, **FORM, "Origin": SHOP, "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "no-cors"}
            answer = edge.ask(
                "/_cg/seen", method="POST", headers=form, cookies=self.cookies, body=urlencode(said)
            )
        else:
            image = {**headers, "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"}
            answer = edge.ask(html.unescape(picture[1]), headers=image, cookies=self.cookies)
        assert answer.status == 204

    @property
    def _headers(self) -> dict[str, str]:
        return {"User-Agent": self.agent, "X-Forwarded-For": self.address, "Accept-Language": "de"}


def visitors(shop: Cache, *, seed: int, number: int, has_scripts: bool) -> Iterator[Visitor]:
    """Draw visitors in four states, the same for the same seed; each shop gives cookies of its own."""
    draw = random.Random(seed)
    states = [{}, *(choose(shop, body) for body in CHOICES.values())]
    for index in range(number):
        steps = tuple(draw.sample(PAGES, draw.randint(1, 5)))
        yield Visitor(
            address=f"198.18.{index // 250}.{index % 250 + 1}",
            agent=draw.choice(AGENTS),
            cookies=draw.choice(states),
            has_scripts=has_scripts,
            steps=steps,
            led_by=f"{source}/" if (source := draw.choice(SOURCES)) else "",
        )


def counted(folder: Path) -> dict[str, Counter[str]]:
    """Return each figure of a shop that has ended."""
    with closing(sqlite3.connect(folder / "state" / "stats.db")) as connection:
        return {name: Counter(dict(connection.execute(query))) for name, query in FIGURES.items()}


def apart(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Return how far two figures differ, as a share of the first."""
    return sum(abs(one.get(name, 0) - other.get(name, 0)) for name in {*one, *other}) / sum(one.values())


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(("has_scripts", "number"), [(True, VISITORS), (False, VISITORS // 5)])
def test_as_much_is_counted_behind_a_cache_as_without_it(
    cache: Any, has_scripts: bool, number: int, tmp_path: Path
) -> None:
    drawn: dict[str, Any] = {"seed": 37, "number": number, "has_scripts": has_scripts}
    alone, behind, times = tmp_path / "alone", tmp_path / "behind", [BEGIN]
    with demo_shop(alone, mode="private", clock=lambda: times[0]) as port:
        crowd = list(visitors(asking(port), **drawn))
        times[0] += SINCE_CHOICE
        browse(crowd, asking(port))
    times[0] = BEGIN
    with demo_shop(behind, clock=lambda: times[0]) as port, cache(port, tmp_path / "edge") as edge:
        crowd = list(visitors(edge, **drawn))
        times[0] += SINCE_CHOICE
        hits = browse(crowd, edge)

    steps = sum(len(visitor.steps) for visitor in crowd)
    expected, found = counted(alone), counted(behind)
    differing = {name: round(apart(expected[name], found[name]), 4) for name in FIGURES}
    print(f"{number} visitors, {steps} pages, {hits} from the cache; {expected=} {found=} {differing=}")
    assert hits >= 0.95 * steps
    assert expected["views"][""] == steps
    # A picture does not say what led to its page, so no visit begins with it
    known = FIGURES.keys() - (set() if has_scripts else {"referrers", "visits", "entry pages"})
    assert max(differing[name] for name in known) <= MOST
    assert found["visits"][""] <= expected["visits"][""]


def browse(crowd: list[Visitor], edge: Cache) -> int:
    """Let visitors make their visits; return how many pages came from the cache."""
    return sum(visitor.browse(edge) for visitor in crowd)
