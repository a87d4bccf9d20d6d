"""What a User-Agent says: browser, system, kind of device, and whether it is a bot; nothing hostile raises.

Parsing takes some 20 us, the list of crawlers 200 us more, so answers are kept. All of it is the writer thread's work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from cookieguard.stats.hits import BotKind
from cookieguard.stats.text_cleaning import cleaned_field

MAX_AGENT = 512  # characters; 8 KB cost 25 to 75 ms to parse
AGENTS_KEPT = 4096  # a day's browsers of a busy shop; made-up ones push each other out
MAX_NAME = 60  # characters of a family
MAX_MAJOR = 4  # digits; a version may have thousands, and five may name a person
PATTERNS_AT_ONCE = 25  # one alternation of all is slower than many short ones

# Of a crawler with several tags the first kind counts: what reads for a model is AI, though it may search too.
KINDS: Mapping[BotKind, frozenset[str]] = {
    BotKind.AI: frozenset({"ai-crawler"}),
    BotKind.SEARCH: frozenset({"search-engine"}),
    BotKind.TOOL: frozenset({"http-library", "browser-automation", "monitoring", "scanner"}),
    BotKind.OTHER: frozenset(),
}
# What the list does not know. Cubot makes telephones.
_SELF_DECLARED = re.compile(
    r"(?<!cu)bot\b|crawl|spider|scrape|\b(?:curl|wget)\b|python-|headless|\bhttp-?client\b", re.I
)
_PRINTABLE = re.compile(r"[^ -~]")


class Agent(NamedTuple):
    """Say what a User-Agent says. `bot` is a BotKind, empty for people; the device is one of four words."""

    browser: str
    major: str
    os: str
    device: str
    bot: str


UNKNOWN = Agent("Other", "", "Other", "other", "")
NOBODY = UNKNOWN._replace(bot=BotKind.OTHER.value)  # every browser says who it is


def read_agent(header: bytes) -> Agent:
    """Read a User-Agent header."""
    return _read(header[:MAX_AGENT].decode("latin-1"))


@lru_cache(maxsize=AGENTS_KEPT)
def _read(text: str) -> Agent:
    if not text.strip():
        return NOBODY
    try:
        return _agent(text)
    except Exception:  # noqa: BLE001 - it is free text, and parsers of others raise what they like: UNKNOWN counts it
        return UNKNOWN


def _agent(text: str) -> Agent:
    from cookieguard.stats.parsed_user_agent import ParsedAgent  # 0.4 s and 26 MB, with the first agent

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
    """Name the kind of device; the order is that of `user_agents`, which calls some tablets mobile too."""
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
    """Return a family as it is kept: of a bot it is what its agent says, free text like any other."""
    return cleaned_field(_PRINTABLE.sub("?", family or "Other"))[:MAX_NAME]


@cache
def _crawlers() -> Mapping[BotKind, Sequence[re.Pattern[str]]]:
    """Sort the patterns of known crawlers by kind."""
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
