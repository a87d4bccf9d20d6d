"""The judge of one page's tags: it resolves references by the page's address and reuses decisions of other pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from cookieguard.html.fast.answers import piece, untracked
from cookieguard.html.fast.fragments import Strides
from cookieguard.html.fast.tag_summary import Summary
from cookieguard.html.grammar import AFTER_NAME, ATTRIBUTE, S, any_case
from cookieguard.html.rules import Rules
from cookieguard.html.tags import NOTED_NAMES, is_open_ended, judge_tag
from cookieguard.html.tokenizer.scanner import Scanner, comment_end, end_of_text
from cookieguard.html.types import MAX_HELD, NOSCRIPT, STYLE, Decision, Held, Nest, Tag, TagContext, Text
from cookieguard.html.urls import Url, resolve

NestAt = Callable[[Url, bytes, bool], tuple[bytes, tuple[Held, ...]]]  # Nest, after a base URL

# Decisions that one page may add to the cache, which has room for twice as many. Real pages add some hundred. Without
# this limit, a page of thousands of different tags would evict the decisions that all other pages use.
MOST_KEPT = 3000


class TagJudge:
    """Judge the tags of one page. Owns the page's base URL and the count of decisions that it may still cache."""

    def __init__(
        self, rules: Rules, scanner: Scanner, nest: NestAt | None, *, url: str, base: Url | None, xml: bool
    ) -> None:
        """Begin a page at `url`, or a nested document at `base`. Without `nest`, documents inside it are held."""
        self._rules, self._scanner, self._nest, self._xml = rules, scanner, nest, xml
        self.has_base = False  # whether the page has a `<base href>`
        self._left = MOST_KEPT
        self._summary_and_context: tuple[Summary, TagContext] | None = None
        self.base = base or (rules.page(url) if url else rules.url)
        self._near = rules.near(self.base, xml=xml)
        if base is None and rules.is_own(self.base):
            scanner.known = rules.xml_tags if xml else rules.tags
            scanner.strides = None if xml else Strides(rules.stretches)
        else:
            scanner.known = self._near

    def move(self, base: Url) -> None:
        """Resolve references by `base` from here on, and stop using decisions that hold only for the own origin."""
        self.base = base
        self._near = self._rules.near(base, xml=self._xml)
        self._scanner.known = self._near
        self._scanner.strides, self._summary_and_context = None, None

    def _make_context(self) -> tuple[Summary, TagContext]:
        """Build the context on the first unknown tag, because most pages have no unknown tag."""
        if self._nest is None:
            context = self._rules.context(self.base, _drop_document, xml=self._xml)
        else:
            nested = Glance(self._rules, self.base, partial(self._nest, self.base))
            context = self._rules.context(self.base, nested.rewrite, xml=self._xml, glance=nested.glance)
        self._summary_and_context = Summary(context), context
        return self._summary_and_context

    def take_base(self, reference: str) -> None:
        """Apply a `<base href>`: only the first one of a page counts."""
        base = None if self.has_base else resolve(reference, self.base)
        self.has_base = True
        if base is not None:
            self.move(base)

    def learn(self, data: bytes, start: int, end: int) -> Tag:
        """Return the decision about the tag data[start:end], which the scanner does not know."""
        raw = piece(data, start, end)
        tag: Tag | None = self._near.get(raw)
        if tag is None:
            summary, context = self._summary_and_context or self._make_context()
            tag = summary.judge(raw) or untracked(judge_tag(raw, context))
            if self._left:
                self._left -= 1
                self._rules.keep(self._near if tag.near else self._scanner.known, raw, tag)
        return tag

    def lets_by(self, tag: bytes, closer: bytes) -> bool:
        """Return whether the beginning of a tag passes whatever follows it.

        `closer` would end the tag here; it is empty if the tag has ended."""
        whole = tag + closer
        return self.learn(whole, 0, len(whole)).plain and (not closer or is_open_ended(whole))

    def judge_text(
        self,
        kind: Text,
        data: bytes,
        start: int,
        stop: int,
        is_markup: bool,  # noqa: FBT001  # a compiled method takes no keywords
    ) -> Decision:
        """Return the decision about an element's text, data[start:stop], as Rules.judge_text does."""
        summary = (self._summary_and_context or self._make_context())[0] if kind is STYLE else None
        return self._rules.judge_text(kind, data, start, stop, self.base, is_markup, summary)


