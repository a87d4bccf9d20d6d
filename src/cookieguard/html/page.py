"""The tags of one page, judged by where the page is: answers are taken from the rules' where they are the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cookieguard.html.fast.answers import Known, piece, untracked
from cookieguard.html.fast.fragments import Strides
from cookieguard.html.fast.tag_summary import Summary
from cookieguard.html.rules import Rules
from cookieguard.html.tags import NOTED_NAMES, judge_tag
from cookieguard.html.tokenizer.scanner import Scanner, comment_end, end_of_text
from cookieguard.html.types import MAX_HELD, STYLE, Decision, Held, Nest, Tag, TagContext, Text
from cookieguard.html.urls import Url, resolve

NestAt = Callable[[Url, bytes, bool], tuple[bytes, tuple[Held, ...]]]  # as Nest, by this base

# Answers kept of one page, half of all there is room for; real ones have some hundred. One with more tags of its own,
# each another, would push out what is known of all others, and what is kept of it is hardly asked for again.
MOST_KEPT = 3000
REST_KEPT = 500  # of what comes beyond that, for this page alone


class TagJudge:
    """Judge the tags of one page. Owns the URL that its references are relative to, and how many answers are kept."""

    def __init__(
        self, rules: Rules, scanner: Scanner, nest: NestAt | None, *, url: str, base: Url | None, xml: bool
    ) -> None:
        """Begin at `url`, or inside of another document, which gives the `base`; without `nest` none may be in it."""
        self._rules, self._scanner, self._nest, self._xml = rules, scanner, nest, xml
        self.has_base = False  # of its own
        self._left = MOST_KEPT
        self._rest: Known | None = None
        self._summary_and_context: tuple[Summary, TagContext] | None = None
        self.base = base or (rules.page(url) if url else rules.url)
        self._near = rules.near(self.base, xml=xml)
        if base is None and rules.is_own(self.base):
            scanner.take(rules.xml_tags if xml else rules.tags, rules.own_is_free)
            scanner.strides = None if xml else Strides(rules.stretches)
        else:
            scanner.take(self._near, rules.own_is_free and rules.is_own(self.base))

    def move(self, base: Url) -> None:
        """Resolve by `base` from here on: the answers of the rules' own origin hold for no other."""
        self.base = base
        self._near = self._rules.near(base, xml=self._xml)
        self._rest = None
        self._scanner.take(self._near, self._rules.own_is_free and self._rules.is_own(base))
        self._scanner.strides, self._summary_and_context = None, None

    def _make_context(self) -> tuple[Summary, TagContext]:
        """Make what tags are decided by, on the first unknown tag: most pages have none."""
        if self._nest is None:
            context = self._rules.context(self.base, _nothing, xml=self._xml)
        else:
            nested = Nested(self._rules, self.base, partial(self._nest, self.base))
            context = self._rules.context(self.base, nested.rewrite, xml=self._xml, glance=nested.glance)
        self._summary_and_context = Summary(context), context
        return self._summary_and_context

    def take_base(self, reference: str) -> None:
        """Follow the page's first `<base href>`."""
        base = None if self.has_base else resolve(reference, self.base)
        self.has_base = True
        if base is not None:
            self.move(base)

    def learn(self, data: bytes, start: int, end: int) -> Tag:
        """Judge the tag data[start:end], which the scanner does not know."""
        raw = piece(data, start, end)
        tag: Tag | None = self._near.get(raw)
        if tag is None and self._rest is not None:
            tag = self._rest.get(raw)
        if tag is None:
            summary, context = self._summary_and_context or self._make_context()
            tag = summary.judge(raw) or untracked(judge_tag(raw, context))
            if self._left:
                self._left -= 1
                self._rules.keep(self._near if tag.near else self._scanner.known, raw, tag)
            else:
                self._keep_here(raw, tag)
        return tag

    def judge_text(
        self,
        kind: Text,
        data: bytes,
        start: int,
        stop: int,
        is_markup: bool,  # noqa: FBT001  # a compiled method takes no keywords
    ) -> Decision:
        """Judge the text of an element, data[start:stop] (Rules.judge_text)."""
        is_sheet = kind is STYLE and not is_markup
        summary = (self._summary_and_context or self._make_context())[0] if is_sheet else None
        return self._rules.judge_text(kind, data, start, stop, self.base, is_markup, summary)

    def _keep_here(self, raw: bytes, tag: Tag) -> None:
        """Keep an answer for this page alone, which has had its part of what is kept for all."""
        if self._rest is None or len(self._rest) >= REST_KEPT:
            self._rest = Known()
        self._rest[raw] = tag


