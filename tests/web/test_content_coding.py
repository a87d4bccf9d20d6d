"""Compressed pages are decoded, rewritten and encoded again in the same coding, in pieces and within bounds."""

from __future__ import annotations

import gzip
import os
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import pytest
from harness.asgi import HTML, ask, page

from cookieguard import CookieGuard
from cookieguard.web.http.brotli_zstd import BROTLI, PIECE_BYTES, ZSTD, installed
from cookieguard.web.http.content_coding import CODINGS, Coding

Guard = Callable[..., CookieGuard]
PIXEL = b'<img src="https://ads.example/p.gif">'
HELD = b'<img data-cg-src="https://ads.example/p.gif">'
DOCUMENT = b"<!doctype html><html><body><h1>Shop</h1>" + PIXEL + b"</body></html>"
PAGE_TYPE = [("sec-fetch-dest", "document")]


class Way(NamedTuple):
    """Hold how an app encodes and a browser decodes, by other means than ours where there are any."""

    encode: Callable[[bytes], bytes]
    decode: Callable[[], Callable[[bytes], bytes]]


WAYS = {
    "gzip": Way(gzip.compress, lambda: zlib.decompressobj(31).decompress),
    "x-gzip": Way(gzip.compress, lambda: zlib.decompressobj(31).decompress),
    "deflate": Way(zlib.compress, lambda: zlib.decompressobj().decompress),
    "br": Way(BROTLI.compress, lambda: BROTLI.Decompressor().process),
    "zstd": Way(ZSTD.compress, lambda: ZSTD.ZstdDecompressor().decompress),
}
each_coding = pytest.mark.parametrize("name", WAYS)


def coded(name: str) -> list[tuple[str, str]]:
    return [*HTML, ("content-encoding", name)]


def of(name: str) -> Coding:
    found = CODINGS[name.encode()]
    assert found is not None
    return found


@each_coding
@pytest.mark.parametrize("size", [1, 20, 100_000])
def test_a_compressed_document_is_rewritten_in_its_own_coding(guard: Guard, name: str, size: int) -> None:
    body = WAYS[name].encode(DOCUMENT)
    chunks = [body[index : index + size] for index in range(0, len(body), size)]

    answer = ask(guard(page(*chunks, headers=coded(name))), headers=PAGE_TYPE)

    assert answer.get("content-encoding") == name
    plain = WAYS[name].decode()(answer.body)
    assert HELD in plain
    assert b'id="cg"' in plain
    assert plain.endswith(b"</html>")
    assert not answer.all("content-length")


@each_coding
def test_what_the_app_flushed_can_be_read_before_the_next_chunk(guard: Guard, name: str) -> None:
    encoder = of(name).encoder()
    chunks = [encoder.feed(b"<p>one"), encoder.feed(b"<p>two"), encoder.close()]

    answer = ask(guard(page(*chunks, headers=coded(name))))

    decode = WAYS[name].decode()
    pieces = [decode(message["body"]) for message in answer.bodies if message["body"]]
    assert pieces[:2] == [b"<p>one", b"<p>two"]


@each_coding
def test_the_coding_of_a_page_that_lies_ends_it_without_a_raw_byte_and_without_a_500(
    guard: Guard, name: str
) -> None:
    answer = ask(guard(page(DOCUMENT, headers=coded(name))))

    assert answer.status == 200
    assert b"ads.example" not in answer.body


@each_coding
def test_a_coding_that_breaks_off_gives_what_came_before(guard: Guard, name: str) -> None:
    encoder = of(name).encoder()
    chunks = [encoder.feed(DOCUMENT[:-7]), b"\xff\xfe" * 40]

    answer = ask(guard(page(*chunks, headers=coded(name))))

    assert HELD in WAYS[name].decode()(answer.body)
    assert PIXEL not in answer.body


