"""A line of a journal on a disk that may be full: all of it, or an error."""

from __future__ import annotations

import errno
import os


def write_whole(descriptor: int, line: bytes) -> None:
    """Write a line at once; raises OSError where the disk took a part of it, since only the next write would fail."""
    if os.write(descriptor, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
