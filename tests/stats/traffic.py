"""Known traffic, and a plain recount of it that shares no code with the engines' sums."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable

from cookieguard.stats.hits import Hit

DAY = 20_780  # days since 1970
MIDNIGHT = DAY * 86_400
HELD = '[["ads.example",2,"Ads","marketing"],["spy.example",1,"","marketing"]]'

PLAIN = Hit(
    time=MIDNIGHT + 43_200,
    site="shop.example",
    kind="view",
    page="/",
    status=200,
    bytes=1000,
    duration=7,
    source="",
    referrer="",
    medium="",
    campaign="",
    term="",
    content="",
    browser="Firefox",
    browser_major="153",
    os="Linux",
    device="desktop",
    language="en",
    country="DE",
    entry=0,
    consent="undecided",
    policy="1",
    event="",
    gpc=0,
    held="",
    bot="",
    key=0,
)


def draw_hits(count: int, *, seed: int, days: int = 2) -> list[Hit]:
    """Draw hits of all kinds, in the order of time. A visitor has the same browser and country all day."""
    source = random.Random(seed)
    return sorted(_draw_hit(source, days) for _ in range(count))


def _draw_hit(source: random.Random, days: int) -> Hit:
    visitor = source.randrange(1, 60)
    time = MIDNIGHT + source.randrange(days * 86_400)
    kind = source.choices(["view", "error", "choice", "goal"], [20, 2, 1, 1])[0]
    bot = "search" if visitor % 9 == 0 else ""
    has_key = visitor % 2 == 0 and not bot
    origin = source.choice(["", "", "(direct)", "search.example"]) if kind == "view" else ""
    events = {"choice": ["accepted", "refused", "withdrawn"], "goal": ["order"], "view": ["", "shown"]}
    return PLAIN._replace(
        time=time,
        kind=kind,
        page=source.choice(["/", "/about", "/product/{id}"]),
        status=404 if kind == "error" else 200,
        bytes=source.randrange(5000),
        duration=source.randrange(1500),
        source=origin,
        medium="mail" if origin == "search.example" and visitor % 4 == 0 else "",
        browser=["Firefox", "Chrome", "Safari"][visitor % 3],
        country=["DE", "FR", ""][visitor % 3],
        device=["desktop", "mobile"][visitor % 2],
        event=source.choice(events.get(kind, [""])),
        gpc=int(visitor % 7 == 0),
        held=HELD if kind == "view" and source.random() < 0.3 else "",
        bot=bot,
        # Keys of two days are two.
        key=visitor * 1_000_003 + time // 86_400 if has_key else 0,
        search=["", "", "blue mug", "hat"][time % 4] if kind == "view" and not bot else "",
        entry=int(bool(origin) and not has_key and not bot),
    )


def with_entries(hits: Iterable[Hit]) -> list[Hit]:
    """Decide by hand which views begin a visit: those after half an hour without one; and where goals come from."""
    last: dict[int, int] = {}
    hits = sorted(hits)
    firsts = {hit.key: hit for hit in reversed(hits) if hit.key and hit.kind == "view"}
    found = []
    for hit in hits:
        if hit.key and hit.kind == "view":
            is_entry = hit.key not in last or hit.time - last[hit.key] > 1800
            last[hit.key] = hit.time
            hit = hit._replace(entry=int(is_entry))  # noqa: PLW2901 - the same hit, decided
        if hit.kind == "goal" and hit.key in firsts and firsts[hit.key].time <= hit.time:
            first = firsts[hit.key]
            hit = hit._replace(source=first.source, medium=first.medium, campaign=first.campaign)  # noqa: PLW2901
        found.append(hit)
    return found


def with_exits(hits: Iterable[Hit]) -> list[Hit]:
    """Return the views after which a visitor made none for half an hour; of several at once any may be it."""
    last: dict[tuple[int, int], int] = {}
    found = []
    for hit in sorted(people(hits), key=lambda hit: hit.time, reverse=True):
        if hit.key:
            visitor = hit.time // 86_400, hit.key
            if visitor not in last or last[visitor] - hit.time > 1800:
                found.append(hit)
            last[visitor] = hit.time
    return found


def with_bounces(hits: Iterable[Hit]) -> list[Hit]:
    """Return the same, its `entry` saying whether the visitor had made no view for half an hour before either."""
    times = defaultdict(list)
    for hit in people(hits):
        times[hit.day, hit.key].append(hit.time)
    found = []
    for hit in with_exits(hits):
        before = max((time for time in times[hit.day, hit.key] if time < hit.time), default=0)
        found.append(hit._replace(entry=int(hit.time - before > 1800)))
    return found


def people(hits: Iterable[Hit], kind: str = "view") -> list[Hit]:
    """Return the hits of one kind that are no bot's."""
    return [hit for hit in hits if not hit.bot and hit.kind == kind]


def recount(hits: Iterable[Hit], column: str) -> list[tuple[str, int, int, int]]:
    """Count views, entries and visitor-days of each value, most views first."""
    views, visits = defaultdict(int), defaultdict(int)
    visitors = defaultdict(set)
    for hit in hits:
        value = getattr(hit, column)
        views[value] += 1
        visits[value] += hit.entry
        if hit.key:
            visitors[value].add((hit.time // 86_400, hit.key))
    rows = [(value, views[value], visits[value], len(visitors[value])) for value in views]
    return sorted(rows, key=lambda row: (-row[1], row[0]))
