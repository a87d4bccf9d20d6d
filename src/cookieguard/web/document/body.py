"""The body of a document on its way out: decoded, rewritten, encoded again; what fails never lets raw bytes by."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from hashlib import blake2b

from cookieguard.html import Rewriter
from cookieguard.html.fast.answers import piece
from cookieguard.html.insertion_point import HEAD, LONGEST_END, UNSETTLED
from cookieguard.web.document.page_cache import Passes, Piece
from cookieguard.web.document.source import SourceKeeper
from cookieguard.web.http.brotli_zstd import PIECE_BYTES, CodingError
from cookieguard.web.http.charsets import Charset
from cookieguard.web.http.content_coding import Coding, Decoder, Encoder
from cookieguard.web.http.content_type import BLANK, SPACES, XML_START

PIECE = 1024  # bytes of a piece of a page: of smaller ones there are too many, of larger ones too much is read again
MOST_SMALL = 64  # smaller ones: each of them begins to read anew
END = 2 * LONGEST_END  # bytes at the end of a page that stay one piece: its end tags are found in them


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

    def cut(self, body: bytes, other: bytes, passes: Passes) -> tuple[Piece, ...]:
        """Return the pieces of a whole uncoded body, each with what it becomes: small ones where `other` is another.

        What passes as it is, between two places where a plain body is read, might be any other markup that passes.
        `passes` says so of it as it will of the other: what tells the rest of a page something stays where it is.
        """
        pieces: list[Piece] = []
        begun, place, small, rest, is_same = 0, 0, 0, UNSETTLED, False
        written: list[bytes] = []  # since `begun`
        while (end := _next_cut(body, other, place, small < MOST_SMALL)) >= 0:
            chunk = piece(body, place, end)
            becomes = self._rewrite(chunk)
            before, rest = rest, self.rewriter.rest()
            if not (rest and rest == before and becomes == chunk and passes(chunk, rest == HEAD)):
                written.append(becomes)
            else:
                if begun < place:
                    pieces.append((piece(body, begun, place), b"".join(written), False))
                was_same, is_same = is_same, other.startswith(chunk, place)
                _add_free(pieces, chunk, rest == HEAD, was_same and is_same)
                begun, written = end, []
            small += end - place < PIECE
            place = end
        written.append(self.whole(piece(body, place, len(body))))
        return (*pieces, (piece(body, begun, len(body)), b"".join(written), False))

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


def _next_cut(body: bytes, other: bytes, place: int, may_be_small: bool) -> int:  # noqa: FBT001  # compiled
    """Return where the next piece ends, at the next tag where the other page is another; -1: it is the last."""
    most = len(body) - END
    end = body.find(b"<", place + PIECE, most)
    if not may_be_small or other.startswith(piece(body, place, end if end >= 0 else most), place):
        return end
    return body.find(b"<", place + 1, most)


def _add_free(pieces: list[Piece], chunk: bytes, in_head: bool, may_join: bool) -> None:  # noqa: FBT001  # compiled
    """Add a piece that may be another; it may join the one before where neither is expected to be."""
    if may_join and pieces and pieces[-1][1:] == (None, in_head) and len(pieces[-1][0]) < PIECE:
        chunk = pieces.pop()[0] + chunk
    pieces.append((chunk, None, in_head))
