"""Decode a compressed document as it streams and encode it again in the same coding."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache

from cookieguard.errors import CookieGuardError

# Output of one decoding step: a bomb becomes many small pieces, never one large one.
PIECE_BYTES = 64 * 1024
# Level 1: what is sent was compressed by the app already, and time to first byte matters more than size.
ENCODE_LEVEL = 1
GZIP_WBITS = 31
ZLIB_WBITS = 15
RAW_WBITS = -15


class CodingError(CookieGuardError):
    """Say that a document's bytes are not in the coding its header names."""


class Inflater:
    """Decode gzip or deflate in bounded pieces. Owned by one response."""

    def __init__(self, wbits: int | None) -> None:
        self._wbits = wbits
        self._inflate = zlib.decompressobj(wbits) if wbits is not None else None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` decodes to, at most PIECE_BYTES at a time; raises CodingError."""
        while chunk:
            if self._inflate is None:
                self._inflate = zlib.decompressobj(
                    self._wbits if self._wbits is not None else _deflate_wbits(chunk)
                )
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(self._wbits or ZLIB_WBITS)
            try:
                piece = self._inflate.decompress(chunk, PIECE_BYTES)
            except zlib.error as error:
                raise CodingError("a document is not in the coding its Content-Encoding names") from error
            chunk = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                yield piece
        yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        """Yield what is decoded but was cut off by PIECE_BYTES with no input left."""
        while self._inflate is not None and not self._inflate.eof:
            piece = self._inflate.decompress(b"", PIECE_BYTES)
            if not piece:
                return
            yield piece


class Deflater:
    """Encode gzip or deflate, flushed with each chunk so that nothing waits. Owned by one response."""

    def __init__(self, wbits: int) -> None:
        self._deflate = zlib.compressobj(ENCODE_LEVEL, zlib.DEFLATED, wbits)

    def feed(self, chunk: bytes) -> bytes:
        """Return the encoding of `chunk`, complete up to its last byte."""
        return self._deflate.compress(chunk) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def close(self) -> bytes:
        """Return the end of the encoding."""
        return self._deflate.flush(zlib.Z_FINISH)


def _deflate_wbits(chunk: bytes) -> int:
    """Tell zlib from raw deflate by its first byte: some servers send "deflate" without the zlib header."""
    return ZLIB_WBITS if chunk[0] & 0x0F == 8 else RAW_WBITS


# Content-Encoding -> what decodes and encodes it, None where nothing must. What is missing here goes out under
# the strict policy.
CODINGS: dict[bytes, Callable[[], tuple[Inflater, Deflater]] | None] = {
    b"": None,
    b"identity": None,
    b"gzip": lambda: (Inflater(GZIP_WBITS), Deflater(GZIP_WBITS)),
    b"x-gzip": lambda: (Inflater(GZIP_WBITS), Deflater(GZIP_WBITS)),
    b"deflate": lambda: (Inflater(None), Deflater(ZLIB_WBITS)),
}


def first_bytes(start: bytes, coding: bytes, count: int) -> bytes:
    """Return what a body begins with once decoded, at most `count` bytes; nothing where that cannot be told yet."""
    make = CODINGS[coding]
    if make is None:
        return start[:count]
    try:
        return next(make()[0].feed(start), b"")[:count]
    except CodingError:
        return b""


ACCEPTED = (b"gzip", b"deflate", b"identity")


LONGEST_ACCEPT = 256  # bytes; browsers send about 25, and what is kept is as long as a client likes


def cut_accept_encoding(value: bytes) -> bytes:
    """Return an Accept-Encoding with only the codings decoded here; `*` would let in others."""
    return _cut(value) if len(value) <= LONGEST_ACCEPT else b"identity"


@lru_cache(maxsize=256)
def _cut(value: bytes) -> bytes:
    kept = [one.strip() for one in value.split(b",") if one.partition(b";")[0].strip().lower() in ACCEPTED]
    return b", ".join(kept) or b"identity"
