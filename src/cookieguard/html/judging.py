"""The tags and texts of one page, judged by where the page is; answers are the rules' where they are the same.

A page with more held things than any page has is made to cost time: from there on nothing is read closely, and what
might reach others loses its attributes (a tag) or is held (a script, a sheet, a document in an attribute).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cookieguard.html.known import Known
from cookieguard.html.model import ANYBODY, Held, Tag, Text
from cookieguard.html.rules import Rules
from cookieguard.html.scanner import Scanner
from cookieguard.html.summary import Summary
from cookieguard.html.tags import judge_tag, tag_unread
from cookieguard.html.texts import Verdict, text_unread
from cookieguard.html.urls import Url, parse_url, resolve

# Of one page: the most held things on one of 32 real ones were 221.
MOST_HELD = 4000
OF_A_DOCUMENT = 4  # a document in an attribute counts as so many
LOST_TO_MANY = "a page holds more than 4,000 things: what came after was held unread where it named anybody"
MOST_KEPT = 4096  # answers about tags from there on, for this page only,
LONGEST_KEPT = 256  # of so many bytes
NestAt = Callable[[Url, bytes], tuple[bytes, tuple[Held, ...]]]  # a nested document, rewritten by this base


class TagJudge:
    """Judge the tags of one page. Owns the URL that its references are relative to."""

    def __init__(self, rules: Rules, scanner: Scanner, nest: NestAt, *, url: str, xml: bool) -> None:
        self._rules, self._scanner, self._nest, self._xml = rules, scanner, nest, xml
        self._has_base = self._is_spent = False
        self._spent = 0
        base = parse_url(url) if url else rules.url
        is_own = base[:3] == rules.url[:3]  # scheme, host and port
        self.move(base)
        if is_own:
            scanner.known = rules.xml_tags if xml else rules.tags

    def move(self, base: Url) -> None:
        """Resolve by `base` from here on: the answers of the rules' own origin hold for no other."""
        rules = self._rules
        self.base = base
        self._near = self._scanner.known = Known() if self._is_spent else rules.near(base, xml=self._xml)
        nest = _refuse if self._is_spent else partial(self._nest, base)
        self._bench = rules.bench(base, nest, xml=self._xml)
        self._summary = Summary(self._bench)

    def take_base(self, reference: str) -> None:
        """Follow the page's first `<base href>`."""
        base = None if self._has_base else resolve(reference, self.base)
        self._has_base = True
        if base is not None:
            self.move(base)

    def learn(self, raw: bytes) -> Tag:
        """Judge a tag that the scanner does not know."""
        if self._is_spent:
            return self._leave_unread(raw)
        near = self._near
        tag: Tag | None = near.get(raw)
        if tag is None:
            tag = self._summary.judge(raw) or judge_tag(raw, self._bench)
            self._rules.keep(near if tag.near else self._scanner.known, raw, tag)
        return tag

    def judge_text(self, kind: Text, data: bytes, start: int, stop: int, is_markup: bool) -> Verdict:  # noqa: FBT001
        """Judge the text of an element, data[start:stop]; as `Rules.judge_text`."""
        if self._is_spent:
            return text_unread(kind, data[start:stop], own_is_free=self._bench.own_is_free)
        return self._rules.judge_text(kind, data, start, stop, self.base, is_markup)

    def spend(self, count: int, lost: set[str]) -> None:
        """Count held things of this page; beyond MOST_HELD nothing is read closely any more."""
        self._spent += count
        if self._spent <= MOST_HELD or self._is_spent or self._xml or self._rules.judge(ANYBODY) is None:
            return
        self._is_spent = True
        lost.add(LOST_TO_MANY)
        self.move(self.base)

    def _leave_unread(self, raw: bytes) -> Tag:
        known = self._near
        tag: Tag | None = known.get(raw)
        if tag is None:
            tag = tag_unread(raw, self._bench) or judge_tag(raw, self._bench)
            if len(raw) <= LONGEST_KEPT and len(known) < MOST_KEPT:
                known[raw] = tag
        return tag


def _refuse(_: bytes) -> tuple[bytes, tuple[Held, ...]]:
    """Return another document than the one given: it is held."""
    return b"", ()