@pytest.mark.parametrize("name", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("rubbish", [b"\r\n", b"\0" * 30, b"\x1f\x8c"])
def test_bytes_after_the_end_of_a_compressed_page_are_ignored_as_in_browsers(
    guard: Guard, name: str, size: int, rubbish: bytes, events: Callable[[], list[str]]
) -> None:
    script = b"<script>left = 'open'"  # what waits for its end when the body ends
    body = WAYS[name].encode(DOCUMENT + script) + rubbish
    chunks = [body[index : index + size] for index in range(0, len(body), size)]

    answer = ask(guard(page(*chunks, headers=coded(name))))

    assert WAYS[name].decode()(answer.body).endswith(script)
    assert events() == []


def test_members_of_gzip_follow_each_other_and_a_spoiled_one_ends_the_page(guard: Guard) -> None:
    second = gzip.compress(PIXEL + b"<p>" + os.urandom(9000).hex().encode())

    whole = ask(guard(page(gzip.compress(DOCUMENT) + second, headers=coded("gzip"))))
    spoiled = ask(guard(page(gzip.compress(DOCUMENT), second[:6000], b"\xff" * 2000, headers=coded("gzip"))))

    assert gzip.decompress(whole.body).count(HELD) == 2
    assert gzip.decompress(spoiled.body).count(HELD) == 2
    assert b"ads.example/p.gif" not in gzip.decompress(spoiled.body).replace(HELD, b"")


@each_coding
def test_a_bomb_is_decoded_in_bounded_pieces(name: str) -> None:
    bomb = WAYS[name].encode(b"\0" * 50_000_000)
    assert len(bomb) < 60_000

    tracemalloc.start()
    sizes = [len(piece) for piece in of(name).decoder(PIECE_BYTES).feed(bomb)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(sizes) == 50_000_000
    assert max(sizes) <= 4 * PIECE_BYTES
    assert peak < 4_000_000


def test_frames_of_zstd_follow_each_other(guard: Guard) -> None:
    half = len(DOCUMENT) // 2
    body = ZSTD.compress(DOCUMENT[:half]) + ZSTD.compress(DOCUMENT[half:])

    answer = ask(guard(page(body, headers=coded("zstd"))))

    assert HELD in ZSTD.decompress(answer.body)


def test_a_window_wider_than_the_web_allows_is_refused(guard: Guard) -> None:
    options = {ZSTD.CompressionParameter.window_log: 27}
    compressor = ZSTD.ZstdCompressor(options=options)
    body = compressor.compress(DOCUMENT) + compressor.flush()

    answer = ask(guard(page(body, headers=coded("zstd"))))

    assert b"ads.example" not in ZSTD.decompress(answer.body)


def test_an_encoder_that_begins_with_its_header_alone_still_tells_a_wide_page(guard: Guard) -> None:
    # as Starlette's GZipMiddleware does: ten bytes that decode to nothing, and the page later
    whole = gzip.compress(
        "\ufeff<!doctype html><body>".encode("utf-16-le") + PIXEL.decode().encode("utf-16-le")
    )

    answer = ask(
        guard(
            page(
                whole[:10],
                whole[10:14],
                whole[14:],
                headers=[("content-type", "text/html"), ("content-encoding", "gzip")],
            )
        )
    )

    assert HELD in gzip.decompress(answer.body)


def test_a_coding_that_says_nothing_for_long_goes_out_under_the_strict_policy(guard: Guard) -> None:
    name = b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 6000  # a file name without end, before any content

    answer = ask(guard(page(name[:5000], name[5000:], headers=coded("gzip"))))

    assert answer.body == name
    assert "'self'" in answer.get("content-security-policy")


def test_a_package_whose_decoder_gives_all_at_once_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ModuleType("old_brotli")
    old.Decompressor = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "old_brotli", old)

    assert installed("no_such_module", "old_brotli", attribute="Decompressor.can_accept_more_data") is None
    assert installed("no_such_module", "brotli", attribute="Decompressor.can_accept_more_data") is not None
