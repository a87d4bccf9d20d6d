"""Build wheel and sdist so that whoever builds the same commit gets the same bytes; prints their SHA-256.

Built from what git knows, in a directory of its own; times are those of the commit, orders and rights are fixed.
`--check` builds twice in two places and compares. COOKIEGUARD_PURE=1 leaves the compiled modules out.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "dist"
BUILD = "from setuptools import build_meta; build_meta.build_wheel({0!r}); build_meta.build_sdist({0!r})"
OLDEST_ZIP = 315_532_800  # 1980, when the times of zip begin
FILE, PROGRAM = 0o644, 0o755


def main() -> int:
    """Build into dist/, or build twice and compare; return the exit status."""
    epoch = int(_git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as folder:
        first = _build(Path(folder, "first"), epoch)
        if "--check" not in sys.argv:
            OUT.mkdir(exist_ok=True)
            for name, content in first.items():
                (OUT / name).write_bytes(content)
        elif (second := _build(Path(folder, "a", "second"), epoch)) != first:
            differing = [name for name in first if first[name] != second.get(name)]
            print(f"two builds differ: {', '.join(differing)}", file=sys.stderr)
            return 1
    for name, content in sorted(first.items()):
        print(hashlib.sha256(content).hexdigest(), name)
    return 0


def _build(place: Path, epoch: int) -> dict[str, bytes]:
    """Build in a place of its own, and return what was made, by name."""
    source, made = place / "source", place / "made"
    for name in filter(None, _git("ls-files", "-z").split("\0")):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    made.mkdir()
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", BUILD.format(str(made))]
    subprocess.run(command, cwd=source, env=environment, check=True, stdout=subprocess.DEVNULL)
    return {one.name: _fixed(one, epoch) for one in sorted(made.iterdir())}


def _fixed(path: Path, epoch: int) -> bytes:
    return _fixed_wheel(path, epoch) if path.suffix == ".whl" else _fixed_sdist(path, epoch)


def _fixed_wheel(path: Path, epoch: int) -> bytes:
    """Write a wheel anew: entries by name, times of the commit, rights of a file or a program."""
    out, when = io.BytesIO(), time.gmtime(max(epoch, OLDEST_ZIP))[:6]
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for one in sorted(source.infolist(), key=lambda entry: entry.filename):
            entry = zipfile.ZipInfo(one.filename, when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (_rights(one.external_attr >> 16) | 0o100000) << 16
            target.writestr(entry, source.read(one))
    return out.getvalue()


def _fixed_sdist(path: Path, epoch: int) -> bytes:
    """Write an sdist anew, the same way; nobody owns its files."""
    out = io.BytesIO()
    with (
        tarfile.open(path) as source,
        gzip.GzipFile("", "wb", fileobj=out, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for one in sorted(source.getmembers(), key=lambda entry: entry.name):
            entry = tarfile.TarInfo(one.name)
            entry.type, entry.size, entry.mtime = one.type, one.size, epoch
            entry.mode = PROGRAM if one.isdir() else _rights(one.mode)
            target.addfile(entry, source.extractfile(one) if one.isfile() else None)
    return out.getvalue()


def _rights(mode: int) -> int:
    return PROGRAM if mode & 0o100 else FILE


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
