"""Generate weeks of visits to a small shop and write them with the real engine, so that the dashboard has figures."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.goals import VALUE_SIGN, step_of
from cookieguard.stats.hits import NO_KEY, PARTLY_COUNTED, SECONDS_OF_DAY, Batch, Hit

Name = TypeVar("Name")
SEED = 20
VISITORS_A_DAY = 320
POLICIES = ("2026-06", "2026-11")
# value -> weight, as may be typical for a shop for ceramics
SOURCES = {"(direct)": 28, "search.example": 36, "blog.example": 7, "social.example": 15, "newsletter": 14}
COUNTRIES = {"DE": 46, "AT": 14, "CH": 11, "FR": 9, "NL": 6, "GB": 5, "EG": 4, "US": 3, "LI": 0.2, "": 2}
BROWSERS = {"Chrome": 40, "Mobile Safari": 24, "Firefox": 14, "Edge": 9, "Safari": 9, "Samsung Internet": 4}
DEVICES = {"mobile": 56, "desktop": 39, "tablet": 5}
# Other browsers get the system of their device, and other countries the language English.
SYSTEMS = {"Mobile Safari": "iOS", "Samsung Internet": "Android", "Safari": "Mac OS X"}
SYSTEM_OF_DEVICE = {"mobile": "Android", "desktop": "Windows", "tablet": "Android"}
LANGUAGES = {"DE": "de", "AT": "de", "CH": "de", "LI": "de", "FR": "fr", "NL": "nl", "EG": "ar"}
PRODUCTS = {
    "moon-plate": 26,
    "heron-teapot": 22,
    "morning-mug": 19,
    "bud-vase": 12,
    "tide-bowl": 9,
    "pour-over": 6,
    "evening-lantern": 4,
    "cork-jar": 2,
}
# source -> the weights of medium and campaign, and the share of its links that have them
CAMPAIGNS = {
    "newsletter": ({("email", "winter"): 6, ("email", "gifts"): 3}, 1.0),
    "social.example": ({("paid", "winter"): 5, ("paid", "gifts"): 4}, 0.9),
    "search.example": ({("cpc", "gifts"): 5, ("cpc", "teapots"): 4}, 0.4),
}
PRODUCT = "/product/"
PAGES = {
    "/": 26,
    "/catalogue": 24,
    PRODUCT: 34,
    "/journal": 6,
    "/cart": 9,
    "/privacy": 1,
    "/checkout": 7,
}
HOURS = (1, 1, 0.4, 0.3, 0.3, 0.5, 1, 2, 4, 5, 6, 6, 7, 6, 5, 5, 6, 7, 9, 11, 12, 10, 6, 3)
WEEK = (1.0, 0.95, 0.9, 0.95, 0.85, 1.15, 1.3)  # from Monday
BOTS = (
    ("search", "Googlebot", 60),
    ("search", "bingbot", 25),
    ("ai", "GPTBot", 40),
    ("ai", "ClaudeBot", 22),
    ("tool", "UptimeRobot", 48),
    ("tool", "curl", 9),
    ("other", "made-up-crawler", 7),
)
HELD = {
    "/": (
        ("ads.localhost", 3, "Glimmer Ads", "marketing"),
        ("metrics.localhost", 1, "Tally Metrics", "statistics"),
    ),
    "/journal": (
        ("video.localhost", 2, "Reel Video and Maps", "preferences"),
        ("widget.localhost", 1, "", "marketing"),
    ),
    PRODUCT: (
        ("ads.localhost", 2, "Glimmer Ads", "marketing"),
        ("widget.localhost", 1, "", "marketing"),
    ),
}
PLAIN = Hit(
    **dict.fromkeys(Hit._fields, ""),  # type: ignore[arg-type] # the numbers follow
)._replace(time=0, kind="view", status=200, bytes=9000, duration=12, entry=0, gpc=0, key=NO_KEY, os="Other")


# The median time of a page, in milliseconds.
TIMES = {
    "/": 60,
    "/catalogue": 180,
    PRODUCT: 85,
    "/journal": 120,
    "/cart": 70,
    "/privacy": 30,
    "/checkout": 240,
}
SEARCHES = {"mug": 30, "teapot": 22, "blue bowl": 9, "vase": 7, "gift card": 6, "plate 26 cm": 4}
# Pages that old links lead to although they are gone -> weight
MISSING = {"/product/spring-mug": 14, "/sale": 9, "/journal/glazing": 2, "/shop/teapots.html": 1}
# (page, status) of other errors -> weight
FAULTS = {("/checkout", 500): 6, ("/search", 503): 3, ("/account", 403): 5, ("/cart/add", 400): 2}
MISSED, FAILED, SEARCHED = (
    10,
    8,
    30,
)  # percent of the visitors with such an error, or of the views with a search
# page -> goal, and the percentage of views that reach it
GOALS = {
    PRODUCT: ("put into the cart", 14),
    "/checkout": ("order placed", 38),
    "/journal": ("newsletter", 9),
}


STATES = {
    "accepted": "all",
    "partly": PARTLY_COUNTED,
    "refused": "refused",
    "withdrawn": "refused",
    "": "undecided",
}


class Person(NamedTuple):
    """Hold one visitor of a day, with the fields that are the same in all their hits."""

    hit: Hit
    agrees: bool
    answer: str  # an Event, empty for none


def fill(state_dir: Path, *, days: int, now: datetime) -> int:
    """Write so many days of hits, up to now, if there are no statistics yet; return the number of hits."""
    path = state_dir / STATS_FILE
    if path.exists():
        return 0
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    source, second, written = random.Random(SEED), int(now.timestamp()), 0
    today = second // SECONDS_OF_DAY
    engine = SqliteHits(path)
    try:
        for day in range(today - days + 1, today + 1):
            hits = sorted(hit for hit in draw_day(source, day, today) if hit.time <= second)
            engine.write(Batch(f"demo-{day}", hits, {}, {}))
            written += len(hits)
    finally:
        engine.close()
    return written


def draw_day(source: random.Random, day: int, today: int) -> Iterator[Hit]:
    """Yield the hits of one day: more at weekends, and more from month to month."""
    busy = WEEK[(day + 3) % 7] * max(0.4, 1 + 0.006 * (day - today + 30)) * source.uniform(0.88, 1.12)
    policy = POLICIES[day > today - 9]
    for _ in range(round(VISITORS_A_DAY * busy)):
        yield from _visit(source, _person(source, day, policy))
    for kind, name, often in BOTS:
        for _ in range(round(often * source.uniform(0.5, 1.5))):
            page = _named(source, _one(source, PAGES))
            yield PLAIN._replace(time=_time(source, day), page=page, browser=name, bot=kind, device="other")


def _person(source: random.Random, day: int, policy: str) -> Person:
    answer = source.choices(("accepted", "refused", "partly", "withdrawn", ""), (42, 27, 7, 1, 23))[0]
    agrees = answer in ("accepted", "partly")
    gpc = int(not agrees and source.random() < 0.2)
    time, country, browser = _time(source, day), _one(source, COUNTRIES), _one(source, BROWSERS)
    device = _one(source, DEVICES)
    hit = PLAIN._replace(
        time=time,
        country=country,
        browser=browser,
        device=device,
        os=SYSTEMS.get(browser, SYSTEM_OF_DEVICE[device]),
        language=LANGUAGES.get(country, "en"),
        consent=STATES[answer],
        policy=policy,
        gpc=gpc,
        key=source.getrandbits(62) + 1 if agrees else NO_KEY,
    )
    return Person(hit, agrees, "" if gpc else answer)


def _visit(source: random.Random, person: Person) -> Iterator[Hit]:
    """Yield the hits of a visit of one to nine pages; the first one may have a source."""
    time, origin = person.hit.time, _one(source, SOURCES)
    for step in range(min(9, 1 + int(source.expovariate(0.4)))):
        page = _one(source, PAGES)
        held = (
            "" if person.answer == "accepted" and step else json.dumps(HELD.get(page, ())).replace("[]", "")
        )
        hit = person.hit._replace(time=time, page=page, held=held, bytes=source.randrange(4000, 20_000))
        if not step:
            hit = _led_by(source, hit, origin)._replace(entry=int(not person.agrees))
        hit = _at_leisure(hit)._replace(page=_named(source, page))
        yield hit
        if not step and time % 100 < MISSED:
            page = _one(random.Random(time), MISSING)
            yield hit._replace(kind="error", status=404, page=page, source="", held="", event="", entry=0)
        if not step and time % 1000 < FAILED * 10:
            where, status = _one(random.Random(time), FAULTS)
            yield hit._replace(kind="error", status=status, page=where, source="", held="", event="", entry=0)
        if not step and person.answer:
            of_link = origin if hit.campaign else ""  # a link's utm_source is in the address of its page
            yield hit._replace(
                kind="choice", event=person.answer, key=NO_KEY, source=of_link, held="", entry=0
            )
        yield from _goals(source, hit, page)
        time += int(source.expovariate(1 / 45)) + 3
        if time // SECONDS_OF_DAY > hit.day:  # a visitor's key changes each day
            return


def _led_by(source: random.Random, view: Hit, origin: str) -> Hit:
    """Return the first view of a visit with its source: a link of a campaign, another page, or neither."""
    first = view._replace(source=origin, event="" if view.gpc else "shown")
    links, often = CAMPAIGNS.get(origin, ({}, 0.0))
    if source.random() < often:
        medium, campaign = _one(source, links)
        return first._replace(medium=medium, campaign=campaign)
    return first if origin == "(direct)" else first._replace(referrer=origin)


def _at_leisure(view: Hit) -> Hit:
    """Return the view with its duration; some views of the catalogue become searches, chosen by their second."""
    chance = random.Random(view.time)
    is_search = view.page == "/catalogue" and chance.random() * 100 < SEARCHED
    time = chance.lognormvariate(0, 0.8) * TIMES[view.page] * (4 if is_search else 1)
    return view._replace(search=_one(chance, SEARCHES) if is_search else "", duration=int(time))


def _named(source: random.Random, page: str) -> str:
    """Return the page's name, for `/product/` with a product drawn by its weight."""
    return page + _one(source, PRODUCTS) if page == PRODUCT else page


def _goals(source: random.Random, view: Hit, page: str) -> Iterator[Hit]:
    name, of_a_hundred = GOALS.get(page, ("", 0))
    if source.random() * 100 < of_a_hundred:
        goal = view._replace(kind="goal", event=name, status=303, source="", held="", entry=0)
        goal = goal._replace(medium="", campaign="")
        yield goal
        if name == "order placed":
            yield goal._replace(event=f"{name}{VALUE_SIGN}{step_of(source.lognormvariate(4, 0.7))}")


def _time(source: random.Random, day: int) -> int:
    hour = source.choices(range(24), HOURS)[0]
    return day * SECONDS_OF_DAY + hour * 3600 + source.randrange(3600)


def _one(source: random.Random, weighted: Mapping[Name, float]) -> Name:
    return source.choices(list(weighted), list(weighted.values()))[0]
