"""The body of a document on its way out: decoded, rewritten, encoded again; what fails never lets raw bytes by."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from hashlib import blake2b

from cookieguard.html import Rewriter
from cookieguard.html.fast.answers import alike, piece
from cookieguard.html.insertion_point import HEAD, LONGEST_END, UNSETTLED, end_begun
from cookieguard.web.document.page_cache import Passes, Piece, meeting
from cookieguard.web.document.source import SourceKeeper
from cookieguard.web.http.brotli_zstd import PIECE_BYTES, CodingError
from cookieguard.web.http.charsets import Charset
from cookieguard.web.http.content_coding import Coding, Decoder, Encoder
from cookieguard.web.http.content_type import BLANK, SPACES, XML_START

PIECE = 1024  # bytes of a piece of a page: of smaller ones there are too many, of larger ones too much is read again
NEXT_TAG = re.compile(rb"<(?!/(?i:title|style|textarea|script))|\Z")  # none that ends a text
MOST_SMALL = 64  # places where another page is another, which are pieces of their own


class Untouched:
    """Let a body pass as it is: the rewriter is off, or it is no page, or cannot be read and the policy is strict."""

    def rest(self) -> int:
        """Return that no piece of it may be another."""
        return UNSETTLED

    def feed(self, chunk: bytes) -> bytes:
        """Return the chunk."""
        return chunk

    def close(self) -> bytes:
        """Return what is left: nothing."""
        return b""

    abandon = close  # nor is half of it wanted


class Sent(Untouched):
    """Be what is left of a document that was sent whole: nothing passes after it."""

    def feed(self, _chunk: bytes) -> bytes:
        """Return nothing."""
        return b""


# What a service worker makes itself came from no server, with no policy: where it is shown, it gets the worker's. All
# that came over the network passes as it is (another type than "default"), but for a worker's script: it was asked for
# as data, which gets no policy of ours, and every type of it runs. At the end, since the scripts of others may begin
# with a directive; events come later.
OWN_PAGES = b"""
;(p=>{const r=p.respondWith;p.respondWith=function(a){const d=this.request.destination;\
if(!/doc|frame|emb|obj|work/.test(d))return r.call(this,a);\
return r.call(this,Promise.resolve(a).then(a=>{const n="content-security-policy",h=new Headers(a.headers);\
if(a.type!="default"&&!/^(shared)?worker/.test(d))return a;h.append(n,%b);\
return new Response(a.body,{status:a.status,statusText:a.statusText,headers:h})}))}})(FetchEvent.prototype)// %b"""


class WorkerMark(Untouched):
    """Let a service worker's script pass, with a last line that gives what it makes the policy it runs under, and
    names that policy: a browser that finds the same bytes keeps the worker it has, with the one of its registration.
    """

    def __init__(self, policy: bytes) -> None:
        name = blake2b(policy, digest_size=6).hexdigest()
        self._line = OWN_PAGES % (json.dumps(policy.decode()).encode(), name.encode())

    def close(self) -> bytes:
        """Return the last line."""
        return self._line


class LateReader(Untouched):
    """Read a response without a type, its owner, by what `make` returns for its first bytes; blanks go out before."""

    def __init__(self, make: Callable[[bytes], Rewriter | SourceKeeper | Untouched]) -> None:
        self._make = make
        self._reader: Rewriter | SourceKeeper | Untouched | None = None
        self._begin = b""  # a part of a mark or a declaration: a few bytes

    def feed(self, chunk: bytes) -> bytes:
        """Return what the chunk becomes."""
        if self._reader is None:
            chunk = self._begin + chunk
            if XML_START.startswith(chunk) or not chunk.strip(BLANK):
                self._begin = chunk.lstrip(SPACES)
                return chunk[: len(chunk) - len(self._begin)]
            self._reader = self._make(chunk)
        return self._reader.feed(chunk)

    def close(self) -> bytes:
        """Return what is left."""
        return self._begin if self._reader is None else self._reader.close()


