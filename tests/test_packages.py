"""The wheel contains every package and names no other, which an editable install would not notice."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import cookieguard

ROOT = Path(__file__).parents[1]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def place(package: str) -> Path:
    given = SETUP["package-dir"].get(package)
    return ROOT / (given or f"src/{package.replace('.', '/')}")


def test_every_package_that_is_named_is_there() -> None:
    assert [one for one in SETUP["packages"] if not place(one).is_dir()] == []


def test_every_package_that_is_there_is_named() -> None:
    found = {path.parent for path in (ROOT / "src").rglob("__init__.py")}
    found |= {path.parent for path in (ROOT / "static").rglob("*.toml")}

    assert found == {one for one in map(place, SETUP["packages"]) if one in found}
    assert ROOT / "static" / "vendors" in found


def test_a_shop_that_starts_brings_nothing_that_only_commands_or_pages_of_our_own_need(
    tmp_path: Path,
) -> None:
    """Each worker of a shop would wait 0.5 s for them as it starts."""
    needed_later = {"click", "httpx", "markdown_it", "pygments", "rich", "typer"}
    code = f"""
import sys
from cookieguard import CookieGuard
from cookieguard.web.banner.templates import template_environment
from cookieguard.office.layout import environment
CookieGuard(None).close()
print(*sorted({needed_later} & set(sys.modules)))
print(*sorted(name for _, name in [*template_environment().cache, *environment().cache]))
"""

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["banner.html", "control.html", "embed.html"]


def test_a_shop_brings_nothing_of_rooms_that_are_off(tmp_path: Path) -> None:
    rooms = [f"cookieguard.features.{room}.part" for room in ("outbox", "policy", "statistics", "vendors")]
    of_pages = [
        f"cookieguard.features.{name}" for name in ("overview", "statistics.dashboard", "vendor_page")
    ]
    code = f"""
import sys
from dataclasses import replace
from cookieguard import Config, CookieGuard
config = Config()
CookieGuard(None, replace(config, stats=replace(config.stats, enabled=False))).close()
print(*sorted({{*{[*rooms, *of_pages]}}} & set(sys.modules)))
"""

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == []


def test_a_command_brings_nothing_that_serves_pages(tmp_path: Path) -> None:
    code = "import sys; from cookieguard.cli.app import run; run(['keys', '--help']); print(*sys.modules, sep='\\n')"

    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert "cookieguard.cli.keys" in printed
    assert {"cookieguard.cli.check", "cookieguard.web.middleware", "starlette"}.isdisjoint(printed)


def test_every_public_name_is_found_where_it_is_said_to_be() -> None:
    assert sorted(cookieguard._PLACES) == sorted(cookieguard.__all__)
    assert all(
        getattr(cookieguard, name).__module__.startswith("cookieguard") for name in cookieguard.__all__
    )
    assert not hasattr(cookieguard, "nothing")


def test_error_in_an_import_below_a_public_name_is_raised_unchanged(tmp_path: Path) -> None:
    """An AttributeError out of `__getattr__` would read "cannot import name 'CookieGuard'"."""
    (tmp_path / "starlette.py").write_text("import math\nmath.no_such_thing\n")

    done = subprocess.run(
        [sys.executable, "-c", "from cookieguard import CookieGuard"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "starlette.py" in done.stderr
    assert "module 'math' has no attribute 'no_such_thing'" in done.stderr.splitlines()[-1]