class Glance:
    """Judge a nested document, or inserted markup, in one quick pass without a Rewriter.

    This works for most of them, because they have only tags that pass or that are replaced one by one.
    """

    def __init__(self, rules: Rules, base: Url, nest: Nest | None = None) -> None:
        """Take the rules, the base URL of references, and `nest`, which rewrites the documents that need more."""
        self._rules, self._base, self._nest = rules, base, nest or _drop_document
        self._ready: tuple[Scanner, Summary, TagContext] | None = None

    def rewrite(self, document: bytes, is_xml: bool) -> tuple[bytes, tuple[Held, ...]]:  # noqa: FBT001  # as Nest
        """Return a document with its held tags replaced, and list them; `nest` rewrites those that need a Rewriter."""
        found = None if is_xml else self.glance(document)
        return self._nest(document, is_xml) if found is None else found

    def passes(self, markup: bytes, in_head: bool = False) -> bool:  # noqa: FBT001, FBT002  # compiled
        """Return whether markup surely passes and does not change how the head or body after it is read."""
        if in_head and HEAD_MARKUP.fullmatch(markup) is None:
            return False
        found = self._rewrite_quickly(markup, True)  # noqa: FBT003  # a compiled method
        return found is not None and found[0] is markup

    def glance(self, document: bytes) -> tuple[bytes, tuple[Held, ...]] | None:
        """Return a document with its held tags replaced, and list them; None if a tag does more than load."""
        return self._rewrite_quickly(document, False)  # noqa: FBT003  # as above

    def _rewrite_quickly(self, document: bytes, is_full: bool) -> tuple[bytes, tuple[Held, ...]] | None:  # noqa: FBT001  # as above
        scanner = (self._ready or self._prepare())[0]
        position, done, size = 0, 0, len(document)
        pieces: list[bytes] = []
        held: list[Held] = []
        while (position := scanner.skip(document, position)) < size:
            start, end = position, scanner.end
            if end < 0:
                if (position := comment_end(document, start)) < 0:
                    return None
                continue
            position, tag = end, scanner.tag or self._judged(piece(document, start, end), is_full)
            if tag is None or (_does_more(tag) and not (is_full and self._text_passes(tag, document, end))):
                return None
            if tag.live is not None:
                pieces.append(piece(document, done, start))
                pieces.append(tag.live)
                done = end
                held += tag.held
            if tag.has_text and (position := end_of_text(tag.name, document, end)) < 0:
                return None
        if not pieces:
            return document, ()
        pieces.append(piece(document, done, size))
        return b"".join(pieces), tuple(held[:MAX_HELD])

    def _judged(self, raw: bytes, is_full: bool) -> Tag | None:  # noqa: FBT001  # as above
        _, summary, context = self._ready or self._prepare()
        tag = summary.judge(raw)
        if tag is not None or not is_full:
            return tag
        # A page is read in full before its parts are: the decision about a form, say, is known from there.
        known = self._rules.tags.get(raw) if self._rules.is_own(self._base) else None
        return known or judge_tag(raw, context)

    def _text_passes(self, tag: Tag, document: bytes, end: int) -> bool:
        """Return whether a tag needs more only because of its text, and all of that text passes."""
        stop = end_of_text(tag.name, document, end) if tag.is_judged and not tag.lost else -1
        if stop < 0:
            return False
        summary = (self._ready or self._prepare())[1]
        text = self._rules.judge_text(tag.text, document, end, stop, self._base, False, summary)  # noqa: FBT003  # as above
        return not (text.hold or text.held or text.edits)

    def _prepare(self) -> tuple[Scanner, Summary, TagContext]:
        rules, base = self._rules, self._base
        scanner = Scanner(xml=False, marks_links=rules.marks_links)
        scanner.known = rules.near(base, xml=False)
        context = rules.context(base, _drop_document, xml=False)
        self._ready = scanner, Summary(context), context
        return self._ready


# The pattern of elements and comments that do not end a head, with blanks between them.
BLANKS = S + rb"*+"
_REST = AFTER_NAME + rb"[\t\n\f\r /]*+(?:" + ATTRIBUTE + rb"[\t\n\f\r /]*+)*+>"  # of a start tag
_TEXT = rb"(?:[^<]++|<(?!!--|/?(?i:title|style|script)))*+"
_NAMES = map(any_case, (b"title", b"style", b"script"))
_WITH_TEXT = [b"<%b%b%b</%b%b>" % (name, _REST, _TEXT, name, BLANKS) for name in _NAMES]
_IN_HEAD = [rb"<(?i:meta|link)" + _REST, *_WITH_TEXT, rb"<!--(?!-?>)(?:[^-]++|-(?!-))*+-->"]
HEAD_MARKUP = re.compile(BLANKS + b"(?:(?:" + b"|".join(_IN_HEAD) + b")" + BLANKS + b")*+")


def _does_more(tag: Tag) -> bool:
    if tag.plain:
        return False
    is_read = tag.is_judged or tag.text is NOSCRIPT
    return is_read or bool(tag.lost) or tag.base is not None or tag.name in NOTED_NAMES


def _drop_document(_document: bytes, _is_xml: bool) -> tuple[bytes, tuple[Held, ...]]:  # noqa: FBT001  # as all that nest
    """Return an empty document: it differs, so the caller holds the nested one or gives up its quick pass."""
    return b"", ()
