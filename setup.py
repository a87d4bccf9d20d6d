"""Build the compiled modules, where Cython and a C compiler are there; without them all is pure Python.

Each is made from the Python source of the same name (types stand in the .pxd beside it); what reads every byte has a
source of its own in Cython. They are laid into their package's folder `_compiled` (see src/cookieguard/compiled.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
SOURCES = Path("src", "cookieguard")
# Package -> what is compiled of it: what a page, or every request, passes through. The rest decides rarely, or is
# regular expressions, which are compiled already.
MODULES = {
    "html": (
        "charrefs constructs context declarations embeds judging model placement rewriter rules tags unfinished urls "
        "css judges markup multibyte scripts texts"
    ).split(),
    "identity": "channel cookies jsontext session session_cookie state tokens values visit".split(),
    "web": (
        "asking banner bodies consents document exchange filling gate headers hits lines own_cookies repeats "
        "request response visitor"
    ).split(),
}
# Written twice: regular expressions in Python, loops in C.
WRITTEN_TWICE = {
    "html": (
        "flows functions glances known names output pieces reading scanner sheets stretches summary suspects"
    ).split(),
    "identity": ["base64url", "plainjson"],
}
sys.path.insert(0, str(ROOT / "src" / "cookieguard"))  # compiled.py, without the package around it

from compiled import FOLDER, PACKAGES, STAMP, digest_of  # noqa: E402  # type: ignore[import-not-found]

if tuple(MODULES) != PACKAGES:
    raise SystemExit("setup.py and src/cookieguard/compiled.py name other packages")


class BuildCompiled(build_ext):
    """Build what can be built, and note the sources it was made from."""

    def finalize_options(self) -> None:
        """Compile as many modules at once as there are processors."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        """Build; a missing compiler is a warning."""
        if self.inplace:
            for package in MODULES:
                (SOURCES / package / FOLDER).mkdir(exist_ok=True)
        super().run()
        self._stamp()

    def _stamp(self) -> None:
        """Note what the modules were made from: one that is missing leaves everything pure."""
        made = [Path(self.get_ext_fullpath(one.name)) for one in self.extensions]
        if made and all(path.exists() for path in made):
            for folder in {path.parent for path in made}:
                folder.joinpath(STAMP).write_text(digest_of(ROOT / SOURCES), "ascii")


def extensions() -> list[Extension]:
    """List the modules to compile; none where Cython is missing."""
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    found = cythonize(
        [_extension(package, path) for package in MODULES for path in _sources(package)],
        build_dir="build/cython",
        compiler_directives={"language_level": "3", "annotation_typing": False, "binding": False},
        include_path=["src"],
        quiet=True,
        nthreads=2,
    )
    for one in found:  # only now: the name is part of what is compiled
        package, _, name = one.name.rpartition(".")
        one.name = f"{package}.{FOLDER}.{name}"
    return found


def _sources(package: str) -> list[Path]:
    folder = SOURCES / package
    twice = WRITTEN_TWICE.get(package, ())
    return [
        *(folder / f"{name}.pyx" for name in twice),
        *(folder / f"{name}.py" for name in MODULES[package]),
    ]


def _extension(package: str, path: Path) -> Extension:
    name = f"cookieguard.{package}.{path.stem}"
    return Extension(name, [str(path)], optional=True, extra_compile_args=["-w", "-g0"])


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCompiled})
