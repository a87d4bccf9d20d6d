"""Build the compiled modules, where Cython and a C compiler are there; without them all is pure Python.

Each is made from the Python source of the same name, with types in its .pxd; a module that reads every byte has a
source of its own in Cython. All are linked into one shared object (see src/cookieguard/compiled.py).
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
SOURCES = Path("src", "cookieguard")
# Folder -> what is compiled of it: what a page, or every request, passes through. The rest decides rarely, or is
# regular expressions, which are compiled already. No two may have one name: all are linked into one shared object.
MODULES = {
    "html": "attributes element_text insertion_point page rewriter rules tags types urls".split(),
    "html/css": ["stylesheet"],
    "html/tokenizer": "markup_declarations output raw_text tree_state".split(),
    "identity": "cookies lazy_mapping session session_cookie session_state token_cookie tokens visit".split(),
    "identity/encoding": ["canonical_json"],
    "stats": "anonymize full_address log_line raw_hits rollups".split(),
    "web": "app_scope exchange flow request response services visitor walls".split(),
    "web/banner": ["insertion"],
    "web/cookies": "consent_cookie consent_filter own_cookies".split(),
    "web/document": "body choose_body page_cache".split(),
    "web/http": ["headers", "routes"],
    "web/pages": ["router"],
    "web/recording": "hits log_entry pipeline".split(),
}
# Written in Cython: loops over bytes. The Python source of the same name says the same, or that it does not know;
# plain_sheet has none, for only tag_summary asks it.
WRITTEN_TWICE = {
    "html/fast": "answers fragments plain_sheet tag_summary".split(),
    "html/tokenizer": ["scanner"],
    "identity/encoding": ["base64url", "fast_json"],
    "features/records/values": ["hashing"],
    "web/http": ["dotted_quad"],
}
sys.path.insert(0, str(ROOT / "src" / "cookieguard"))  # compiled.py, without the package around it

from compiled import FOLDER, STAMP, TOGETHER, WINDOWS, digest_of  # noqa: E402  # type: ignore[import-not-found]

if sys.platform == "win32":
    raise SystemExit(WINDOWS)

FOLDERS = sorted({*MODULES, *WRITTEN_TWICE})

NAMES = [
    f"cookieguard.{folder.replace('/', '.')}.{name}"
    for folder in FOLDERS
    for name in (*WRITTEN_TWICE.get(folder, ()), *MODULES.get(folder, ()))
]
BY_BYTES = {name for names in WRITTEN_TWICE.values() for name in names}
ARGUMENTS = ["-w", "-g0"]
# Python's source mostly calls the interpreter, which no optimizer sees: at -O1 it compiles in half the time. Loops over
# bytes get -O2, and so does what every request passes through: it comes out a tenth shorter, and is read cold.
OPTIMIZED = {False: "-O1", True: "-O2"}
# scripts/check_bounds.py: what reads bytes with every bound checked.
IS_CHECKED = os.environ.get("COOKIEGUARD_CHECKED") == "1"
CHECKED = ["-fsanitize=address", "-fno-omit-frame-pointer"]


class BuildCompiled(build_ext):
    """Build what can be built, and note the sources it was made from."""

    def finalize_options(self) -> None:
        """Compile as many modules at once as there are processors."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        """Build; a missing compiler is a warning."""
        if self.inplace:
            (SOURCES / FOLDER).mkdir(exist_ok=True)
        self._is_made = False
        made_from = digest_of(ROOT / SOURCES, tuple(NAMES))  # now: what is edited meanwhile is not in it
        super().run()
        if self._is_made:  # else one that lies there is an older one
            self._stamp(made_from)

    def build_extension(self, ext: Extension) -> None:
        """Compile the sources that changed, and link all of them into one shared object."""
        self._left = len(ext.sources)
        with ThreadPoolExecutor(self.parallel) as pool:
            objects = list(pool.map(self._compile, ext.sources))
        self.compiler.link_shared_object(objects, self.get_ext_fullpath(ext.name), build_temp=self.build_temp)
        self._is_made = True

    def _compile(self, source: str) -> str:
        made = Path(self.compiler.object_filenames([source], output_dir=self.build_temp)[0])
        newest = max(Path(path).stat().st_mtime for path in (source, __file__))
        if self.force or not made.exists() or made.stat().st_mtime < newest:
            is_by_bytes = Path(source).stem in BY_BYTES
            is_of_requests = "web" in Path(source).parts
            arguments = [
                *ARGUMENTS,
                OPTIMIZED[is_by_bytes or is_of_requests],
                *CHECKED * (IS_CHECKED and is_by_bytes),
            ]
            self.compiler.compile([source], output_dir=self.build_temp, extra_postargs=arguments)
        self._left -= 1
        if sys.stderr.isatty() or self._left % 10 == 0:  # a minute without a word looks like a hang
            print(f"compiling cookieguard: {self._left} modules left", file=sys.stderr)
        return str(made)

    def _stamp(self, made_from: str) -> None:
        """Note what was made, and of what: where that is not what is there now, the sources run."""
        for one in self.extensions:
            Path(self.get_ext_fullpath(one.name) + STAMP).write_text(
                "\n".join([*NAMES, made_from]) + "\n", "ascii"
            )


def extensions() -> list[Extension]:
    """Return what to compile; nothing where Cython or a compiler is missing, or COOKIEGUARD_PURE=1 asks for none."""
    if os.environ.get("COOKIEGUARD_PURE") == "1":
        return []
    missing = _missing_compiler()
    if missing:  # before a quarter of a minute of translating for it
        print(
            f"cookieguard stays pure Python, slower and with the same bytes: no {missing} here",
            file=sys.stderr,
        )
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    found = cythonize(
        [Extension(name, [str(_source(name))]) for name in NAMES],
        build_dir="build/cython",
        compiler_directives={"language_level": "3", "annotation_typing": False, "binding": False}
        | ({"boundscheck": True} if IS_CHECKED else {}),
        include_path=["src"],
        quiet=False,
        nthreads=2,
    )
    sources = [source for one in found for source in one.sources]
    name = f"cookieguard.{FOLDER}.{TOGETHER}"
    return [Extension(name, sources, optional=True)]


def _missing_compiler() -> str | None:
    """Name the C compiler that Python would call, where it is not there; what calls another one is not judged."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "")
    return compiler[0] if compiler and shutil.which(compiler[0]) is None else None


def _source(name: str) -> Path:
    *folders, module = name.split(".")[1:]
    kind = "pyx" if module in BY_BYTES else "py"
    return SOURCES.joinpath(*folders, f"{module}.{kind}")


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCompiled})
