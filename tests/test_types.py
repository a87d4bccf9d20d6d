"""The public names as users' type checkers see them, and the type declaration of the page's script."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness.npm import installed, missing

ROOT = Path(__file__).parents[1]
TIMEOUT = 600  # seconds: pyright reads FastAPI and Playwright as well
TYPES = Path(__file__).parent / "harness" / "types"
USE = """
from typing import assert_type

from cookieguard import Cart, Config, Consent, CookieGuard, Visitor, visitor_of
from cookieguard.fastapi import CurrentVisitor, SignedInCustomer
from cookieguard.templating import visitor_context
from cookieguard.testing import PreparedVisitor, Recorder, prepare_visitor
from fastapi import FastAPI

api = FastAPI()
guard = CookieGuard(api, Config(origins=("https://shop.example",)))


@api.get("/")
async def home(visitor: CurrentVisitor, customer: SignedInCustomer) -> str:
    assert_type(visitor, Visitor)
    assert_type(visitor.customer, str | None)
    assert_type(visitor.consent, Consent)
    assert_type(visitor.consent.has("statistics"), bool)
    assert_type(visitor.cart, Cart)
    assert_type(visitor.choices_url, str)
    return customer


assert_type(visitor_of({"type": "http"}), Visitor)
assert_type(visitor_context({"type": "http"}), dict[str, Visitor])
assert_type(prepare_visitor(guard, "https://testserver"), PreparedVisitor)
assert_type(Recorder().hosts, set[str])
"""
PAGE = """
const state: "undecided" | "refused" | "partly" | "all" = window.cookieguard.state;
const may: boolean = cookieguard.has("statistics");
cookieguard.onchange = event => { const granted: readonly string[] = event.detail.granted; };
document.addEventListener("cookieguard:change", event => { event.detail.state; });
cookieguard.open();
// @ts-expect-error
cookieguard.state = "all";
// @ts-expect-error
window.cookieguard = null;
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(TIMEOUT),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


def node(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of npm's in a folder."""
    command = ["node", str(installed(TYPES) / program), *arguments]
    # An editable install is found by code of its own, which pyright does not run.
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


def test_a_program_that_uses_them_passes_pyrights_strict_mode(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))

    result = node("pyright/index.js", "--pythonpath", sys.executable, "use.py", folder=tmp_path)

    assert "0 errors" in result.stdout, result.stdout


def test_the_declaration_in_the_docs_is_what_typescript_takes(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scripts.md").read_text()
    [declaration] = re.findall(r"<!-- types -->\n```ts\n(.*?)```", text, re.S)
    (tmp_path / "cookieguard.d.ts").write_text(declaration)
    (tmp_path / "page.ts").write_text(PAGE)

    arguments = ["--noEmit", "--strict", "--lib", "es2022,dom", "cookieguard.d.ts", "page.ts"]
    result = node("typescript/bin/tsc", *arguments, folder=tmp_path)

    assert (result.returncode, result.stdout) == (0, "")
