"""Which URLs are held on the pages of one origin in one state of consent, with a bounded cache of the decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cookieguard.html.element_text import judge_text, markup_readings
from cookieguard.html.fast.answers import Known, mark, piece, record, untracked
from cookieguard.html.fast.fragments import Stretches
from cookieguard.html.fast.tag_summary import Summary
from cookieguard.html.types import (
    PASSES,
    SCRIPT,
    STYLE,
    Decision,
    Glance,
    Held,
    Judge,
    Nest,
    Ruling,
    Tag,
    TagContext,
    Tell,
    Text,
    nobody,
    unsure,
)
from cookieguard.html.urls import Url, parse_url

# Room for some 6,000 held tags, or for 20,000 others of 60 bytes. With the memory that one page takes while it
# streams, this stays below 8 MB (tests/web/test_memory.py).
MAX_TAGS_SIZE = 7 * 512 * 1024  # bytes of all cached tags
MAX_TAG_SIZE = 32 * 1024  # bytes; a longer tag (a picture in a data: URL) is judged each time
MAX_DIRECTORIES = 32
SHORT_TEXT = 8 * 1024  # bytes; a longer text is cached only when it occurs again
SHORT_SHEET = 256  # bytes; judging a shorter sheet is faster than looking it up
MAX_SEEN = 4096
MAX_TEXTS_SIZE = 4 * 1024 * 1024  # bytes of all cached texts
ENTRY_OVERHEAD = 512  # bytes that a decision takes in addition to its key, for each held or removed part
SHARED_OVERHEAD = 144  # bytes in addition to the key if many keys share one decision
MAX_PATH = 1024  # bytes; clients choose paths, so a decision about a longer one is not cached
MAX_URLS = 4096
MAX_PAGES = 256
NOT_YET: Any = object()  # marks a URL that is not cached, because None is a cached decision


class Rules:
    """Decide which URLs are held on the pages of one origin. Owns the bounded cache of decisions."""

    def __init__(
        self,
        judge: Judge,
        url: str,
        *,
        own_is_free: bool = False,
        is_foreign: Tell | None = None,
        is_lifted: Tell = nobody,
        marks_links: bool = False,
        inline: Sequence[tuple[str, Held]] = (),
        holds_marked: bool = True,
        acts: Tell = nobody,
    ) -> None:
        """Take `judge`, which returns a Ruling for each held URL, and the origin's own URL. TagContext has the rest.

        Without `is_foreign`, all held URLs are foreign. `inline` pairs a pattern of an inline script's text, its parts
        joined by `*`, with what is recorded if a script matches.
        """
        self.url = parse_url(url)
        self.own_is_free = own_is_free
        self.is_foreign = is_foreign or (lambda url: judge(url) is not None)
        self.is_lifted, self.marks_links = is_lifted, marks_links
        self.holds_marked, self.acts = holds_marked, acts
        self._inline = tuple((tuple(pattern.encode().split(b"*")), held) for pattern, held in inline)
        self._judge = judge
        self._urls: dict[Url, Ruling | None] = {}
        self._pages: dict[str, Url] = {}
        self.tags, self.xml_tags, self.stretches = Known(), Known(), Stretches()
        self._near: dict[tuple[object, ...], Known] = {}
        self._tags_size = 0
        self._texts: dict[tuple[Text, bool, Url | None], Known] = {}
        self._texts_size = 0
        self._seen: set[int] = set()

    def context(self, base: Url, nest: Nest, *, xml: bool, glance: Glance = unsure) -> TagContext:
        """Return the context in which the tags of a page with this base are judged."""
        is_free = self.own_is_free and self.is_own(base)
        settings = (
            self.is_foreign,
            self.is_lifted,
            self.marks_links,
            bool(self._inline),
            self.holds_marked,
            glance,
            self.acts,
        )
        return record(TagContext, (base, self.judge, nest, xml, is_free, *settings))

    def is_own(self, base: Url) -> bool:
        """Return whether a URL has the pages' own origin: the same scheme, host and port."""
        return base is self.url or base[:3] == self.url[:3]

    def page(self, url: str) -> Url:
        """Return the parsed URL of a page."""
        known = self._pages.get(url)
        if known is not None:
            return known
        found = parse_url(url)
        if len(url) <= MAX_PATH:
            if len(self._pages) >= MAX_PAGES:
                self._pages.clear()
            self._pages[url] = found
        return found

    def judge(self, url: Url) -> Ruling | None:
        """Return why a URL is held, or None if it is not held."""
        known: Ruling | None = self._urls.get(url, NOT_YET)
        if known is not NOT_YET:
            return known
        ruling = self._judge(url)
        if len(url.path) <= MAX_PATH:
            if len(self._urls) >= MAX_URLS:
                for old in list(self._urls)[: MAX_URLS // 4]:
                    del self._urls[old]
            self._urls[url] = ruling
        return ruling

    def near(self, base: Url, *, xml: bool) -> Known:
        """Return the cached decisions that hold only in one directory or for one `<base>`."""
        key = (base.scheme, base.host, base.port, base.path[: base.path.rfind("/")], xml)
        known = self._near.get(key)
        if known is None and len(base.path) > MAX_PATH:
            return Known()
        if known is None:
            if len(self._near) >= MAX_DIRECTORIES:
                self._near.clear()
            known = self._near[key] = Known()
        return known

    def keep(self, known: Known, raw: bytes, tag: Tag) -> None:
        """Cache the decision about a tag in `known`, one of this object's own tables."""
        per_held = ENTRY_OVERHEAD * max(1, len(tag.held))
        overhead = SHARED_OVERHEAD if tag.plain and not tag.near else len(tag.live or b"") + per_held
        size = len(raw) + overhead
        if size > MAX_TAG_SIZE:
            return
        self._tags_size += size
        if self._tags_size > MAX_TAGS_SIZE:
            self._tags_size = size + _thinned([self.tags, self.xml_tags, *self._near.values()], MAX_TAGS_SIZE)
        known.put(raw, tag, size)

    def judge_text(
        self,
        kind: Text,
        data: bytes,
        start: int,
        stop: int,
        base: Url,
        is_markup: bool,  # noqa: FBT001  # a compiled method takes no keywords
        summary: Summary | None = None,
    ) -> Decision:
        """Return the decision about the text of an element, data[start:stop]; `summary` judges plain style sheets.

        `is_markup` means that the text is read as in SVG, where character references are decoded.
        """
        if kind is SCRIPT:
            return self._judge_script(piece(data, start, stop), is_markup)
        if summary is not None and stop - start <= SHORT_SHEET and not is_markup:
            plain = summary.sheet(piece(data, start, stop))
            if plain is not None:
                return plain
        known = self._known_texts((kind, is_markup, base if kind is STYLE else None))
        decision: Decision | None = known.find(data, start, stop)
        if decision is not None:
            return decision
        return self._judge_and_keep(known, kind, piece(data, start, stop), base, is_markup, summary)

    def _judge_script(self, text: bytes, is_markup: bool) -> Decision:  # noqa: FBT001  # as above
        for reading in markup_readings(text) if is_markup else (text,):
            for parts, held in self._inline:
                if _has_in_order(reading, parts):
                    return Decision((held,), True)  # noqa: FBT003  # as compiled classes want it
        return PASSES

    def _judge_and_keep(
        self,
        known: Known,
        kind: Text,
        text: bytes,
        base: Url,
        is_markup: bool,  # noqa: FBT001  # as above
        summary: Summary | None,
    ) -> Decision:
        look = unsure if summary is None else summary.sheet
        decision = judge_text(kind, text, base, self.judge, look, is_markup)
        if len(base.path) <= MAX_PATH and (len(text) <= SHORT_TEXT or self._is_seen_again(text)):
            size = len(text) + ENTRY_OVERHEAD * max(1, len(decision.held), len(decision.edits))
            self._texts_size += size
            known.put(text, untracked(decision), size)
        return decision

    def _is_seen_again(self, text: bytes) -> bool:
        """Return whether a long text occurred before: a page that prints its state into a script never repeats it."""
        marked = mark(text)  # of all bytes: else texts that differ by a token are cached and evict the rest
        if marked in self._seen:
            return True
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen.add(marked)
        return False

    def _known_texts(self, key: tuple[Text, bool, Url | None]) -> Known:
        if self._texts_size > MAX_TEXTS_SIZE:
            self._texts_size = _thinned(list(self._texts.values()), MAX_TEXTS_SIZE)
            if not self._texts_size or len(self._texts) > MAX_PAGES:
                self._texts.clear()
        known = self._texts.get(key)
        if known is None:
            self._texts_size += ENTRY_OVERHEAD
            known = self._texts[key] = Known()
        return known


def _thinned(tables: list[Known], most: int) -> int:
    """Evict about half of the entries of these tables; return the bytes that the others take."""
    weight = 0
    for table in tables:
        weight += table.thin()
    if 4 * weight < 3 * most:
        return weight
    for table in tables:  # a few large entries are left, so thinning did not help
        table.clear()
    return 0


def _has_in_order(text: bytes, parts: tuple[bytes, ...]) -> bool:
    """Return whether a text contains all parts, in this order."""
    place = 0
    for part in parts:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True
