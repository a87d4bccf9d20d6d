"""Build the wheel, install it in a clean environment and look that everything shipped works there.

Without COOKIEGUARD_PURE=1 the wheel has to be a compiled one: a build whose compiler fails makes a pure one, silently.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROBE = """
import importlib.resources, sys, tempfile, pathlib
import cookieguard, cookieguard.html
static = importlib.resources.files("cookieguard.static")
names = sorted(str(one.name) for one in static.iterdir())
assert {"banner.css", "banner.js", "templates", "lang", "vendors"} <= set(names), names
assert "site-packages" in cookieguard.__file__, cookieguard.__file__
state = pathlib.Path(tempfile.mkdtemp()) / "state"
cookieguard.CookieGuard(lambda *_: None, cookieguard.Config(state_dir=str(state)), vendors=["stripe"])
wanted, found = sys.argv[1], cookieguard.html.scanner()
if found != wanted:
    sys.exit(f"the wheel runs {found}, and was to be {wanted}: is there a compiler? COOKIEGUARD_PURE=1 does without")
print("scanner:", found)
print("wheel:", cookieguard.__file__, "ships", ", ".join(names))
"""


def main() -> int:
    """Return 0 when a wheel built from this tree works in an environment that holds nothing else of it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        source = _copy(place / "source")  # what an earlier build left in the tree would be taken along
        _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, str(source))
        wheel = next(place.glob("cookieguard-*.whl"))
        venv.create(place / "clean", with_pip=True)
        python = str(place / "clean" / "bin" / "python")
        _run(python, "-m", "pip", "install", "--quiet", str(wheel))
        wanted = "pure" if os.environ.get("COOKIEGUARD_PURE") == "1" else "compiled"
        return subprocess.run([python, "-c", PROBE, wanted], cwd=folder, check=False).returncode


def _copy(to: Path) -> Path:
    """Copy what git knows of, as it lies in the tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return to


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
