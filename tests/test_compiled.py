"""The compiled build is used only with the exact sources that it was made from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path

import pytest

from cookieguard.compiled import FOLDER, STAMP, TOGETHER, digest_of, find_compiled

ROOT = Path(__file__).parents[1]
MODULES = ("cookieguard.html.rules", "cookieguard.web.rules")
MADE = f"{TOGETHER}{EXTENSION_SUFFIXES[0]}"


@pytest.fixture(autouse=True)
def _any_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COOKIEGUARD_PURE", raising=False)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Make a package that was compiled."""
    for name in ("html", "web"):
        (tmp_path / name).mkdir()
        for module in ("rules", "other"):
            (tmp_path / name / f"{module}.py").write_text(f"NAME = {name!r}\n")
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / MADE).write_bytes(b"")
    (folder / f"{MADE}{STAMP}").write_text("\n".join([*MODULES, digest_of(tmp_path, MODULES)]) + "\n")
    digest_of.cache_clear()
    return tmp_path


def test_what_was_compiled_is_found_in_the_shared_object(package: Path) -> None:
    finder = find_compiled(str(package))

    assert finder is not None
    spec = finder.find_spec("cookieguard.html.rules", None)
    assert spec is not None
    assert isinstance(spec.loader, ExtensionFileLoader)
    assert Path(str(spec.origin)).parent == package / FOLDER


def test_every_other_module_is_left_to_python(package: Path) -> None:
    finder = find_compiled(str(package))

    assert finder is not None
    assert finder.find_spec("cookieguard.html.css.stylesheet", None) is None
    assert finder.find_spec("rules", None) is None


def test_sources_edited_since_then_run_themselves(package: Path) -> None:
    (package / "web" / "rules.py").write_text("NAME = 'another'\n")

    assert find_compiled(str(package)) is None


@pytest.mark.parametrize("edited", ["web/other.py", "web/new.py", "features/records.py"])
def test_an_edit_outside_the_compiled_sources_leaves_the_compiled_build_in_use(
    package: Path, edited: str
) -> None:
    (package / edited).parent.mkdir(exist_ok=True)
    (package / edited).write_text("NAME = 'another'\n")

    assert find_compiled(str(package)) is not None


def test_types_that_were_added_beside_a_compiled_source_end_the_build(package: Path) -> None:
    (package / "web" / "rules.pxd").write_text("cdef class New: pass\n")

    assert find_compiled(str(package)) is None


def test_a_build_for_another_python_does_not_count(package: Path) -> None:
    (package / FOLDER / MADE).rename(package / FOLDER / f"{TOGETHER}.other.so")

    assert find_compiled(str(package)) is None


def test_an_older_build_for_this_python_beside_a_newer_one_for_another_does_not_count(package: Path) -> None:
    (package / "web" / "rules.py").write_text("NAME = 'another'\n")
    (package / FOLDER / f"{TOGETHER}.other.so").write_bytes(b"")
    (package / FOLDER / f"{TOGETHER}.other.so{STAMP}").write_text(
        f"cookieguard.web.rules\n{digest_of(package, MODULES[1:])}\n"
    )

    assert find_compiled(str(package)) is None


@pytest.mark.parametrize("noted", [b"", b"cookieguard.html.rules\n", b"\xff\xfe\x00"])
def test_a_stamp_that_was_cut_off_or_is_none_means_the_sources(package: Path, noted: bytes) -> None:
    (package / FOLDER / f"{MADE}{STAMP}").write_bytes(noted)

    assert find_compiled(str(package)) is None


def test_sources_that_were_never_compiled_run_themselves(package: Path) -> None:
    (package / FOLDER / f"{MADE}{STAMP}").unlink()

    assert find_compiled(str(package)) is None


def test_the_environment_forces_the_sources(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOKIEGUARD_PURE", "1")

    assert find_compiled(str(package)) is None


def test_without_a_compiler_nothing_is_translated_for_it(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "build_ext", f"--build-lib={tmp_path}", f"--build-temp={tmp_path}"]
    environ = os.environ | {"CC": "/nowhere/cc -pthread", "COOKIEGUARD_PURE": ""}

    built = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    assert built.returncode == 0
    assert "no /nowhere/cc here" in built.stderr
    assert "Cythonizing" not in built.stdout + built.stderr
    assert list(tmp_path.iterdir()) == []


def test_files_that_need_the_compiled_build_are_in_the_compiled_part_of_test_all() -> None:
    """All other parts of `make test-all` run the sources, and would leave these tests out."""
    makefile = (ROOT / "Makefile").read_text()
    parts = " ".join(re.findall("^(?:BOTH|MORE) := (.*)$", makefile, re.MULTILINE)).split()
    asking = [
        str(path.relative_to(ROOT))
        for path in ROOT.glob("tests/**/test_*.py")
        if path != Path(__file__) and "scanner() " in path.read_text()
    ]

    assert len(asking) > 5
    assert [path for path in asking if not path.startswith(tuple(parts))] == []
