"""Decode a compressed document as it streams and encode it again in the same coding."""

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

    Browsers leave unread what lies behind the end and is no member (blanks, zeros): so is it here.
    """

    def __init__(self, wbits: int | None, piece: int = PIECE_BYTES) -> None:
        self._wbits = wbits
        self._is_whole = False  # a member has ended, and nothing came of another one yet
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
        """Yield what is decoded but was cut off by `piece` with no input left."""
        while self._inflate is not None and not self._inflate.eof:
            piece = self._inflate.decompress(b"", self._piece)
            if not piece:
                return
            yield piece


class Deflater:
    """Encode gzip or deflate, flushed with each chunk so that nothing waits. Owned by one response."""

    def __init__(self, wbits: int) -> None:
        self._deflate = zlib.compressobj(ENCODE_LEVEL, zlib.DEFLATED, wbits)

    def feed(self, chunk: bytes) -> bytes:
        return self._deflate.compress(chunk) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def close(self) -> bytes:
        return self._deflate.flush(zlib.Z_FINISH)


def _deflate_wbits(chunk: bytes) -> int:
    """Return the window bits by the first byte: some servers send "deflate" without the zlib header."""
    return ZLIB_WBITS if chunk[0] & 0x0F == 8 else RAW_WBITS


@dataclass(frozen=True, slots=True)
class Coding:
    """Make what decodes (in pieces of so many bytes) and encodes one body."""

    decoder: Callable[[int], Decoder]
    encoder: Callable[[], Encoder]


GZIP = Coding(partial(Inflater, GZIP_WBITS), partial(Deflater, GZIP_WBITS))
# What some servers write where nothing is coded. Browsers know no coding of these names and show the body as it is.
MISTAKEN = frozenset(
    b"none null utf-8 utf8 iso-8859-1 ascii text 7bit 8bit binary chunked aws-chunked html text/html".split()
)
# Content-Encoding -> its coding, None where there is none. What is missing here goes out under the strict policy.
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
FIRST_BYTES = 4096  # of a coded document that are looked at before it starts


def first_bytes(start: bytes, coding: Coding | None) -> bytes | None:
    """Return what a body begins with once decoded, empty where that cannot be told yet, None where it never can."""
    if coding is None:
        return start
    try:
        return next(coding.decoder(FIRST_BYTES).feed(start), b"")
    except CodingError:
        return None


def coding_of(value: bytes) -> bytes:
    """Return the coding that a Content-Encoding names, empty where it names none; several are no one's name here."""
    return b",".join(one for part in value.lower().split(b",") if (one := part.strip()) not in NO_CODINGS)


ACCEPTED = frozenset(CODINGS) - MISTAKEN - {b""}
LONGEST_ACCEPT = 256  # bytes; browsers send about 25, and what is kept is as long as a client likes


def cut_accept_encoding(value: bytes) -> bytes:
    """Return an Accept-Encoding with only the codings decoded here; `*` would let in others."""
    return _cut(value) if len(value) <= LONGEST_ACCEPT else b"identity"


@lru_cache(maxsize=256)
def _cut(value: bytes) -> bytes:
    kept = [one.strip() for one in value.split(b",") if one.partition(b";")[0].strip().lower() in ACCEPTED]
    return b", ".join(kept) or b"identity"


# What browsers ask for, as far as all of it is read here.
READ_WHOLE = frozenset(
    one
    for one in (b"gzip, deflate, br, zstd", b"gzip, deflate, br", b"gzip, deflate", b"identity")
    if _cut(one) == one
)
