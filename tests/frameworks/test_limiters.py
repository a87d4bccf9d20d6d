"""Rate limiters count neighbours together by address, and each alone by the key of docs/frameworks.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.venvs import python_with

from .limiter_shops import TRIES

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "frameworks.md").read_text()
LIMITS = PAGE[PAGE.index("## Rate limits") : PAGE.index("## From Starlette's")]
BLOCKS = re.findall(r"```python\n(.*?)```", LIMITS, re.S)
OF_OTHERS = {
    "slowapi": ("slowapi", "fastapi"),
    "flask_limiter": ("Flask-Limiter", "a2wsgi"),
    "django_ratelimit": ("django-ratelimit",),
    "axes": ("django-axes",),
    "rest_framework": ("djangorestframework",),
}
PACKAGES = sorted({package for packages in OF_OTHERS.values() for package in packages})
OK, TOO_MANY = 200, (403, 429)


def run(python: str, name: str, tmp_path: Path) -> dict[str, Any]:
    mark = "AXES_CLIENT_IP_CALLABLE" if name == "axes" else f"from {name}"
    (block,) = [one for one in BLOCKS if mark in one]
    (tmp_path / "block.py").write_text(block)
    command = [python, HERE / "limiter_shops.py", name, tmp_path / "block.py", tmp_path / "state"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def require_neighbours_apart(found: dict[str, Any]) -> None:
    """Require that by address the neighbour is locked out, by the key not, and that the log says so once."""
    for how in ("address", "key"):
        assert OK in found[how][: TRIES - 1], found
        assert found[how][-2] in TOO_MANY, found
    assert found["address"][-1] in TOO_MANY
    assert found["key"][-1] == OK
    told = [one for one in found["told"] if "may count by address" in one]
    assert len(told) == 2, found["told"]  # one for each guard


def test_litestars_limiter_counts_neighbours_apart_by_the_documented_key(tmp_path: Path) -> None:
    require_neighbours_apart(run(sys.executable, "litestar", tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(OF_OTHERS))
def test_limiters_of_others_count_neighbours_apart_by_the_documented_key(name: str, tmp_path: Path) -> None:
    require_neighbours_apart(run(python_with(*PACKAGES), name, tmp_path))


NO_LIMITER = """
import asyncio, httpx, sys
from litestar import Litestar
from cookieguard import Config, CookieGuard

async def ask(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://shop.example") as client:
        await client.get("/")

guard = CookieGuard(Litestar([]), Config(state_dir=sys.argv[1]))
asyncio.run(ask(guard))
guard.close()
"""


def test_a_shop_without_a_limiter_reads_nothing_of_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_LIMITER, tmp_path / "state"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    assert "may count by address" not in done.stderr
