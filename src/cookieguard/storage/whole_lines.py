"""Lines of a journal on a disk that may be full: all of them, or an error."""

from __future__ import annotations

import errno
import os


def append_lines(descriptor: int, lines: bytes) -> None:
    """Append whole lines at once, behind a new line where a crash or a full disk left half of one.

    Raises OSError where the disk took a part of it, since only the next write would fail. The file is open for reading
    too.
    """
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        lines = b"\n" + lines
    if os.write(descriptor, lines) < len(lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
