"""Reads browser, system, kind of device and kind of bot from a User-Agent. Hostile values raise no error.

Parsing takes about 20 us, and matching the list of crawlers 200 us more, so results are cached. The thread that writes
statistics does this, not the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from cookieguard.stats.hits import BotKind
from cookieguard.stats.text_cleaning import cleaned_field

MAX_AGENT = 512  # characters; 8 KB cost 25 to 75 ms to parse
AGENTS_KEPT = 4096  # the different browsers of a busy shop's day
MAX_NAME = 60  # characters of a family
MAX_MAJOR = 4  # digits; a version may have thousands, and five may name a person
PATTERNS_AT_ONCE = 25  # several short alternations are faster than one of all patterns

# A crawler with several tags gets the first matching kind: one that collects for a model is AI even if it searches too.
KINDS: Mapping[BotKind, frozenset[str]] = {
    BotKind.AI: frozenset({"ai-crawler"}),
    BotKind.SEARCH: frozenset({"search-engine"}),
    BotKind.TOOL: frozenset({"http-library", "browser-automation", "monitoring", "scanner"}),
    BotKind.OTHER: frozenset(),
}
# Bots that are not in the list. Cubot is a brand of telephones.
_SELF_DECLARED = re.compile(
    r"(?<!cu)bot\b|crawl|spider|scrape|\b(?:curl|wget)\b|python-|headless|\bhttp-?client\b", re.I
)
_PRINTABLE = re.compile(r"[^ -~]")


class Agent(NamedTuple):
    """The content of a User-Agent. `bot` is a BotKind, empty for people; `device` is one of four words."""

    browser: str
    major: str
    os: str
    device: str
    bot: str


UNKNOWN = Agent("Other", "", "Other", "other", "")
NO_AGENT = UNKNOWN._replace(bot=BotKind.OTHER.value)  # an empty User-Agent; every browser sends one


def read_agent(header: bytes) -> Agent:
    """Return the content of a User-Agent header."""
    return _read(header[:MAX_AGENT].decode("latin-1"))


@lru_cache(maxsize=AGENTS_KEPT)
def _read(text: str) -> Agent:
    if not text.strip():
        return NO_AGENT
    try:
        return _agent(text)
    except Exception:  # noqa: BLE001 - foreign parsers may raise anything on free text, which then counts as UNKNOWN
        return UNKNOWN


def _agent(text: str) -> Agent:
    from cookieguard.stats.parsed_user_agent import ParsedAgent  # 0.3 s and 13 MB, with the first agent

    found = ParsedAgent(text)
    bot = _bot_kind(text, found)
    major = str(found.browser.version[0]) if found.browser.version else ""
    return Agent(
        browser=_name(found.browser.family),
        major=major if major.isdecimal() and len(major) <= MAX_MAJOR else "",
        os=_name(found.os.family),
        device=_device(found),
        bot=bot,
    )


def _device(found: Any) -> str:
    """Return the kind of device. Tablets come first, because `user_agents` also calls some of them mobile."""
    if found.is_tablet:
        return "tablet"
    if found.is_mobile:
        return "mobile"
    return "desktop" if found.is_pc else "other"


def _bot_kind(text: str, found: Any) -> str:
    for kind, patterns in _crawlers().items():
        if any(pattern.search(text) for pattern in patterns):
            return kind.value
    if found.is_bot or _SELF_DECLARED.search(text):
        return BotKind.OTHER.value
    return ""


def _name(family: str | None) -> str:
    """Return a family's name for storage, cleaned because a bot's name is free text."""
    return cleaned_field(_PRINTABLE.sub("?", family or "Other"))[:MAX_NAME]


@cache
def _crawlers() -> Mapping[BotKind, Sequence[re.Pattern[str]]]:
    """Return the patterns of known crawlers by kind."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    by_kind: dict[BotKind, list[str]] = {kind: [] for kind in KINDS}
    for crawler in CRAWLER_USER_AGENTS_DATA:
        tags = set(crawler.get("tags", ()))
        kind = next((kind for kind, own in KINDS.items() if own & tags), BotKind.OTHER)
        by_kind[kind].append(crawler["pattern"])
    return {kind: _compiled(patterns) for kind, patterns in by_kind.items()}


def _compiled(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    starts = range(0, len(patterns), PATTERNS_AT_ONCE)
    return [re.compile("|".join(patterns[at : at + PATTERNS_AT_ONCE])) for at in starts]
