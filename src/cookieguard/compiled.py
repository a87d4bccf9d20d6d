"""Choose whether the compiled build or the Python sources run.

One shared object in the folder `_compiled` contains all compiled modules. It is used if their sources have not changed
since. Otherwise the Python sources run, which are the reference: without a compiler at installation, after an edit, or
with COOKIEGUARD_PURE=1. Compiled modules rely on the layout of each other's classes, so all of them are used, or none.
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

# Windows lacks fcntl locks (for keys, spools and clean-ups), fsync of a directory (to make a rename last), and fork.
WINDOWS = "cookieguard does not run on Windows: its file locks and workers need Linux or macOS; use WSL or a container"

FOLDER = "_compiled"
# The name of the shared object. With one file per module, the code of a request would fill far more memory pages.
TOGETHER = "modules"
# The suffix of the stamp, a file next to the object. It lists the modules, one a line, then a digest of their sources.
# A stamp that was cut off has no valid digest, so the Python sources run.
STAMP = ".sources"
SUFFIXES = (".py", ".pyx", ".pxd")


class Compiled(MetaPathFinder):
    """Find the modules in the shared object; Python finds all others as usual."""

    def __init__(self, shared_object: Path, modules: Sequence[str]) -> None:
        self._place = str(shared_object)
        self._modules = frozenset(modules)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module; its loader selects the module in the file by the last part of the name."""
        if fullname not in self._modules:
            return None
        return spec_from_file_location(
            fullname, self._place, loader=ExtensionFileLoader(fullname, self._place)
        )


def find_compiled(package: str) -> Compiled | None:
    """Return the finder of the compiled modules of the folder `package`; None if the sources have to run."""
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
