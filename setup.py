"""Build the compiled modules of the rewriter, where Cython and a C compiler are there; without them it is pure Python.

Each is made from the Python source of the same name (types stand in the .pxd beside it), only the scanner has a
source of its own in Cython. They are laid into the package's folder `_compiled` (see src/cookieguard/compiled.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
HTML = Path("src", "cookieguard", "html")
PACKAGE = "cookieguard.html"
# What a page passes through; the rest decides rarely, or is regular expressions, which are compiled already.
MODULES = (
    "charrefs constructs context declarations judging model output placement rewriter rules tags unfinished urls "
    "css flows judges names scripts suspects texts"
).split()
TWINS = "glances pieces reading scanner".split()  # written twice: regular expressions in Python, loops in C
sys.path.insert(0, str(ROOT / "src" / "cookieguard"))  # compiled.py, without the package around it

from compiled import FOLDER, STAMP, digest_of  # noqa: E402  # type: ignore[import-not-found]


class BuildCompiled(build_ext):
    """Build what can be built, and note the sources it was made from."""

    def finalize_options(self) -> None:
        """Compile as many modules at once as there are processors."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        """Build; a missing compiler is a warning."""
        if self.inplace:
            (HTML / FOLDER).mkdir(exist_ok=True)
        super().run()
        made = [Path(self.get_ext_fullpath(one.name)) for one in self.extensions]
        if made and all(path.exists() for path in made):
            made[0].parent.joinpath(STAMP).write_text(digest_of(ROOT / HTML), "ascii")


def extensions() -> list[Extension]:
    """List the modules to compile; none where Cython is missing."""
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    sources = [*(HTML / f"{name}.pyx" for name in TWINS), *(HTML / f"{name}.py" for name in MODULES)]
    found = cythonize(
        [
            Extension(f"{PACKAGE}.{path.stem}", [str(path)], optional=True, extra_compile_args=["-w", "-g0"])
            for path in sources
        ],
        build_dir="build/cython",
        compiler_directives={"language_level": "3", "annotation_typing": False, "binding": False},
        include_path=["src"],
        quiet=True,
        nthreads=2,
    )
    for one in found:  # only now: the name is part of what is compiled
        one.name = f"{PACKAGE}.{FOLDER}.{one.name.rpartition('.')[2]}"
    return found


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCompiled})
