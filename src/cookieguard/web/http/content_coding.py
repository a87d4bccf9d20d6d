"""Decode a compressed document as it streams, and encode it again in the same content coding."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

from cookieguard.web.http.brotli_zstd import (
    BROTLI,
    ENCODE_LEVEL,
    PIECE_BYTES,
    ZSTD,
    BrotliDecoder,
    BrotliEncoder,
    CodingError,
    ZstdDecoder,
    ZstdEncoder,
)

GZIP_WBITS = 31
ZLIB_WBITS = 15
RAW_WBITS = -15


class Decoder(Protocol):
    """Decode a body as it streams, in pieces of bounded size."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` decodes to; raises CodingError."""


class Encoder(Protocol):
    """Encode a body as it streams."""

    def feed(self, chunk: bytes) -> bytes:
        """Return the encoding of `chunk`, complete up to its last byte."""

    def close(self) -> bytes:
        """Return the end of the encoding."""


class Inflater:
    """Decode gzip or deflate in bounded pieces, member after member. Owned by one response.

    Bytes after the last member, such as blanks or zeros, are ignored, as in browsers.
    """

    def __init__(self, wbits: int | None, piece: int = PIECE_BYTES) -> None:
        self._wbits = wbits
        self._is_whole = False  # a member has ended, and the next one has no output yet
        self._is_over = False
        self._piece = piece
        self._inflate = zlib.decompressobj(wbits) if wbits is not None else None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` decodes to, at most `piece` bytes at a time; raises CodingError."""
        while chunk and not self._is_over:
            if self._inflate is None:
                self._inflate = zlib.decompressobj(
                    self._wbits if self._wbits is not None else _deflate_wbits(chunk)
                )
            if self._inflate.eof:
                self._inflate, self._is_whole = zlib.decompressobj(self._wbits or ZLIB_WBITS), True
            try:
                piece = self._inflate.decompress(chunk, self._piece)
            except zlib.error as error:
                self._is_over = True
                if self._is_whole:
                    return
                raise CodingError("a document is not encoded as its Content-Encoding says") from error
            chunk = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                self._is_whole = False
                yield piece
        if not self._is_over:
            yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        """Yield the output that is still buffered although all input is read."""
        while self._inflate is not None and not self._inflate.eof:
            piece = self._inflate.decompress(b"", self._piece)
            if not piece:
                return
            yield piece


class Deflater:
    """Encode gzip or deflate, and flush with each chunk, so that it is sent at once. Owned by one response."""

    def __init__(self, wbits: int) -> None:
        self._deflate = zlib.compressobj(ENCODE_LEVEL, zlib.DEFLATED, wbits)

    def feed(self, chunk: bytes) -> bytes:
        return self._deflate.compress(chunk) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def close(self) -> bytes:
        return self._deflate.flush(zlib.Z_FINISH)


def _deflate_wbits(chunk: bytes) -> int:
    """Return the window bits for the first byte, since some servers send "deflate" without the zlib header."""
    return ZLIB_WBITS if chunk[0] & 0x0F == 8 else RAW_WBITS


@dataclass(frozen=True, slots=True)
class Coding:
    """A content coding: how to make a decoder (for pieces of so many bytes) and an encoder of a body."""

    decoder: Callable[[int], Decoder]
    encoder: Callable[[], Encoder]


GZIP = Coding(partial(Inflater, GZIP_WBITS), partial(Deflater, GZIP_WBITS))
# Some servers send these for an uncoded body. Browsers do not know such a coding, and show the body unchanged.
MISTAKEN = frozenset(
    b"none null utf-8 utf8 iso-8859-1 ascii text 7bit 8bit binary chunked aws-chunked html text/html".split()
)
# Content-Encoding -> its coding, None for an uncoded body. Documents in other codings get the strict policy.
CODINGS: dict[bytes, Coding | None] = {
    **dict.fromkeys((b"", b"identity", *sorted(MISTAKEN))),
    b"gzip": GZIP,
    b"x-gzip": GZIP,
    b"deflate": Coding(partial(Inflater, None), partial(Deflater, ZLIB_WBITS)),
}
if BROTLI is not None:
    CODINGS[b"br"] = Coding(BrotliDecoder, BrotliEncoder)
if ZSTD is not None:
    CODINGS[b"zstd"] = Coding(ZstdDecoder, ZstdEncoder)

NO_CODINGS = MISTAKEN | {b"", b"identity"}
FIRST_BYTES = 4096  # read of a coded document before the response starts


def first_bytes(start: bytes, coding: Coding | None) -> bytes | None:
    """Return the decoded first bytes of a body; empty if more input is needed, None if it cannot be decoded."""
    if coding is None:
        return start
    try:
        return next(coding.decoder(FIRST_BYTES).feed(start), b"")
    except CodingError:
        return None


def coding_of(value: bytes) -> bytes:
    """Return the coding of a Content-Encoding, empty if there is none; several, joined by commas, are unknown here."""
    return b",".join(name for part in value.lower().split(b",") if (name := part.strip()) not in NO_CODINGS)


ACCEPTED = frozenset(CODINGS) - MISTAKEN - {b""}
LONGEST_ACCEPT = 256  # bytes of a key in the cache; browsers send about 25, but a client may send any length


def cut_accept_encoding(value: bytes) -> bytes:
    """Return an Accept-Encoding with only the codings that are decoded here, without `*`, which allows others."""
    return _cut(value) if len(value) <= LONGEST_ACCEPT else b"identity"


@lru_cache(maxsize=256)
def _cut(value: bytes) -> bytes:
    kept = [part.strip() for part in value.split(b",") if part.partition(b";")[0].strip().lower() in ACCEPTED]
    return b", ".join(kept) or b"identity"


# Values that browsers send and that need no change, since each of their codings is decoded here.
READ_WHOLE = frozenset(
    value
    for value in (b"gzip, deflate, br, zstd", b"gzip, deflate, br", b"gzip, deflate", b"identity")
    if _cut(value) == value
)
