"""The two builds of the rewriter, each measured in a process of its own: a process imports only one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

# The environment that asks for a build when the package is imported.
SCANNERS = {"compiled": {"COOKIEGUARD_PURE": ""}, "pure": {"COOKIEGUARD_PURE": "1"}}


def in_their_processes(script: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run `script --scanner NAME` for both; return what each printed as JSON, None where one is not there."""
    return {scanner: _one(script, scanner, arguments) for scanner in SCANNERS}


def _one(script: str, scanner: str, arguments: Sequence[str]) -> Any:
    done = subprocess.run(
        [sys.executable, script, "--scanner", scanner, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **SCANNERS[scanner]},
    )
    if done.returncode == 0:
        return json.loads(done.stdout)
    if f"the {scanner} scanner is not there" not in done.stderr:
        sys.exit(f"{script}, {scanner}: {done.stderr.strip()[-1000:]}")
    print(f"MISSING: the {scanner} scanner is not there", file=sys.stderr)
    return None
