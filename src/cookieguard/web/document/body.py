"""Decode, rewrite and encode the body of a document as it streams; after a failure no raw byte is sent."""

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

PIECE = 1024  # bytes: smaller pieces would be too many, of larger ones too much would be read again
NEXT_TAG = re.compile(rb"<(?!/(?i:title|style|textarea|script))|\Z")  # a tag that does not end a text
MOST_SMALL = 64  # small pieces of a page, around places where two of its versions differ


class Untouched:
    """Pass a body unchanged: the rewriter is off, it is no page, or it cannot be read and has the strict policy."""

    def rest(self) -> int:
        """Return UNSETTLED, since no piece of such a body may be replaced."""
        return UNSETTLED

    def feed(self, chunk: bytes) -> bytes:
        """Return the chunk."""
        return chunk

    def close(self) -> bytes:
        """Return the end of the body, which is empty."""
        return b""

    abandon = close  # the end is also empty after a failure


class Sent(Untouched):
    """The body after a document that was sent whole: it drops everything."""

    def feed(self, _chunk: bytes) -> bytes:
        """Return no bytes."""
        return b""


# A response that a service worker makes itself (type "default") has no policy, so this gives it the worker's if it is
# shown as a page. Responses from the network pass unchanged, except a worker's script: the service worker fetches it as
# data, to which we add no policy, and a script of any type runs. It is appended, since a script may begin with a
# directive, and events come later.
OWN_PAGES = b"""
;(p=>{const r=p.respondWith;p.respondWith=function(a){const d=this.request.destination;\
if(!/doc|frame|emb|obj|work/.test(d))return r.call(this,a);\
return r.call(this,Promise.resolve(a).then(a=>{const n="content-security-policy",h=new Headers(a.headers);\
if(a.type!="default"&&!/^(shared)?worker/.test(d))return a;h.append(n,%b);\
return new Response(a.body,{status:a.status,statusText:a.statusText,headers:h})}))}})(FetchEvent.prototype)// %b"""


class WorkerMark(Untouched):
    """Append OWN_PAGES to a service worker's script.

    Its last line names the policy, since a browser that gets the same bytes keeps the old worker with its old policy.
    """

    def __init__(self, policy: bytes) -> None:
        name = blake2b(policy, digest_size=6).hexdigest()
        self._line = OWN_PAGES % (json.dumps(policy.decode()).encode(), name.encode())

    def close(self) -> bytes:
        """Return the last line."""
        return self._line


class LateReader(Untouched):
    """Read a response without a type by the reader that `make` returns for its first bytes; leading blanks pass."""

    def __init__(self, make: Callable[[bytes], Rewriter | SourceKeeper | Untouched]) -> None:
        self._make = make
        self._reader: Rewriter | SourceKeeper | Untouched | None = None
        self._begin = b""  # the first few bytes, while they may be part of a mark or a declaration

    def feed(self, chunk: bytes) -> bytes:
        """Return the rewritten chunk."""
        if self._reader is None:
            chunk = self._begin + chunk
            if XML_START.startswith(chunk) or not chunk.strip(BLANK):
                self._begin = chunk.lstrip(SPACES)
                return chunk[: len(chunk) - len(self._begin)]
            self._reader = self._make(chunk)
        return self._reader.feed(chunk)

    def close(self) -> bytes:
        """Return the end of the body."""
        return self._begin if self._reader is None else self._reader.close()


class DocumentBody:
    """Rewrite a document's body as it streams. Owned by one response.

    If the rewriter or the decoder fails, only bytes that are known to be safe are sent, and the rest is left out. The
    page is then cut short, but contacts no third party.
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
        """`on_event` reports a failure. A body in a wide `charset` is sent as UTF-8.

        `is_data`: this request gets data, but a browser that opens the address would get a page.
        """
        self._on_event = on_event
        self.rewriter = rewriter
        self.is_strict = is_strict
        self.is_data = is_data
        self.has_head = type(rewriter) is not Untouched  # our markup at its start
        self.is_coded = coding is not None  # its new length is then not known in advance
        self._has_failed = False
        self._decoder: Decoder | None = None if coding is None else coding.decoder(PIECE_BYTES)
        self._encoder: Encoder | None = None if coding is None else coding.encoder()
        self.is_transcoded = charset is not Charset.PLAIN
        self._wide: codecs.IncrementalDecoder | None = None
        if self.is_transcoded:
            # The byte order mark becomes that of UTF-8. Invalid bytes become U+FFFD, as in browsers.
            self._wide = codecs.getincrementaldecoder(charset.value)("replace")

    @property
    def is_faithful(self) -> bool:
        """Return whether the output is the whole page, so that the same body will give the same output."""
        return not (self._has_failed or self.is_transcoded)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the rewritten chunk, in pieces of bounded size."""
        if self._decoder is None:
            yield self._rewrite(chunk)
            return
        try:
            for piece in self._decoder.feed(chunk):
                yield self._encode(self._rewrite(piece))
        except CodingError as error:
            yield self._encode(self._fail(error))

    def whole(self, rest: bytes) -> bytes:
        """Return the rewritten rest of an uncoded body."""
        content, end = self._rewrite(rest), self.close()
        return content + end if end else content  # without an end, the page need not be copied

    def cut(self, body: bytes, other: bytes, passes: Passes) -> tuple[bytes, tuple[Piece, ...]]:
        """Return a whole uncoded body rewritten, and its pieces that may be replaced: small ones where `other` differs.

        A piece may be replaced if the rewriter leaves it unchanged, and is in the same state before and after it. Other
        markup that passes unchanged may then be in its place. `passes` decides this for the piece, and later for the
        other markup. A piece that affects the rest of the page does not pass.
        """
        pieces: list[Piece] = []
        written: list[bytes] = []
        place = size = begun = start = since = 0  # the last three: of the last place with a settled state
        before = UNSETTLED
        # A body without a type is not cut, since its start decides how it is read.
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
        """Return the rest of the output, once the app's body has ended."""
        rest = b"" if self._has_failed else self._finish()
        return rest if self._encoder is None else self._encode(rest) + self._encoder.close()

    def _rewrite(self, chunk: bytes) -> bytes:
        if self._has_failed:
            return b""
        try:
            return self.rewriter.feed(chunk if self._wide is None else self._wide.decode(chunk).encode())
        except Exception as error:  # noqa: BLE001 - no error may let a raw byte pass, or turn a page into a 500
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
    """Yield where the pieces of a page end, up to `most`: before a tag, and around each place where `other` differs."""
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
    """Return where the tag before a difference begins, not before `place`, and where the piece with both may end."""
    script = body.rfind(b"<script", place, differs)
    if script >= 0 and body.find(b"</script", script, differs) < 0:
        return script, max(body.find(b"</script", differs), differs)
    begin = max(body.rfind(b"<", place, differs), place)
    tail = piece(body, max(begin - LONGEST_END, place), begin)
    # The rewriter keeps back a possible end of the page, so the piece begins before it.
    return begin - len(tail) + end_begun(tail), differs
