"""Whether the compiled build runs in place of the Python source.

Compiled modules lie in their package's folder `_compiled`, each made from the source beside it. They run when they were
made from just these sources; anything else (no compiler at the installation, a source edited since then, or
COOKIEGUARD_PURE=1) means the Python source, which is the reference. All packages or none: what is compiled in one of
them knows the layout of what is in another.
"""

from __future__ import annotations

import os
from functools import cache
from hashlib import blake2b
from pathlib import Path

PACKAGES = ("html", "identity", "web")  # of which something is compiled

FOLDER = "_compiled"
STAMP = "sources"  # file in it: the digest of what all of them were made from
SUFFIXES = (".py", ".pyx", ".pxd")


def compiled_folder(package: str) -> str | None:
    """Return the folder of the compiled modules that stand for the sources in `package`; None for the sources."""
    if os.environ.get("COOKIEGUARD_PURE") == "1":
        return None
    folder = Path(package, FOLDER)
    try:
        made_from = folder.joinpath(STAMP).read_text("ascii")
    except OSError:
        return None
    return str(folder) if made_from == digest_of(Path(package).parent) else None


@cache
def digest_of(root: Path) -> str:
    """Return the digest of the packages' sources; `root` is the folder they lie in."""
    digest = blake2b(digest_size=16)
    for path in (path for package in PACKAGES for path in sorted((root / package).iterdir())):
        if path.suffix in SUFFIXES:
            source = path.read_bytes()
            digest.update(b"%s/%s %d\n" % (path.parent.name.encode(), path.name.encode(), len(source)))
            digest.update(source)
    return digest.hexdigest()
