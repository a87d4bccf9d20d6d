"""Find the Chromium that the browser tests drive, or install one; prints its path.

Order: the CHROMIUM variable, then PATH, then (with --install) Debian's package when root on a Debian system,
else Playwright's own download. The last is untested where this was written: no such download was reachable.

With --install Debian's `chromium-headless-shell` comes too: it draws no window of its own, and opens a page for a
quarter of the CPU. Where it cannot be had the tests drive the whole Chromium; where CHROMIUM names one, that one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHELL = "chromium-headless-shell"
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


def find_shell() -> str | None:
    """Return the path of a Chromium without windows of its own; None where there is none, or CHROMIUM names one."""
    return None if os.environ.get("CHROMIUM") else shutil.which(SHELL)


def install() -> None:
    """Install a Chromium by the first way that fits this machine."""
    if _has_apt():
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "chromium", "fonts-noto-core")
    else:
        _run(sys.executable, "-m", "playwright", "install", "chromium")


def install_shell() -> None:
    """Install the Chromium without windows where apt has one; nothing fails where it has none."""
    if _has_apt():
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", SHELL)


def _has_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _run(*command: str) -> None:
    print("installing a Chromium:", *command, file=sys.stderr)
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, stdout=sys.stderr, env=environ, check=False)


def main() -> int:
    """Print the path of a Chromium; exit 1 and say what helps when none can be had."""
    path = find()
    if "--install" in sys.argv and not os.environ.get("CHROMIUM"):
        if path is None:
            install()
            path = find()
        if find_shell() is None:
            install_shell()
    print(path or MISSING, file=sys.stdout if path else sys.stderr)
    return 0 if path else 1


if __name__ == "__main__":
    sys.exit(main())
