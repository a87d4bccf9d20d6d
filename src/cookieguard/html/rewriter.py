"""The streaming rewriter: bytes of a page in, the same bytes out, with what would contact a held host inert.

It is a tokenizer in the states of the WHATWG standard that looks at a tag only where the tag might load. What is
not complete at the end of a chunk is carried, and never read twice: a tag, an element whose text is judged, or
the few bytes that may begin an end. Text, comments and raw text go out at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b

from cookieguard.html.constructs import (
    BOGUS,
    CDATA,
    COMMENT,
    DROPPED_CDATA,
    SCRIPT_CLOSER,
    Construct,
    ScriptEnd,
    UnfinishedText,
    raw_text,
)
from cookieguard.html.context import Context, Reading
from cookieguard.html.grammar import RUN, TAG, TEXT, UnfinishedTag
from cookieguard.html.placement import InsertContext, Placement
from cookieguard.html.rules import Rules
from cookieguard.html.tags import JUDGED_TEXTS, Bench, Held, Tag, Text, judge_tag
from cookieguard.html.texts import PASSES, Verdict, judge_markup_text, judge_text
from cookieguard.html.urls import Url, parse_url, resolve

MAX_HELD = 200  # entries kept of one page: enough to tell the owner, whatever the page holds
MAX_NESTING = 3  # documents in documents; deeper ones are held whole
BLANKS = b"\t\n\f\r \xef\xbb\xbf\x00"
OPENINGS = (b"<!--", b"<![CDATA[", b"<!doctype")
State = Callable[[bytes, int], int]
Insert = Callable[[InsertContext], bytes]


class Rewriter:
    """Rewrite one response. Owns everything carried from chunk to chunk."""

    def __init__(
        self,
        rules: Rules,
        *,
        url: str = "",
        insert: Insert | None = None,
        head: bytes = b"",
        xml: bool = False,
        depth: int = 0,
    ) -> None:
        """Start a page at `url`; `head` and what `insert` returns (both ASCII) go to where they belong."""
        self._rules = rules
        self._depth = depth
        self._xml = xml
        self._context = Context()
        self._placement = Placement(insert, head)
        self._held: list[Held] = []
        self._state: State | None = None  # None: markup
        self._tail = b""
        self._gather: UnfinishedTag | UnfinishedText | None = None
        self._is_full = False
        self._peeked: tuple[int, Verdict] = (0, PASSES)
        self._out: list[bytes] = []
        self._kept = 0
        self._construct: Construct = COMMENT
        self._script = ScriptEnd()
        self._has_base = False
        self._is_careful = True
        self._set_base(parse_url(url) if url else rules.url, known=rules.xml_tags if xml else rules.tags)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the page; return what can go out now (the same object where all of it passes)."""
        if self._gather is None:
            return self._run(self._tail + chunk if self._tail else chunk)
        complete = self._gather.take(chunk)
        if complete is None:
            return b""
        self._is_full = isinstance(self._gather, UnfinishedText) and self._gather.is_full
        self._gather = None
        return self._run(complete)

    def close(self) -> bytes:
        """Return what was still carried: the page is over. A tag without end is none and is dropped."""
        gather, self._gather = self._gather, None
        if isinstance(gather, UnfinishedText):
            self._is_full = True
            return self._run(gather.raw) + self._take_tail()
        return self._take_tail()

    def abandon(self) -> bytes:
        """Give up after a failure: return bytes that close what is open, nothing of what was carried.

        What follows of the page was not judged and must not be sent: end the body after these bytes.
        """
        closer = (
            SCRIPT_CLOSER
            if self._state == self._in_script
            else self._construct.closer
            if self._state
            else b""
        )
        self._tail, self._gather, self._state = b"", None, None
        return closer

    @property
    def held(self) -> Sequence[Held]:
        """List what was held so far (the first MAX_HELD)."""
        return self._held

    @property
    def is_document(self) -> bool:
        """Tell whether a doctype, html, head or body was seen: this is no fragment."""
        return self._placement.is_document

    # -- the run over one piece of data

    def _run(self, data: bytes) -> bytes:
        self._tail = b""
        self._out, self._kept = [], 0
        self._peeked = (0, PASSES)
        position, size = 0, len(data)
        while position < size:
            position = (self._state or self._markup)(data, position)
        self._is_full = False
        if not self._out and not self._kept:
            return data
        if self._kept < size:
            self._out.append(data[self._kept :])
        return b"".join(self._out)

    def _markup(self, data: bytes, position: int) -> int:
        """Read markup until the data or the state ends."""
        size = len(data)
        known = self._known
        tag_at, run_at = TAG.match, RUN.match
        while position < size and self._state is None:
            position = self._text(data, position) if self._is_careful else run_at(data, position).end()  # type: ignore[union-attr]  # matches always
            if position >= size:
                break
            match = tag_at(data, position)
            if match is None:
                position = self._other(data, position)
                continue
            raw = match[0]
            tag = known.get(raw) or self._learn(raw)
            if tag.plain and not self._is_careful:
                position = match.end()
                continue
            position = self._tag(tag, data, position, match.end())
            known = self._known
        return position

    def _text(self, data: bytes, position: int) -> int:
        end = TEXT.match(data, position).end()  # type: ignore[union-attr]  # matches always
        if end > position and not self._placement.is_done and not self._context.is_aside:
            text = data[position:end]
            blank = len(text) - len(text.lstrip(BLANKS))
            if blank < len(text):
                self._insert(data, position + blank, self._placement.text())
                self._update()
        return end

    def _learn(self, raw: bytes) -> Tag:
        near = self._near
        tag = near.get(raw)
        if tag is None:
            tag = judge_tag(raw, Bench(self._base, self._rules.judge, self._nest, xml=self._xml))
            self._rules.keep(near if tag.near else self._known, raw, tag)
        return tag

    def _set_base(self, base: Url, *, known: dict[bytes, Tag]) -> None:
        self._base = base
        self._near = self._rules.near(base, xml=self._xml)
        self._known = known

    def _update(self) -> None:
        self._is_careful = self._context.is_careful or not self._placement.is_done

    # -- tags

    def _tag(self, tag: Tag, data: bytes, start: int, end: int) -> int:
        verdict: Verdict = PASSES
        reading = self._context.reading(tag.name) if tag.text is not Text.NONE else Reading.TEXT
        if tag.text in JUDGED_TEXTS and not (tag.empty and reading is Reading.MARKUP):
            waiting = self._judge_text(tag, data, start, end, reading)
            if waiting is None:
                return len(data)
            verdict = waiting
        aside = self._context.is_aside
        if not self._placement.is_done and not aside:
            self._insert(data, start, self._placement.before(tag))
        if tag.closing:
            self._context.end(tag.name)
        else:
            self._context.start(tag)
        self._note(tag.held + verdict.held)
        self._write_tag(tag, data, start, end, hold=verdict.hold)
        if not self._placement.is_done and not aside:
            self._insert(data, end, self._placement.after(tag))
        if tag.base is not None and not self._has_base:
            self._rebase(tag.base)
        if tag.text is not Text.NONE:
            end = self._enter(tag, data, end, reading, verdict)
        self._update()
        return end

    def _write_tag(self, tag: Tag, data: bytes, start: int, end: int, *, hold: bool) -> None:
        new = tag.inert if hold else tag.live
        raw = data[start:end] if new is None else new
        if raw.find(b"</", 1) > 0 and self._context.ends:
            # in one reading this tag is text and an end tag in it would end that text: both must agree
            raw = new = raw[:1] + raw[1:].replace(b"</", b"&lt;/")
        if new is not None:
            self._replace(data, start, end, new)

    def _rebase(self, reference: str) -> None:
        self._has_base = True
        base = resolve(reference, self._base)
        if base is not None:
            self._set_base(base, known=self._rules.near(base, xml=self._xml))

    def _note(self, held: tuple[Held, ...]) -> None:
        if held and len(self._held) < MAX_HELD:
            self._held += held[: MAX_HELD - len(self._held)]

    # -- the text of elements

    def _judge_text(self, tag: Tag, data: bytes, start: int, end: int, reading: Reading) -> Verdict | None:
        """Judge the text that follows; None where it has to be waited for (then the tag waits too)."""
        if reading is not Reading.TEXT and start < self._peeked[0]:
            return self._peeked[1]
        stop = self._text_end(tag, data, end, reading)
        if stop < 0 and not self._is_full:
            is_script = tag.name == b"script" and reading is Reading.TEXT
            gather = UnfinishedText(
                data[start:], end - start, name=tag.name, ends=self._context.ends, is_script=is_script
            )
            self._wait(data, start, gather)
            return None
        text = data[end:stop] if stop >= 0 else data[end:]
        verdict = self._verdict(tag.text, text, reading)
        if reading is not Reading.TEXT:
            self._peeked = (stop if stop >= 0 else len(data), verdict)
        return verdict

    def _text_end(self, tag: Tag, data: bytes, position: int, reading: Reading) -> int:
        if tag.name == b"script" and reading is Reading.TEXT:
            return ScriptEnd().find(data, position, self._context.ends)[0]
        match = raw_text(tag.name).pattern(self._context.ends).search(data, position)
        return match.start() if match else -1

    def _verdict(self, kind: Text, text: bytes, reading: Reading) -> Verdict:
        judge = judge_text if reading is Reading.TEXT else judge_markup_text
        digest = blake2b(text, digest_size=16).digest()
        key = (kind, reading, self._base if kind is Text.STYLE else None, digest)
        verdict = self._rules.verdict(key)
        if verdict is None:
            verdict = judge(kind, text, base=self._base, judge=self._rules.judge)
            self._rules.keep_verdict(key, verdict)
        return verdict

    def _enter(self, tag: Tag, data: bytes, end: int, reading: Reading, verdict: Verdict) -> int:
        """Go on with the text of the element just opened."""
        if self._xml or reading is Reading.MARKUP:
            return end
        if reading is Reading.BOTH:
            self._context.open_both(tag.name)
            return end
        if tag.name == b"script":
            self._script = ScriptEnd()
            self._state = self._in_script
            return end
        self._construct = raw_text(tag.name)
        self._state = self._in_construct
        if tag.text is Text.STYLE and not verdict.hold:
            return self._sheet(data, end, verdict)
        return end

    def _sheet(self, data: bytes, start: int, verdict: Verdict) -> int:
        """Write a style sheet's text as judged; the rest of one that is too long is dropped unjudged."""
        position = start
        for first, last, new in verdict.edits:
            if start + first >= position:
                self._replace(data, start + first, start + last, new)
                position = start + last
        if self._is_full and self._construct.pattern(self._context.ends).search(data, start) is None:
            self._state = self._in_sheet
            return len(data)
        return position

    def _in_sheet(self, data: bytes, position: int) -> int:
        """Go on in a style sheet longer than MAX_TEXT_BYTES: its rest is not worth judging and is dropped."""
        stop = self._construct.pattern(self._context.ends).search(data, position)
        if stop is None:
            kept = self._construct.carried(data, position, self._context.ends)
            self._replace(data, position, kept, b"")
            return self._carry(data, kept)
        self._replace(data, position, stop.start(), b"")
        self._state = self._in_construct
        return stop.start()

    # -- what is not a tag

    def _other(self, data: bytes, start: int) -> int:
        """Read what begins with `<` and is no complete tag."""
        after = data[start + 1 : start + 2]
        if (after.isalpha() and after.isascii()) or (after == b"/" and data[start + 2 : start + 3].isalpha()):
            return self._wait(data, start, UnfinishedTag(data[start:]))
        if not after or (after == b"/" and len(data) == start + 2):
            return self._carry(data, start)
        if after == b"!":
            return self._declaration(data, start)
        if after == b"/" and data[start + 2 : start + 3] == b">":
            return start + 3
        if after in b"?/":
            return self._open(BOGUS, start + 2)
        if not self._placement.is_done and not self._context.is_aside:
            self._insert(data, start, self._placement.text())
            self._update()
        return start + 1

    def _declaration(self, data: bytes, start: int) -> int:
        head = data[start : start + 9]
        low = head.lower()
        if low.startswith(b"<!--"):
            return self._comment(data, start)
        if len(head) < 9 and any(opening.startswith(low) for opening in (b"<!--", b"<!doctype")):
            return self._carry(data, start)
        if head == b"<![CDATA[":
            return self._cdata(data, start)
        if len(head) < 9 and b"<![CDATA[".startswith(head):
            return self._carry(data, start)
        if low == b"<!doctype":
            self._placement.doctype()
        return self._open(BOGUS, start + 2)

    def _comment(self, data: bytes, start: int) -> int:
        head = data[start + 4 : start + 6]
        if head[:1] == b">":
            return start + 5
        if head == b"->":
            return start + 6
        if head in (b"", b"-"):
            return self._carry(data, start)
        self._context.comment()
        return self._open(COMMENT, start + 4)

    def _cdata(self, data: bytes, start: int) -> int:
        if self._context.is_unsure:
            # a section in one reading, a comment up to `>` in the other: only nothing is the same in both
            self._construct, self._state = DROPPED_CDATA, self._in_construct
            self._replace(data, start, start + 9, b"")
            return start + 9
        if self._context.is_foreign or self._xml:
            return self._open(CDATA, start + 9)
        return self._open(BOGUS, start + 2)

    def _open(self, construct: Construct, position: int) -> int:
        self._construct, self._state = construct, self._in_construct
        return position

    def _in_construct(self, data: bytes, position: int) -> int:
        construct, ends = self._construct, self._context.ends
        match = construct.pattern(ends).search(data, position)
        is_forced = False
        if match is None:
            stop = construct.carried(data, position, ends)
        else:
            is_forced = match.lastindex is not None
            stop = match.start() if is_forced or construct.is_text else match.end()
            self._state = None
        if construct.dropped:
            self._replace(data, position, stop, b"")
        if match is None:
            return self._carry(data, stop)
        if is_forced:
            self._insert(data, stop, construct.closer)
        return stop

    def _in_script(self, data: bytes, position: int) -> int:
        stop, name = self._script.find(data, position, self._context.ends)
        if stop < 0:
            return self._carry(data, self._script.carried(data, position))
        if name != b"script":
            self._insert(data, stop, SCRIPT_CLOSER)
        self._state = None
        return stop

    # -- what goes out

    def _replace(self, data: bytes, start: int, end: int, new: bytes) -> None:
        self._out += (data[self._kept : start], new)
        self._kept = end

    def _insert(self, data: bytes, position: int, new: bytes) -> None:
        if new:
            self._replace(data, position, position, new)

    def _carry(self, data: bytes, start: int) -> int:
        self._tail = data[start:]
        if self._tail:
            self._replace(data, start, len(data), b"")
        return len(data)

    def _wait(self, data: bytes, start: int, gather: UnfinishedTag | UnfinishedText) -> int:
        self._gather = gather
        self._replace(data, start, len(data), b"")
        return len(data)

    def _take_tail(self) -> bytes:
        tail, self._tail = self._tail, b""
        return tail

    def _nest(self, document: bytes) -> tuple[bytes, tuple[Held, ...]]:
        """Rewrite a document inside of this one."""
        if self._depth >= MAX_NESTING:
            return b"", ()
        inner = Rewriter(self._rules, depth=self._depth + 1)
        inner._set_base(self._base, known=self._near)
        changed = inner.feed(document) + inner.close()
        return changed, tuple(inner.held)
