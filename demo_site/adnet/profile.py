"""The profile of each browser that the ad network makes from its requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from demo_site.adnet.log import Record

MOST_PROFILES = 3
MOST_PAGES = 8


@dataclass(slots=True)
class Profile:
    """Collect the pages and facts of one browser; it grows while the records are read."""

    id: str
    requests: int = 0
    pages: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    customer: str = ""


def profiles_of(records: Iterable[Record]) -> list[Profile]:
    """Return the profiles of the newest browsers that sent a number."""
    profiles: dict[str, Profile] = {}
    for record in records:
        number = record.told("uid")
        if number:
            profile = profiles.pop(number, None) or Profile(number)
            profiles[number] = profile  # the most recent browser comes last
            _learn(profile, record)
    return list(profiles.values())[: -MOST_PROFILES - 1 : -1]


def _learn(profile: Profile, record: Record) -> None:
    profile.requests += 1
    profile.customer = record.told("customer") or profile.customer
    _remember(profile.pages, urlsplit(record.told("dl")).path)
    _remember(profile.events, record.told("did"))


def _remember(trace: list[str], value: str) -> None:
    if value and value not in trace[-1:]:
        trace.append(value)
        del trace[:-MOST_PAGES]
