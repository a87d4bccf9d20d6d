"""A disk of one mebibyte that tests can fill, so that ENOSPC comes from the kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, *, size: str = "1m") -> Iterator[Path]:
    """Mount a file system at a new directory; skips the test, loudly, if mounting is not permitted."""
    place.mkdir(mode=0o700)
    options = f"size={size},mode=0700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NO TEST OF A FULL DISK: no file system can be mounted here ({mounted.stderr.decode()})")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def filled(place: Path) -> Iterator[None]:
    """Fill the disk until the block ends."""
    filler = place / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()
