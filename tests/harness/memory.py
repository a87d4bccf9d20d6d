"""A process that does one job and prints how many bytes of memory the job added.

`python -m harness.memory JOB BODY`; the highest resident size is the kernel's own figure (VmHWM), reset before the
job, so that imports and the process before do not count. The cached answers, which have
a bound of their own, do not count either: an earlier page filled the cache, except in the jobs that begin cold.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

CHUNK = 16 * 1024
PAGE_BYTES = 48 * 1024 * 1024
FILLING_BYTES = PAGE_BYTES // 8  # as many answers as are kept
BOMB_BYTES = 200 * 1024 * 1024
START = b'<!doctype html><html lang="en"><head><title>Shop</title></head><body class="home">'


def extra_bytes(job: str, body: str) -> int:
    """Run a job in a process of its own and return the memory it took, without coverage, which takes some as well."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    run = subprocess.run(
        [sys.executable, "-m", "harness.memory", job, body],
        cwd=Path(__file__).parent.parent,
        env=env,
        stdout=subprocess.PIPE,
        check=True,
        timeout=280,
    )
    return int(run.stdout)


def _page(size: int) -> Iterator[bytes]:
    """Yield a long page of usual markup, each address new."""
    yield START
    for number in range(size // CHUNK):
        block = b"".join(
            b'<div class="item"><a href="/p/%d"><img src="//cdn.ads.example/%d.jpg" alt="x"></a>'
            b"<p>Some words about article %d, and more of them &amp; more.</p></div>\n"
            % (number, one, number)
            for one in range(8 * number, 8 * number + 8)
        )
        yield (block * (CHUNK // len(block) + 1))[:CHUNK]


def _repeated(piece: bytes, size: int, start: bytes = START) -> Iterator[bytes]:
    yield start
    block = piece * (CHUNK // len(piece))
    for _ in range(size // CHUNK):
        yield block


BODIES: dict[str, Callable[[int], Iterator[bytes]]] = {
    "page": _page,
    "words": lambda size: _repeated(b"word ", size),
    "tags": lambda size: _repeated(b'<img src="//ads.example/a">', size),
    "tag without end": lambda size: _repeated(b"a=b ", size, b"<!doctype html><div "),
    "value without end": lambda size: _repeated(b"xxxx ", size, b'<!doctype html><img src="'),
    "script without end": lambda size: _repeated(b"a.src='//b.example';", size, b"<!doctype html><script>"),
    "sheet without end": lambda size: _repeated(b"a{b:url(//c.example)}", size, b"<!doctype html><style>"),
    "comment without end": lambda size: _repeated(b"<!-- ", size, b"<!doctype html><!--"),
}


def _rewriter(body: str, *, is_cold: bool = False) -> int:
    from cookieguard.html import Rewriter, Rules, Ruling

    held = Ruling("marketing", None)
    rules = Rules(lambda url: None if url.host == "shop.example" else held, "https://shop.example/")

    def rewrite(size: int) -> None:
        rewriter = Rewriter(rules)
        for chunk in BODIES[body](size):
            rewriter.feed(chunk)
        rewriter.close()

    if not is_cold:
        rewrite(FILLING_BYTES)
    before = _begin()
    rewrite(PAGE_BYTES)
    return _status("VmHWM") - before


def _through_app(
    messages: Callable[[], Iterable[bytes]], coding: bytes = b"", *, is_cold: bool = False
) -> int:
    from cookieguard import Config, CookieGuard
    from harness.asgi import scope_of

    async def app(_: Any, __: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html")] + ([(b"content-encoding", coding)] if coding else [])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for one in messages():
            await send({"type": "http.response.body", "body": one, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(_: Any) -> None:
        """Accept everything at once, as a fast client does."""

    with tempfile.TemporaryDirectory() as state:
        guard = CookieGuard(app, Config(state_dir=str(Path(state) / "state")))
        if not is_cold:
            asyncio.run(guard(scope_of(), receive, send))
        before = _begin()
        asyncio.run(guard(scope_of(), receive, send))
        extra = _status("VmHWM") - before
        guard.close()
    return extra


def _bomb(body: str, coding: str) -> int:
    wbits = {"gzip": 31, "deflate": 15, "raw deflate": -15}[coding]
    encoder = zlib.compressobj(9, zlib.DEFLATED, wbits)
    packed = b"".join([*map(encoder.compress, BODIES[body](BOMB_BYTES)), encoder.flush()])
    return _through_app(lambda: [packed], coding.split()[-1].encode(), is_cold=True)


def _join(body: str) -> int:
    before = _begin()
    kept = b"".join(BODIES[body](PAGE_BYTES))
    return _status("VmHWM") - before if kept else 0


JOBS: dict[str, Callable[[str], int]] = {
    "rewriter": _rewriter,
    "rewriter, cold": lambda body: _rewriter(body, is_cold=True),
    "app": lambda body: _through_app(lambda: BODIES[body](PAGE_BYTES)),
    "app, cold": lambda body: _through_app(lambda: BODIES[body](PAGE_BYTES), is_cold=True),
    "gzip": lambda body: _bomb(body, "gzip"),
    "deflate": lambda body: _bomb(body, "deflate"),
    "raw deflate": lambda body: _bomb(body, "raw deflate"),
    "control": _join,
}


def _begin() -> int:
    """Reset the highest size, and return the memory in use."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): reset the highest resident size
    return _status("VmRSS")


def _status(name: str) -> int:
    """Return one of the kernel's figures about this process, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    _through_app(lambda: [START])  # modules that load once do not count for a page
    print(JOBS[sys.argv[1]](sys.argv[2]))
