"""The streaming HTML rewriter: it copies a page and makes every element inert that would contact a held host.

It follows the tokenizer of the WHATWG standard and judges only the tags that might load something. It sends text,
comments and raw text at once. It keeps what a chunk leaves incomplete for the next one, without reading it twice: a
tag, an element whose text has to be judged, or the few bytes that may begin an end tag.
"""

from __future__ import annotations

from collections.abc import Callable

from cookieguard.html.css.piecewise import LongSheet
from cookieguard.html.element_text import STYLESHEET, judge_instruction
from cookieguard.html.insertion_point import (
    BODY,
    UNSETTLED,
    InsertContext,
    Placement,
    Stand,
    blank_end,
    is_part_of_bom,
)
from cookieguard.html.page import TagJudge
from cookieguard.html.rules import Rules
from cookieguard.html.tags import neutral_script
from cookieguard.html.tokenizer.foreign_text import first_stop
from cookieguard.html.tokenizer.markup_declarations import DOCTYPE, PASSED, TAG, Kind, opening
from cookieguard.html.tokenizer.output import Output
from cookieguard.html.tokenizer.pending import UNKNOWN, UnfinishedTag, UnfinishedText
from cookieguard.html.tokenizer.raw_text import (
    BOGUS,
    CDATA,
    COMMENT,
    DROPPED_CDATA,
    DROPPED_INSTRUCTION,
    INSTRUCTION,
    LOST_CDATA,
    OPENED,
    SCRIPT_CLOSER,
    ScriptEnd,
    agreed,
    hide_signs,
    pattern_of,
    raw_text,
)
from cookieguard.html.tokenizer.scanner import Scanner, comment_end, end_of_text, has_sign
from cookieguard.html.tokenizer.tree_state import (
    AS_BOTH,
    AS_MARKUP,
    AS_TEXT,
    TELLING,
    TURNS,
    Context,
    Reading,
    XmlContext,
)
from cookieguard.html.types import MAX_HELD, NOSCRIPT, PASSES, STYLE, Decision, Held, Tag, Text
from cookieguard.html.urls import Url

MARKUP, IN_CONSTRUCT, IN_SCRIPT = range(3)  # the states of the rewriter
SHORT_TAG = 256  # bytes; reading a shorter unfinished tag again is faster than collecting it
MAX_NESTING = 3  # levels of documents in documents; a deeper document is held as a whole


