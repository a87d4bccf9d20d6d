"""npm packages for tests, installed once from a committed lock file, next to the virtual environment."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(sys.prefix) / "node"
LOCKS = ("package.json", "package-lock.json")
SECONDS = 120


def missing() -> str:
    """Name the program that is missing to install from npm; empty if none is."""
    return "" if shutil.which("npm") else "npm is not there (Debian: apt-get install npm)"


def installed(folder: Path) -> Path:
    """Install what the lock file in `folder` pins and return the node_modules; several may try at once."""
    lock = (folder / LOCKS[1]).read_bytes()
    target = CACHE / f"{folder.name}-{hashlib.sha256(lock).hexdigest()[:12]}"
    if target.exists():
        return target / "node_modules"
    CACHE.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=CACHE))
    for name in LOCKS:
        shutil.copy(folder / name, made)
    command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(command, cwd=made, check=True, timeout=SECONDS)
    try:
        made.rename(target)
    except OSError:  # another worker was faster
        shutil.rmtree(made)
    return target / "node_modules"
