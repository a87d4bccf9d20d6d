"""Build the wheel, install it in a clean environment and look that everything shipped works there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROBE = """
import importlib.resources, tempfile, pathlib
import cookieguard
static = importlib.resources.files("cookieguard.static")
names = sorted(str(one.name) for one in static.iterdir())
assert {"banner.css", "banner.js", "templates", "lang"} <= set(names), names
assert "site-packages" in cookieguard.__file__, cookieguard.__file__
state = pathlib.Path(tempfile.mkdtemp()) / "state"
cookieguard.CookieGuard(lambda *_: None, cookieguard.Config(state_dir=str(state)))
print("wheel:", cookieguard.__file__, "ships", ", ".join(names))
"""


def main() -> int:
    """Return 0 when a wheel built from this tree works in an environment that holds nothing else of it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, str(ROOT))
        wheel = next(place.glob("cookieguard-*.whl"))
        venv.create(place / "clean", with_pip=True)
        python = str(place / "clean" / "bin" / "python")
        _run(python, "-m", "pip", "install", "--quiet", str(wheel))
        return subprocess.run([python, "-c", PROBE], cwd=folder, check=False).returncode


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
