"""Build the wheel, install it in a clean environment and check that everything shipped works there.

`--installed` checks the wheel that this Python has already, as cibuildwheel installs it for each system.
`--offline` builds with the packages of this environment and installs nothing else beside the wheel.

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
from cookieguard import CookieGuard
CookieGuard(lambda *_: None, cookieguard.Config(state_dir=str(state)), vendors=["stripe"])
wanted, found = sys.argv[1], cookieguard.html.scanner()
if found != wanted:
    sys.exit(f"the wheel runs {found}, and was to be {wanted}: is there a compiler? COOKIEGUARD_PURE=1 does without")
print("scanner:", found)
print("wheel:", cookieguard.__file__, "ships", ", ".join(names))
"""


def main() -> int:
    """Return 0 when a wheel built from this tree works in an environment that holds nothing else of it."""
    wanted = "pure" if os.environ.get("COOKIEGUARD_PURE") == "1" else "compiled"
    with tempfile.TemporaryDirectory() as folder:
        if "--installed" in sys.argv:
            return _probe(sys.executable, wanted, folder)
        place = Path(folder)
        source = str(_copy(place / "source"))  # what an earlier build left in the tree would be taken along
        is_offline = "--offline" in sys.argv
        isolated = ["--no-build-isolation"] if is_offline else []
        _pip(sys.executable, "wheel", "--no-deps", *isolated, "-w", folder, source)
        wheel = str(next(place.glob("cookieguard-*.whl")))
        if is_offline:
            target = str(place / "site-packages")
            _pip(sys.executable, "install", "--no-deps", "--no-compile", "--target", target, wheel)
            return _probe(sys.executable, wanted, folder, PYTHONPATH=target)
        venv.create(place / "clean", with_pip=True)
        python = str(place / "clean" / "bin" / "python")
        _pip(python, "install", wheel)
        return _probe(python, wanted, folder)


def _probe(python: str, wanted: str, folder: str, **environment: str) -> int:
    """Run the probe in a folder that holds nothing of the checkout."""
    command = [python, "-c", PROBE, wanted]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, check=False).returncode


def _copy(to: Path) -> Path:
    """Copy what git knows of, as it lies in the tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return to


def _pip(python: str, *words: str) -> None:
    subprocess.run([python, "-m", "pip", words[0], "--quiet", *words[1:]], check=True)


if __name__ == "__main__":
    sys.exit(main())
