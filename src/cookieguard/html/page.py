"""The tags of one page, judged by where the page is: answers are taken from the rules' where they are the same."""

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

NestAt = Callable[[Url, bytes, bool], tuple[bytes, tuple[Held, ...]]]  # as Nest, by this base

# Answers kept of one page, half of all there is room for; real ones have some hundred. One with more tags of its own,
# each another, would push out what is known of all others, and what is kept of it is hardly asked for again.
MOST_KEPT = 3000


class TagJudge:
    """Judge the tags of one page. Owns the URL that its references are relative to, and how many answers are kept."""

    def __init__(
        self, rules: Rules, scanner: Scanner, nest: NestAt | None, *, url: str, base: Url | None, xml: bool
    ) -> None:
        """Begin at `url`, or inside of another document, which gives the `base`; without `nest` none may be in it."""
        self._rules, self._scanner, self._nest, self._xml = rules, scanner, nest, xml
        self.has_base = False  # of its own
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
        """Resolve by `base` from here on: the answers of the rules' own origin hold for no other."""
        self.base = base
        self._near = self._rules.near(base, xml=self._xml)
        self._scanner.known = self._near
        self._scanner.strides, self._summary_and_context = None, None

    def _make_context(self) -> tuple[Summary, TagContext]:
        """Make what tags are decided by, on the first unknown tag: most pages have none."""
        if self._nest is None:
            context = self._rules.context(self.base, _nothing, xml=self._xml)
        else:
            nested = Glance(self._rules, self.base, partial(self._nest, self.base))
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
        if tag is None:
            summary, context = self._summary_and_context or self._make_context()
            tag = summary.judge(raw) or untracked(judge_tag(raw, context))
            if self._left:
                self._left -= 1
                self._rules.keep(self._near if tag.near else self._scanner.known, raw, tag)
        return tag

    def lets_by(self, tag: bytes, closer: bytes) -> bool:
        """Return whether a tag passes that `closer` would end (b"": it has ended), however its last part goes on."""
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
        """Judge the text of an element, data[start:stop] (Rules.judge_text)."""
        summary = (self._summary_and_context or self._make_context())[0] if kind is STYLE else None
        return self._rules.judge_text(kind, data, start, stop, self.base, is_markup, summary)


class Glance:
    """Look at markup from between a page's tags, or at a document inside of another, without a rewriter of its own.

    Most of it has no tag with anything to do, or only such that are written anew.
    """

    def __init__(self, rules: Rules, base: Url, nest: Nest | None = None) -> None:
        """Take the rules, what references are relative to, and what rewrites a document that is not plain."""
        self._rules, self._base, self._nest = rules, base, nest or _nothing
        self._ready: tuple[Scanner, Summary, TagContext] | None = None

    def rewrite(self, document: bytes, is_xml: bool) -> tuple[bytes, tuple[Held, ...]]:  # noqa: FBT001  # as Nest
        """Rewrite a document: where all there is to do is to write tags anew, here."""
        found = None if is_xml else self.glance(document)
        return self._nest(document, is_xml) if found is None else found

    def passes(self, markup: bytes, in_head: bool = False) -> bool:  # noqa: FBT001, FBT002  # compiled
        """Return whether markup is sure to pass, and to leave what follows it as it is: a body, or a head."""
        if in_head and HEAD_MARKUP.fullmatch(markup) is None:
            return False
        found = self._look(markup, True)  # noqa: FBT003  # a compiled method
        return found is not None and found[0] is markup

    def glance(self, document: bytes) -> tuple[bytes, tuple[Held, ...]] | None:
        """Return a document with its held tags written anew; None where a tag does more than to load."""
        return self._look(document, False)  # noqa: FBT003  # as above

    def _look(self, document: bytes, is_full: bool) -> tuple[bytes, tuple[Held, ...]] | None:  # noqa: FBT001  # as above
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
            if tag is None or (_does_more(tag) and not (is_full and self._says_nothing(tag, document, end))):
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
        return summary.judge(raw) or (judge_tag(raw, context) if is_full else None)

    def _says_nothing(self, tag: Tag, document: bytes, end: int) -> bool:
        """Return whether all that a tag does more is to have a text that is judged, of which nothing is held."""
        stop = end_of_text(tag.name, document, end) if tag.is_judged and not tag.lost else -1
        if stop < 0:
            return False
        summary = (self._ready or self._prepare())[1]
        told = self._rules.judge_text(tag.text, document, end, stop, self._base, False, summary)  # noqa: FBT003  # as above
        return not (told.hold or told.held or told.edits)

    def _prepare(self) -> tuple[Scanner, Summary, TagContext]:
        rules, base = self._rules, self._base
        scanner = Scanner(xml=False, marks_links=rules.marks_links)
        scanner.known = rules.near(base, xml=False)
        context = rules.context(base, _nothing, xml=False)
        self._ready = scanner, Summary(context), context
        return self._ready


# Elements and comments that leave a head open, with blanks between them.
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


def _nothing(_document: bytes, _is_xml: bool) -> tuple[bytes, tuple[Held, ...]]:  # noqa: FBT001  # as all that nest
    """Leave nothing of a document, which is held where it differs: too deep, or for a look that is to say no."""
    return b"", ()
