"""The body of a document on its way out: decoded, rewritten, encoded again; what fails never lets raw bytes by."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cookieguard.html import Rewriter
from cookieguard.web.coding import CODINGS, CodingError, Deflater, Inflater


class RawBody:
    """Let a body pass as it is: the rewriter is off, or cannot read it and the policy is the strict one."""

    def __init__(self, *, is_strict: bool = False) -> None:
        self.is_strict = is_strict
        self.is_coded = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the chunk."""
        yield chunk

    def close(self) -> bytes:
        """Return what is left: nothing."""
        return b""


class DocumentBody:
    """Rewrite one document's body as it streams. Owned by one response.

    Once the rewriter or the coding fails, what it may safely give up is sent and the rest is left out: the page
    is cut short, but nothing of it contacts anybody.
    """

    is_strict = False

    def __init__(self, rewriter: Rewriter, coding: bytes, *, on_event: Callable[[str], None]) -> None:
        """`coding` is a key of CODINGS; `on_event` hears of a failure."""
        self._on_event = on_event
        make = CODINGS[coding]
        self.rewriter = rewriter
        self.is_coded = make is not None  # then the length is not known in advance
        self._has_failed = False
        self._inflater: Inflater | None = None
        self._deflater: Deflater | None = None
        if make is not None:
            self._inflater, self._deflater = make()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` becomes, in pieces of bounded size."""
        if self._inflater is None:
            yield self._rewrite(chunk)
            return
        try:
            for piece in self._inflater.feed(chunk):
                yield self._encode(self._rewrite(piece))
        except CodingError as error:
            yield self._encode(self._fail(error))

    def close(self) -> bytes:
        """Return what is left when the app's body has ended."""
        rest = b"" if self._has_failed else self._finish()
        return rest if self._deflater is None else self._encode(rest) + self._deflater.close()

    def _rewrite(self, chunk: bytes) -> bytes:
        if self._has_failed:
            return b""
        try:
            return self.rewriter.feed(chunk)
        except Exception as error:  # noqa: BLE001 - whatever it is, no raw byte may pass and no page become a 500
            return self._fail(error)

    def _finish(self) -> bytes:
        try:
            return self.rewriter.close()
        except Exception as error:  # noqa: BLE001 - as above
            return self._fail(error)

    def _fail(self, error: Exception) -> bytes:
        if self._has_failed:
            return b""
        self._has_failed = True
        self._on_event(f"a page was cut short: its rewriting failed ({type(error).__name__})")
        return self.rewriter.abandon()

    def _encode(self, piece: bytes) -> bytes:
        return self._deflater.feed(piece) if self._deflater is not None and piece else piece
