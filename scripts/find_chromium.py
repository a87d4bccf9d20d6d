"""Find the Chromium that the browser tests drive, or install one; prints its path.

Order: the CHROMIUM variable, then PATH, then (with --install) Debian's package when root on a Debian system,
else Playwright's own download. The last is untested where this was written: no such download was reachable.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = """\
No Chromium found, and the browser tests are never skipped. Any one of these helps:
  - set CHROMIUM=/path/to/chromium
  - put chromium, chromium-browser or google-chrome on PATH
  - as root on Debian: apt-get install chromium
  - .venv/bin/python -m playwright install chromium"""


def find() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named if Path(named).is_file() else None
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    return _playwrights_own()


def _playwrights_own() -> str | None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def install() -> None:
    """Install a Chromium by the first way that fits this machine."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        commands = [
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "chromium", "fonts-noto-core"],
        ]
    else:
        commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    for command in commands:
        print("installing a Chromium:", " ".join(command), file=sys.stderr)
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            return


def main() -> int:
    """Print the path of a Chromium; exit 1 and say what helps when none can be had."""
    path = find()
    if path is None and "--install" in sys.argv and not os.environ.get("CHROMIUM"):
        install()
        path = find()
    print(path or MISSING, file=sys.stdout if path else sys.stderr)
    return 0 if path else 1


if __name__ == "__main__":
    sys.exit(main())
