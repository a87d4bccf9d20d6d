"""Environments of their own for packages that do not belong in the tests' one: each is made once, beside it."""

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
SECONDS = 1200  # a package index, and a machine that has too much to do


def python_with(*packages: str) -> str:
    """Return the Python of an environment that holds these packages and this tree; skips where it cannot be had."""
    wanted = (*packages, "uvicorn")
    name = hashlib.sha256("\n".join((sys.version, *wanted)).encode()).hexdigest()[:12]
    target, made = CACHE / name, CACHE / name / "made"
    python = str(target / "bin" / "python")
    if made.exists():
        return python
    shutil.rmtree(target, ignore_errors=True)
    venv.create(target, with_pip=True)
    # Editable: what is tested is the tree as it is. Its compiled modules are used where they are there.
    command = [python, "-m", "pip", "install", "-q", *wanted, "-e", str(ROOT)]
    environ = os.environ | {"COOKIEGUARD_PURE": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS, env=environ)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        pytest.skip(f"{', '.join(packages)} cannot be installed here: {lines[-1]}")
    made.touch()
    return python
