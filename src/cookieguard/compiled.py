"""Whether the compiled build of a package runs in place of its Python source.

Compiled modules lie in the package's folder `_compiled`, each made from the source beside it. They run when they were
made from just these sources; anything else (no compiler at the installation, a source edited since then, or
COOKIEGUARD_PURE=1) means the Python source, which is the reference.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

FOLDER = "_compiled"
STAMP = "sources"  # file in it: the digest of what it was made from
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
    return str(folder) if made_from == digest_of(Path(package)) else None


def digest_of(package: Path) -> str:
    """Return the digest of a package's sources."""
    digest = blake2b(digest_size=16)
    for path in sorted(package.iterdir()):
        if path.suffix in SUFFIXES:
            source = path.read_bytes()
            digest.update(b"%s %d\n" % (path.name.encode(), len(source)))
            digest.update(source)
    return digest.hexdigest()
