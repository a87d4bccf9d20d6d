"""Whether the compiled build runs in place of the Python source.

All compiled modules are in one shared object in the folder `_compiled`, each made from the source of its name. The
object is used if these sources are still the same; otherwise (no compiler at the installation, one of them edited since
then, or COOKIEGUARD_PURE=1) the Python sources run, which are the reference. All modules or none: a compiled module
knows the layout of the classes in the others.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

# fcntl locks keys, spools and clean-ups between workers, fsync of a directory makes a rename last, and workers fork.
WINDOWS = "cookieguard does not run on Windows: its file locks and workers need Linux or macOS; use WSL or a container"

FOLDER = "_compiled"
# The shared object in it: a file for each module puts what every request runs on far more pages.
TOGETHER = "modules"
# File beside it, of the same Python: the modules, one a line, then the digest of what they were made from. A stamp that
# was cut off lacks that, or a part of it, and counts for nothing.
STAMP = ".sources"
SUFFIXES = (".py", ".pyx", ".pxd")


class Compiled(MetaPathFinder):
    """Find the modules that are in the shared object; Python looks for all others as it always does."""

    def __init__(self, shared_object: Path, modules: Sequence[str]) -> None:
        self._place = str(shared_object)
        self._modules = frozenset(modules)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; the last part of its name says which of those in the file."""
        if fullname not in self._modules:
            return None
        return spec_from_file_location(
            fullname, self._place, loader=ExtensionFileLoader(fullname, self._place)
        )


def find_compiled(package: str) -> Compiled | None:
    """Return what finds the modules that stand for the sources in the folder `package`; None for the sources."""
    if os.environ.get("COOKIEGUARD_PURE") == "1":
        return None
    folder = Path(package, FOLDER)
    shared_object = folder / f"{TOGETHER}{EXTENSION_SUFFIXES[0]}"
    try:
        *modules, made_from = shared_object.with_name(shared_object.name + STAMP).read_text("ascii").split()
    except (OSError, ValueError):
        return None
    is_ours = shared_object.exists() and made_from == digest_of(Path(package), tuple(modules))
    return Compiled(shared_object, modules) if is_ours else None


@cache
def digest_of(root: Path, modules: Sequence[str]) -> str:
    """Return the digest of the modules' sources; `root` is the folder of the package."""
    digest = blake2b(digest_size=16)
    for module in modules:
        place = root.joinpath(*module.split(".")[1:])
        for path in (path for path in map(place.with_suffix, SUFFIXES) if path.exists()):
            source = path.read_bytes()
            digest.update(b"%s %d\n" % (path.relative_to(root).as_posix().encode(), len(source)))
            digest.update(source)
    return digest.hexdigest()