class DocumentBody:
    """Rewrite one document's body as it streams. Owned by one response.

    Once the rewriter or the coding fails, what it may safely give up is sent and the rest is left out: the page
    is cut short, but nothing of it contacts anybody.
    """

    def __init__(
        self,
        rewriter: Rewriter | SourceKeeper | Untouched,
        coding: Coding | None,
        *,
        on_event: Callable[[str], None],
        charset: Charset = Charset.PLAIN,
        is_strict: bool = False,
        is_data: bool = False,
    ) -> None:
        """`on_event` hears of a failure; what is sent of a wide `charset` is UTF-8.

        What `is_data` is so for who asked now: to a browser that opens its address it would be a page.
        """
        self._on_event = on_event
        self.rewriter = rewriter
        self.is_strict = is_strict
        self.is_data = is_data
        self.has_head = type(rewriter) is not Untouched  # what goes first into a page
        self.is_coded = coding is not None  # then the length is not known in advance
        self._has_failed = False
        self._decoder: Decoder | None = None if coding is None else coding.decoder(PIECE_BYTES)
        self._encoder: Encoder | None = None if coding is None else coding.encoder()
        self.is_transcoded = charset is not Charset.PLAIN
        self._wide: codecs.IncrementalDecoder | None = None
        if self.is_transcoded:
            # Its byte order mark becomes UTF-8's. What is no character becomes U+FFFD, as in browsers.
            self._wide = codecs.getincrementaldecoder(charset.value)("replace")

    @property
    def is_faithful(self) -> bool:
        """Return whether what was returned is all of the page, and would be again."""
        return not (self._has_failed or self.is_transcoded)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` becomes, in pieces of bounded size."""
        if self._decoder is None:
            yield self._rewrite(chunk)
            return
        try:
            for piece in self._decoder.feed(chunk):
                yield self._encode(self._rewrite(piece))
        except CodingError as error:
            yield self._encode(self._fail(error))

    def whole(self, rest: bytes) -> bytes:
        """Return what all that is left of an uncoded body becomes."""
        content, end = self._rewrite(rest), self.close()
        return content + end if end else content  # a page is not copied for nothing

    def cut(self, body: bytes, other: bytes, passes: Passes) -> tuple[bytes, tuple[Piece, ...]]:
        """Return what a whole uncoded body becomes, and its pieces that may be others: small where `other` is another.

        What passes as it is, between two places where a page is read alike, might be any other markup that passes.
        `passes` says so of it as it will of the other: what tells the rest of a page something stays where it is.
        """
        pieces: list[Piece] = []
        written: list[bytes] = []
        place = size = begun = start = since = 0  # the last three: where both were last read alike
        before = UNSETTLED
        # What begins a page without a type is not cut: it tells what it is.
        for end in () if type(self.rewriter) is LateReader else _cuts(body, other, end_begun(body)):
            written.append(self._rewrite(piece(body, place, end)))
            size, place, rest = size + len(written[-1]), end, self.rewriter.rest()
            if rest == UNSETTLED:
                continue
            raw, in_head = piece(body, begun, end), rest == HEAD
            if rest == before and raw == b"".join(written[since:]) and passes(raw, in_head):
                pieces.append((begun, end, start, in_head))
            begun, start, since, before = end, size, len(written), rest
        written.append(self.whole(piece(body, place, len(body))))
        return b"".join(written), tuple(pieces)

    def close(self) -> bytes:
        """Return what is left when the app's body has ended."""
        rest = b"" if self._has_failed else self._finish()
        return rest if self._encoder is None else self._encode(rest) + self._encoder.close()

    def _rewrite(self, chunk: bytes) -> bytes:
        if self._has_failed:
            return b""
        try:
            return self.rewriter.feed(chunk if self._wide is None else self._wide.decode(chunk).encode())
        except Exception as error:  # noqa: BLE001 - whatever it is, no raw byte may pass and no page become a 500
            return self._fail(error)

    def _finish(self) -> bytes:
        try:
            last = (
                b"" if self._wide is None else self.rewriter.feed(self._wide.decode(b"", final=True).encode())
            )
            return last + self.rewriter.close()
        except Exception as error:  # noqa: BLE001 - as above
            return self._fail(error)

    def _fail(self, error: Exception) -> bytes:
        if self._has_failed:
            return b""
        self._has_failed = True
        self._on_event(f"a page was cut short: its rewriting failed ({type(error).__name__})")
        return self.rewriter.abandon()

    def _encode(self, piece: bytes) -> bytes:
        return self._encoder.feed(piece) if self._encoder is not None and piece else piece


def _cuts(body: bytes, other: bytes, most: int) -> Iterator[int]:
    """Yield where the pieces of a page end, the last at `most`: before a tag, and around what the other has not."""
    place = shift = 0
    left = MOST_SMALL
    while place < most:
        differs = place + alike(body, place, other, place + shift) if left else most
        begin, end = _around(body, place, differs) if differs < most else (most, most)
        while place < begin:
            place = NEXT_TAG.search(body, min(place + PIECE, begin), begin).start()  # type: ignore[union-attr]  # matches always
            yield place
        if place < most:
            place = NEXT_TAG.search(body, end + 1, most).start()  # type: ignore[union-attr]  # as above
            yield place
            found = meeting(body, place, other, begin + shift, place + shift)
            shift = found - place if found >= 0 else shift
            left -= 1


def _around(body: bytes, place: int, differs: int) -> tuple[int, int]:
    """Return where the tag begins, from `place` on, that something is in or behind, and how far that is to be read."""
    script = body.rfind(b"<script", place, differs)
    if script >= 0 and body.find(b"</script", script, differs) < 0:
        return script, max(body.find(b"</script", differs), differs)
    begin = max(body.rfind(b"<", place, differs), place)
    tail = piece(body, max(begin - LONGEST_END, place), begin)
    return begin - len(tail) + end_begun(tail), differs  # what may be the end of the page would be kept back
