"""Decode and encode br and zstd, if the packages for them are installed: `pip install '.[compression]'`.

A package is used only if its decoder can limit its output, since a compression bomb would otherwise fill the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from cookieguard.errors import CookieGuardError

# Output of one decoding step. A bomb becomes many small pieces, never a large one.
PIECE_BYTES = 64 * 1024
# The lowest level, since pages are encoded as they stream, and time to first byte matters more than size.
ENCODE_LEVEL = 1
BROTLI_WINDOW = 18  # bits; the default of 22 costs megabytes for each response
ZSTD_WINDOW = 23  # bits: 8 MB is all that RFC 9659 lets a server use for `zstd`


class CodingError(CookieGuardError):
    """Raised when a document's bytes are not in the coding that its header names."""


def installed(*names: str, attribute: str) -> ModuleType | None:
    """Return the first of these modules that is installed and has `attribute`; else None."""
    for name in names:
        try:
            module = import_module(name)
        except ImportError:
            continue
        if hasattr(getattr(module, attribute.partition(".")[0]), attribute.partition(".")[2]):
            return module
    return None


# Before brotli 1.2 a decoder returned all its output at once.
BROTLI: Any = installed("brotli", "brotlicffi", attribute="Decompressor.can_accept_more_data")
ZSTD: Any = installed("compression.zstd", "backports.zstd", attribute="ZstdDecompressor.needs_input")


class BrotliDecoder:
    """Decode br in bounded pieces. Owned by one response."""

    def __init__(self, piece: int = PIECE_BYTES) -> None:
        self._piece = piece
        self._decoder = BROTLI.Decompressor()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` decodes to, about `piece` bytes at a time; raises CodingError."""
        decoder = self._decoder
        while not decoder.is_finished():
            try:
                piece = decoder.process(chunk, output_buffer_limit=self._piece)
            except BROTLI.error as error:
                raise CodingError("a document is not br, although its Content-Encoding says so") from error
            chunk = b""
            if not piece:  # `can_accept_more_data` is no end: it may be true while there is more output
                return
            yield piece


class BrotliEncoder:
    """Encode br, flushed with each chunk. Owned by one response."""

    def __init__(self) -> None:
        self._encoder = BROTLI.Compressor(quality=ENCODE_LEVEL, lgwin=BROTLI_WINDOW)

    def feed(self, chunk: bytes) -> bytes:
        return bytes(self._encoder.process(chunk) + self._encoder.flush())

    def close(self) -> bytes:
        return bytes(self._encoder.finish())


class ZstdDecoder:
    """Decode zstd in bounded pieces, frame after frame. Owned by one response."""

    def __init__(self, piece: int = PIECE_BYTES) -> None:
        self._piece = piece
        self._decoder = self._new()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` decodes to, at most `piece` bytes at a time; raises CodingError."""
        while True:
            if self._decoder.eof:
                chunk = chunk or self._decoder.unused_data
                if not chunk:
                    return
                self._decoder = self._new()
            try:
                piece = self._decoder.decompress(chunk, self._piece)
            except ZSTD.ZstdError as error:
                raise CodingError("a document is not zstd, although its Content-Encoding says so") from error
            chunk = b""
            if piece:
                yield piece
            if self._decoder.needs_input and not self._decoder.eof:
                return

    @staticmethod
    def _new() -> Any:
        return ZSTD.ZstdDecompressor(options={ZSTD.DecompressionParameter.window_log_max: ZSTD_WINDOW})


class ZstdEncoder:
    """Encode zstd, flushed with each chunk. Owned by one response."""

    def __init__(self) -> None:
        self._encoder = ZSTD.ZstdCompressor(level=ENCODE_LEVEL)

    def feed(self, chunk: bytes) -> bytes:
        return bytes(self._encoder.compress(chunk, ZSTD.ZstdCompressor.FLUSH_BLOCK))

    def close(self) -> bytes:
        return bytes(self._encoder.flush(ZSTD.ZstdCompressor.FLUSH_FRAME))