class PlainBody:
    """Tell of markup in a page's body or head, where nothing is open that counts, whether all of it passes as it is."""

    def __init__(self, rules: Rules, context: TagContext) -> None:
        """Take the rules, and what tags there are judged by (`body_context`); the page has no base of its own."""
        self._rules, self._context = rules, context
        self._scanner = Scanner(xml=False, marks_links=rules.marks_links)
        self._summary: Summary | None = None
        base = context.base
        self._scanner.take(
            rules.tags if rules.is_own(base) else rules.near(base, xml=False), context.own_is_free
        )

    def passes(self, markup: bytes, in_head: bool = False) -> bool:  # noqa: FBT001, FBT002  # compiled
        """Return whether markup is sure to pass, and to leave what follows it as it is; in a head, `meta` alone."""
        if in_head:
            return self._has_metas_only(markup)
        scanner, position, size = self._scanner, 0, len(markup)
        while (position := scanner.skip(markup, position)) < size:
            end = scanner.end
            if end < 0:
                if (position := comment_end(markup, position)) < 0:
                    return False
                continue
            tag = scanner.tag or self._judged(piece(markup, position, end))
            position = end
            if not tag.plain and (
                not _has_free_text(tag) or (position := end_of_text(tag.name, markup, end)) < 0
            ):
                return False
        return True

    def _has_metas_only(self, markup: bytes) -> bool:
        """Return whether this is nothing but `meta` elements that tell nobody anything, and blanks behind them."""
        scanner, position, size = self._scanner, 0, len(markup)
        while position < size:
            scanner.look(markup, position)
            end = scanner.end
            if end < 0:
                return False
            tag = scanner.tag or self._judged(piece(markup, position, end))
            if tag.name != b"meta" or tag.closing or tag.attributes or not tag.plain:
                return False
            position = markup.find(b"<", end)
            position = position if position >= 0 else size
            if piece(markup, end, position).strip(b"\t\n\f\r "):
                return False
        return True

    def _judged(self, raw: bytes) -> Tag:
        """Judge a tag that is not known: mostly a token's, which is another on each page, so a look comes first."""
        if self._summary is None:
            self._summary = Summary(self._context)
        tag = self._summary.judge(raw)
        if tag is None:
            tag = self._rules.near(self._context.base, xml=False).get(raw)
        return tag or judge_tag(raw, self._context)


def body_context(rules: Rules, url: str) -> TagContext:
    """Return what tags in the body of a page are judged by: the same for all pages of one folder."""
    return rules.context(rules.page(url), _nothing, xml=False)


def _has_free_text(tag: Tag) -> bool:
    """Return whether nothing is to be done about a tag nor about the text that follows it up to its end tag."""
    is_read = tag.is_judged or tag.text is Text.NOSCRIPT
    is_changed = tag.live is not None or tag.held or tag.lost or tag.room is not None
    return tag.has_text and not (is_read or is_changed)


class Nested:
    """Glance at documents inside of others: most have no tag with anything to do, and need no rewriter of their own."""

    def __init__(self, rules: Rules, base: Url, nest: Nest | None = None) -> None:
        """Take the rules, what references in the documents are relative to, and what rewrites one that is not plain."""
        self._rules, self._base, self._nest = rules, base, nest or _nothing
        self._scanner: Scanner | None = None
        self._summary: Summary | None = None

    def rewrite(self, document: bytes, is_xml: bool) -> tuple[bytes, tuple[Held, ...]]:  # noqa: FBT001  # as Nest
        """Rewrite a document: where all there is to do is to write tags anew, here."""
        found = None if is_xml else self.glance(document)
        return self._nest(document, is_xml) if found is None else found

    def glance(self, document: bytes) -> tuple[bytes, tuple[Held, ...]] | None:
        """Return a document with its held tags written anew; None where a tag does more than to load."""
        scanner, summary = self._scanner, self._summary
        if scanner is None or summary is None:
            scanner, summary = self._prepare()
        position, done, size = 0, 0, len(document)
        pieces: list[bytes] = []
        held: list[Held] = []
        while (position := scanner.skip(document, position)) < size:
            start, end = position, scanner.end
            if end < 0:
                if (position := comment_end(document, start)) < 0:
                    return None
                continue
            position, tag = end, scanner.tag or summary.judge(piece(document, start, end))
            if tag is None or _does_more(tag):
                return None
            if tag.live is not None:
                pieces += (piece(document, done, start), tag.live)
                done = end
                held += tag.held
        if not pieces:
            return document, ()
        return b"".join([*pieces, piece(document, done, size)]), tuple(held[:MAX_HELD])

    def _prepare(self) -> tuple[Scanner, Summary]:
        rules, base = self._rules, self._base
        context = rules.context(base, _nothing, xml=False)
        self._scanner = scanner = Scanner(xml=False, marks_links=rules.marks_links)
        scanner.take(rules.near(base, xml=False), context.own_is_free)
        self._summary = summary = Summary(context)
        return scanner, summary


def _does_more(tag: Tag) -> bool:
    """Return whether a tag does more than to load."""
    if tag.plain:
        return False
    return tag.has_text or bool(tag.lost) or tag.base is not None or tag.name in NOTED_NAMES


def _nothing(_document: bytes, _is_xml: bool) -> tuple[bytes, tuple[Held, ...]]:  # noqa: FBT001  # as all that nest
    """Leave nothing of a document, which is held where it differs: too deep, or for a look that is to say no."""
    return b"", ()