class Rewriter:
    """Rewrite one response. Owns all state that is kept from chunk to chunk."""

    def __init__(
        self,
        rules: Rules,
        *,
        url: str = "",
        insert: Callable[[InsertContext], bytes] | None = None,
        head: bytes = b"",
        stand: Stand | None = None,
        xml: bool = False,
        is_document: bool = False,
        depth: int = 0,
        base: Url | None = None,
    ) -> None:
        """Start a page at `url`. `head` and the results of `insert` and `stand` are ASCII that Placement inserts.

        `xml` means XHTML, `is_document` that it is no fragment. A document nested in `depth` others has a `base`."""
        self._rules, self._xml = rules, xml
        self._context = XmlContext() if xml else Context()
        self._placement = Placement(insert, head, stand, xml=xml, is_document=is_document)
        self._scanner = Scanner(xml=xml, marks_links=rules.marks_links)
        self.held: list[Held] = []  # the first MAX_HELD
        self.lost: set[str] = set()  # what was removed for other reasons, in words for the owner
        self._state, self._construct = MARKUP, BOGUS
        self._script, self._tail, self._output, self._is_careful = ScriptEnd(), b"", Output(b""), True
        self._gather: UnfinishedTag | UnfinishedText | LongSheet | None = None
        self._long: LongSheet | None = None
        # The end of the text that was waited for, and the end of the text that was judged.
        self._stop, self._text_end, self._is_last = UNKNOWN, -1, False
        self._peeked: dict[Text, tuple[int, Decision]] = {}
        lost = self.lost

        def nest(base: Url, document: bytes, xml: bool) -> tuple[bytes, tuple[Held, ...]]:  # compiled
            inner = Rewriter(rules, depth=depth + 1, base=base, xml=xml)  # makes no reference cycle
            changed = inner.feed(document) + inner.close()
            lost.update(inner.lost)
            return changed, tuple(inner.held)

        inner = nest if depth < MAX_NESTING else None
        self._judge = TagJudge(rules, self._scanner, inner, url=url, base=base, xml=xml)

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be sent after this chunk of the page: the same object if all of it passes unchanged."""
        chunk = self._placement.let_by(chunk)
        if self._gather is None:
            return self._run(self._tail + chunk if self._tail else chunk)
        gather, complete = self._gather, self._gather.take(chunk)
        if complete is None:
            return gather.passed
        self.lost |= gather.lost
        self._stop, self._gather, self._state = gather.stop, None, MARKUP
        return gather.passed + self._run(complete)[gather.sent :]

    def close(self) -> bytes:
        """End the page and return the bytes that were kept. A tag that never ended is dropped, as browsers do."""
        is_between = self._state == MARKUP and self._gather is None and not self._tail
        end = self._placement.release()
        rest = b"" if is_between else self.feed(end)
        gather, self._gather, self._is_last = self._gather, None, True
        self._stop = -1 if gather else UNKNOWN
        rest += self._run(gather.raw) if isinstance(gather, UnfinishedText) else b""
        rest += gather.finish() if isinstance(gather, LongSheet) else b""
        rest += gather.closer if isinstance(gather, UnfinishedTag) else b""
        closers = None if self._state == IN_SCRIPT else self._context.closers()
        if self._state != MARKUP:
            return rest + self._tail + self._placement.last(self._construct.closer, closers)
        rest += self._placement.last(b"", closers)  # before the tail, which may begin a tag
        rest += self._run(end) if is_between else b""
        is_tag = self._tail[:1] == b"<" and opening(self._tail, 0, self._xml)[0] is TAG
        return rest if is_tag else rest + self._tail

    def rest(self) -> int:
        """Return HEAD or BODY if the next bytes can be judged without the context of this page; else UNSETTLED."""
        is_between = self._state == MARKUP and self._gather is None and not self._tail
        if not is_between or self._xml or self._judge.has_base or self._context.is_careful():
            return UNSETTLED
        place = self._placement.rest()
        return UNSETTLED if place == BODY and self._is_careful else place

    def abandon(self) -> bytes:
        """Give up after a failure: return the bytes that close the open construct, and drop all kept bytes.

        The rest of the page was not judged and must not be sent, so the caller ends the body after these bytes.
        """
        closer = (b"", self._construct.closer, SCRIPT_CLOSER)[self._state]
        self._tail, self._gather, self._state = b"", None, MARKUP
        self._placement.release()
        return closer

    def _run(self, data: bytes) -> bytes:
        self._tail, position, size = b"", 0, len(data)
        self._output = output = Output(data)
        self._peeked.clear()
        while position < size:
            if self._state == MARKUP:
                position = self._read_markup(data, position)
            elif self._state == IN_CONSTRUCT:
                position = self._read_construct(data, position)
            else:
                position = self._read_script(data, position)
        return output.finish()

    def _read_markup(self, data: bytes, position: int) -> int:
        size, scanner = len(data), self._scanner
        while self._state == MARKUP:
            position = self._match_tag(data, position) if self._is_careful else scanner.skip(data, position)
            if position >= size:
                break
            end = scanner.end
            if end < 0:
                position = self._read_other_markup(data, position)
                continue
            tag = scanner.tag or self._judge.learn(data, position, end)
            passes = tag.plain and (not self._is_careful or self._may_pass(tag, data, position, end))
            position = end if passes else self._tag(tag, data, position, end)
        return position

    def _may_pass(self, tag: Tag, data: bytes, start: int, end: int) -> bool:
        """Update the context for a tag that passes unchanged; return whether the tag needs no other step."""
        context = self._context
        if not self._placement.is_done or (context.is_read_twice() and has_sign(data, start + 1, end)):
            return False
        self._update_context(tag, True)  # noqa: FBT003  # a compiled method takes no keywords
        self._is_careful = context.is_careful()
        return True

    def _match_tag(self, data: bytes, position: int) -> int:
        """Match the tag at `position`, or pass the text there and match the tag that follows it."""
        scanner = self._scanner
        scanner.look(data, position)
        if scanner.end >= 0:
            return position
        end = self._text(data, position)
        if position < end < len(data):
            scanner.look(data, end)
        return end

    def _text(self, data: bytes, position: int) -> int:
        """Pass text and return its end. Text that is not blank begins the body."""
        end = self._scanner.text(data, position)
        if self._placement.is_done:
            return end
        start = blank_end(data, position, end)
        if start == end or self._context.is_aside():
            return end
        if end == len(data) and not self._is_last and is_part_of_bom(data[start:]):
            return self._carry(data, start)
        self._output.insert(start, self._placement.text())
        self._is_careful = not self._placement.is_done or self._context.is_careful()
        return end

    def _tag(self, tag: Tag, data: bytes, start: int, end: int) -> int:
        if self._is_careful and tag.name in TELLING and not tag.closing:
            self._output.insert(start, self._context.settle())
        if tag.has_text:
            return self._tag_with_text(tag, data, start, end)
        if self._is_careful:
            self._place_tag(tag, data, start, end, PASSES)
            self._is_careful = not self._placement.is_done or self._context.is_careful()
        else:
            self._write_plainly(tag, start, end)
        return end

    def _tag_with_text(self, tag: Tag, data: bytes, start: int, end: int) -> int:
        is_plain = not (self._is_careful or tag.is_judged or tag.text is NOSCRIPT)
        if is_plain and (stop := end_of_text(tag.name, data, end)) >= 0:
            self._write_plainly(tag, start, end)
            return stop
        decision, reading, self._text_end = PASSES, self._context.reading(tag.name), -1
        is_judged = tag.is_judged or (tag.drawn is not tag.text and reading is not AS_TEXT)
        if is_judged and not (tag.empty and reading is AS_MARKUP):
            if (judged := self._judge_text(tag, data, start, end, reading)) is None:
                return len(data)
            decision = judged
        self._place_tag(tag, data, start, end, decision)
        end = self._enter(tag, data, end, reading, decision)
        self._is_careful = not self._placement.is_done or self._context.is_careful()
        return end

    def _place_tag(self, tag: Tag, data: bytes, start: int, end: int, decision: Decision) -> None:
        aside = self._placement.is_done or self._context.is_aside()
        if not aside and (before := self._placement.before(tag)):
            self._output.insert(start, before)
        self._update_context(tag, aside)
        if tag.held or decision is not PASSES:
            self.held += (tag.held + decision.held)[: MAX_HELD - len(self.held)]
        self._write_tag(tag, data, start, end, decision)
        if not aside and tag.name == b"head":
            self._output.insert(end, self._placement.after(tag))

    def _write_plainly(self, tag: Tag, start: int, end: int) -> None:
        """Write a tag that needs no insertion, no waiting and no second reading, as most tags do."""
        if tag.name in TURNS or tag.lost:
            self._update_context(tag, True)  # noqa: FBT003  # as above
            self._is_careful = self._context.is_careful()
        if tag.held:
            self.held += tag.held[: MAX_HELD - len(self.held)]
        new = tag.live if tag.room is None else self._placement.shown(tag)
        if new is not None:
            self._output.replace(start, end, new)

    def _update_context(self, tag: Tag, is_aside: bool) -> None:  # a compiled method takes no keywords
        if tag.closing:
            self._context.end(tag.name)
            return
        self._context.start(tag)
        if tag.lost:
            self.lost.add(tag.lost)
        if tag.base is not None and not (is_aside and self._context.is_aside()):
            self._judge.take_base(tag.base)
            self._placement.has_base = True

    def _write_tag(self, tag: Tag, data: bytes, start: int, end: int, decision: Decision) -> None:
        live = tag.live if tag.room is None or decision.hold else self._placement.shown(tag)
        new = (tag.inert or neutral_script(data[start:end])) if decision.hold else live
        if self._context.is_read_twice() and (new is not None or has_sign(data, start + 1, end)):
            new = agreed(data[start:end] if new is None else new) or new
        if new is not None:
            self._output.replace(start, end, new)

    # -- the text of elements
    def _judge_text(self, tag: Tag, data: bytes, start: int, end: int, reading: Reading) -> Decision | None:
        """Return the decision about the text after a tag; None if the tag has to wait until its text is complete."""
        kind = tag.text if reading is AS_TEXT else tag.drawn
        seen, known = (0, PASSES) if reading is AS_TEXT else self._peeked.get(kind, (0, PASSES))
        if start < seen:
            return known  # the tag is inside text that was judged already
        ends = () if reading is AS_BOTH else self._context.ends  # read as text, it runs to its own end tag
        stop, self._stop = self._stop, UNKNOWN
        if stop == UNKNOWN and reading is AS_TEXT and not ends:
            stop = end_of_text(tag.name, data, end)
            stop = stop if stop >= 0 else UNKNOWN
        if stop == UNKNOWN:
            stop, finder = first_stop(tag.name, data, end, reading, ends, self._xml)
            if stop < 0 and not self._is_last:
                self._wait(data, start, UnfinishedText(data, start, end, tag.name, ends, finder))
                return None
        text_end, is_markup = stop if stop >= 0 else len(data), reading is not AS_TEXT
        self._long = None
        if stop < 0 and kind is STYLE and not (is_markup or self._is_last):
            self._long = LongSheet((self.held, self.lost), self._judge, data, end, ends)
            text_end = self._long.start
        decision = self._judge.judge_text(kind, data, end, text_end, is_markup)
        if reading is AS_TEXT:
            self._text_end = stop
        else:
            self._peeked[kind] = (text_end, decision)
        return decision

    def _enter(self, tag: Tag, data: bytes, end: int, reading: Reading, decision: Decision) -> int:
        if reading is AS_MARKUP:
            self._output.insert(end, self._context.end_for_scanner(tag) if tag.empty else b"")
            return end
        if reading is AS_BOTH:
            self._context.open_both(tag.name)
            return end
        for start, stop, new in decision.edits:
            self._output.replace(end + start, end + stop, new)
        if self._text_end < 0 and not tag.is_judged and not self._context.ends:
            self._text_end = end_of_text(tag.name, data, end)
        if self._text_end >= 0:
            self._close_text(tag.name, data)
            return self._text_end
        self._construct, self._state = raw_text(tag.name), IN_CONSTRUCT
        if tag.name == b"script":
            self._script, self._state = ScriptEnd(), IN_SCRIPT
        elif tag.text is STYLE and not decision.hold:
            return self._wait(data, self._long.start, self._long) if self._long else len(data)
        return end

    def _close_text(self, name: bytes, data: bytes) -> None:
        start = self._text_end + 2
        if self._context.ends and data[start : start + len(name)].lower() != name:
            self._output.insert(self._text_end, SCRIPT_CLOSER if name == b"script" else raw_text(name).closer)

    # -- comments, declarations and incomplete tags
    def _read_other_markup(self, data: bytes, start: int) -> int:
        """Read something that begins with `<` and is no complete tag; return where to go on."""
        if not self._context.ends and (end := comment_end(data, start)) >= 0:
            if self._context.is_scanned():
                hide_signs(self._output, data, start + 4, end, COMMENT)
            return end
        kind, position = opening(data, start, self._xml)
        if kind in OPENED:
            return self._open(kind, data, start, position)
        if kind is TAG and len(data) - start > SHORT_TAG:
            lets_by = None if self._is_careful or self._xml else self._judge.lets_by
            return self._wait(data, start, UnfinishedTag(data[start:], lets_by))
        return position if kind is PASSED else self._carry(data, start)

    def _open(self, kind: Kind, data: bytes, start: int, position: int) -> int:
        construct = OPENED[kind]
        if construct is CDATA:
            self._output.insert(start, self._context.settle())
        if kind is DOCTYPE:
            self._placement.doctype()
        elif construct is COMMENT:
            self._context.comment()
        elif construct is CDATA and self._context.is_unsure():
            # One reading sees a section here, the other a comment that ends at `>`. Both agree only if it is removed.
            construct = DROPPED_CDATA
            self.lost.add(LOST_CDATA)
            self._output.replace(start, position, b"")
        elif construct is CDATA and not self._context.is_foreign():
            construct, position = BOGUS, start + 2
        elif construct is INSTRUCTION and STYLESHEET.startswith(data[position : position + len(STYLESHEET)]):
            return self._instruction(data, start)
        self._construct, self._state = construct, IN_CONSTRUCT
        return position

    def _instruction(self, data: bytes, start: int) -> int:
        """Judge an `<?xml-stylesheet ...?>`, which loads a style sheet; return where to go on."""
        judged = judge_instruction(data, start, self._judge.base, self._rules.judge, is_last=self._is_last)
        if judged is None:
            return self._carry(data, start)
        held, is_dropped = judged
        self.held += held[: MAX_HELD - len(self.held)]
        if is_dropped:
            self._output.replace(start, start + 2, b"")
        self._construct, self._state = DROPPED_INSTRUCTION if is_dropped else INSTRUCTION, IN_CONSTRUCT
        return start + 2

    def _read_construct(self, data: bytes, position: int) -> int:
        construct, ends = self._construct, self._context.ends
        match = pattern_of(construct.end, ends).search(data, position)
        is_forced = match is not None and match.lastindex is not None
        if match is None:
            stop = construct.carried(data, position, ends)
        else:
            stop = match.start() if is_forced or construct.is_text else match.end()
            self._state = MARKUP
        if construct.dropped:
            self._output.replace(position, stop, b"")
        elif not self._xml and (construct is CDATA or self._context.is_scanned()):
            hide_signs(self._output, data, position, stop, construct)
        if match is None:
            return self._carry(data, stop)
        if is_forced:
            self._output.insert(stop, construct.closer)
        return stop

    def _read_script(self, data: bytes, position: int) -> int:
        stop, name = self._script.find(data, position, self._context.ends)
        if stop < 0:
            return self._carry(data, self._script.carried(data, position))
        if name != b"script":
            self._output.insert(stop, SCRIPT_CLOSER)
        self._state = MARKUP
        return stop

    def _carry(self, data: bytes, start: int) -> int:
        self._tail = data[start:]
        if self._tail:
            self._output.replace(start, len(data), b"")
        return len(data)

    def _wait(self, data: bytes, start: int, gather: UnfinishedTag | UnfinishedText | LongSheet) -> int:
        self._gather = gather
        self._output.replace(start, len(data), gather.passed)
        return len(data)
