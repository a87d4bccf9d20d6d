"""If a shop's tests stop the time, the store still answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness.servers import START_SECONDS

PROGRAM = Path(__file__).with_name("stopped_clock.py")


@pytest.mark.parametrize("at", [1.8e9, 0.0])
def test_a_login_is_known_while_the_time_stands(at: float, tmp_path: Path) -> None:
    """The store was heard before by another clock: each customer was a guest until the time ran again."""
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(tmp_path / "state"), str(at)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)

    assert done.stdout.split() == ['["17",false]'] * 3, done.stderr
