"""Build the compiled modules with every bound checked, and feed them hostile bytes.

Cython checks what is read by index (`boundscheck`). What is read by pointer AddressSanitizer checks: with
PYTHONMALLOC=malloc each bytes object is a block of its own, and a read beyond it ends the process.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES, MUTATED, HOSTILE_SIZE, TOKENS, SEED = 600, 4, 48 * 1024, 20_000, 20261128
WRONG_READ = "import ctypes; b = bytes(100); ctypes.CDLL(None).memcmp(b, bytes(4096), 600)"
FOUND = "heap-buffer-overflow"


def main() -> int:
    """Return 0 when no byte was read out of bounds, and when a read that is was seen."""
    sanitizer = _sanitizer()
    if sanitizer is None:
        print("bounds are NOT checked: gcc has no libasan here")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("src", "static", "build", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
            _copy(ROOT / name, place / name)
        print("building with every bound checked", flush=True)
        checked = {**os.environ, "COOKIEGUARD_CHECKED": "1", "COOKIEGUARD_PURE": ""}
        build = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
        subprocess.run(build, cwd=place, env=checked, check=True, capture_output=True)
        if b"__asan_report" not in next(place.glob("src/cookieguard/_compiled/*.so")).read_bytes():
            print("bounds are NOT checked: the modules were built without it")
            return 1
        watched = {
            **checked,
            "LD_PRELOAD": str(sanitizer),
            "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONPATH": os.pathsep.join((str(place / "src"), str(ROOT / "tests"))),
        }
        control = subprocess.run(
            [sys.executable, "-c", WRONG_READ], env=watched, capture_output=True, text=True, check=False
        )
        if control.returncode == 0 or FOUND not in control.stderr:
            print(f"bounds are NOT checked: a wrong read was not seen\n{control.stderr[-2000:]}")
            return 1
        return subprocess.run([sys.executable, __file__, "--feed"], env=watched, check=False).returncode


def _sanitizer() -> Path | None:
    try:
        told = subprocess.run(
            ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    found = Path(told.stdout.strip())
    return found.resolve() if found.is_absolute() and found.exists() else None


def _copy(source: Path, to: Path) -> None:
    """Copy with times: what is built from Python's source is as it was. What reads bytes is built anew."""
    if source.is_file():
        shutil.copy2(source, to)
        return
    shutil.copytree(source, to, symlinks=False, ignore=shutil.ignore_patterns("__pycache__", "_compiled"))
    for written in (ROOT / "src").rglob("*.pyx"):
        for made in (*to.rglob(f"{written.stem}.c"), *to.rglob(f"{written.stem}.o")):
            if made.parent.name == written.parent.name:
                made.unlink()


def feed() -> int:
    """Feed what is hostile to the modules of this process."""
    from cookieguard.html import Rewriter, Rules, Ruling, scanner
    from cookieguard.identity.encoding import base64url, fast_json

    if scanner() != "compiled":
        print("bounds are NOT checked: the modules that were built do not run")
        return 1
    rnd, held, count = random.Random(SEED), Ruling("marketing", None), 0  # noqa: S311  # nothing secret
    for count, page in enumerate(_pages(rnd)):
        if count % 50 == 0:
            rules = Rules(
                lambda url: None if url.host == "shop.example" else held,
                "https://shop.example/",
                own_is_free=True,
                marks_links=count % 100 == 0,
            )
        rewriter = Rewriter(
            rules, url="https://shop.example/a/b", xml=rnd.random() < 0.1, insert=lambda _: b"[banner]"
        )
        for chunk in _cut(page, rnd):
            rewriter.feed(chunk)
        rewriter.close()
    for _ in range(TOKENS):
        raw = rnd.randbytes(rnd.randint(0, 40))
        assert base64url.from_base64url(base64url.to_base64url(raw)) == raw
        with suppress(ValueError):
            fast_json.read(raw)
        with suppress(ValueError):
            base64url.from_base64url(raw.decode("latin-1"))
    print(f"bounds: {count + 1} hostile pages and {TOKENS} tokens, no byte read beyond its text")
    return 0


def _pages(rnd: random.Random) -> Iterator[bytes]:
    from harness.grammar import Author
    from harness.hostile import PATTERNS, hostile_page

    for name in PATTERNS:
        yield hostile_page(name, HOSTILE_SIZE)
    author = Author(rnd)
    for _ in range(PAGES):
        page = author.page().encode("utf-8", "surrogatepass")
        yield page
        for _ in range(MUTATED):
            yield _mutated(page, rnd)


def _mutated(page: bytes, rnd: random.Random) -> bytes:
    """Cut a page off, or change some of its bytes: NUL, quotes and what is no text are where readers stumble."""
    bytes_ = bytearray(page[: rnd.randint(0, len(page))] if rnd.random() < 0.5 else page)
    for _ in range(min(len(bytes_), rnd.randint(0, 6))):
        bytes_[rnd.randrange(len(bytes_))] = rnd.choice(b"\x00\"'<>/&=!-\\(;#\x80\xff \n]")
    return bytes(bytes_)


def _cut(page: bytes, rnd: random.Random) -> Iterator[bytes]:
    size = rnd.choice((1, 2, 7, 64, 4096, len(page) or 1)) if len(page) < 4096 else rnd.choice((1000, 16384))
    for at in range(0, len(page), size):
        yield bytes(bytearray(page[at : at + size]))  # an object of its own, whatever is cached


if __name__ == "__main__":
    sys.exit(feed() if "--feed" in sys.argv else main())
