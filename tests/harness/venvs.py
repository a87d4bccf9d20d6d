"""Virtual environments for packages that the tests' own cannot hold; each is made once, next to it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from harness.servers import ROOT

CACHE = Path(sys.prefix) / "venvs"
SECONDS = 1200  # for a slow package index on a busy machine


def python_with(*packages: str) -> str:
    """Return the Python of an environment with these packages and this tree; skips the test if it cannot be made."""
    wanted = (*packages, "uvicorn")
    name = hashlib.sha256("\n".join((sys.version, *wanted)).encode()).hexdigest()[:12]
    target, made = CACHE / name, CACHE / name / "made"
    python = str(target / "bin" / "python")
    if made.exists():
        return python
    shutil.rmtree(target, ignore_errors=True)
    venv.create(target, with_pip=True)
    # Editable, so that this tree is tested, with its compiled modules if they exist.
    command = [python, "-m", "pip", "install", "-q", *wanted, "-e", str(ROOT)]
    environ = os.environ | {"COOKIEGUARD_PURE": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS, env=environ)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        pytest.skip(f"{', '.join(packages)} cannot be installed here: {lines[-1]}")
    made.touch()
    return python
