"""In the table of promises, every page answers, and every named setting, test and link exists."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from harness.asgi import ask, no_app

from cookieguard import Config, CookieGuard, PolicyVersion
from cookieguard.config import MailSettings
from cookieguard.config.loading.types import element_of, field_types

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "policy-clauses.md"
ROW = re.compile(r"\| (\d+) \| ([^|]+) \| ([^|]+) \| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|")
LINK = re.compile(r"\[[^]]+\]\(([^)]+)\)")
# These two pages answer only to a link's token, and say so.
GONE = ("/_cg/mail/",)
PROMISES = 43


class Row(NamedTuple):
    """Hold one promise."""

    number: int
    promise: str
    kept: str
    page: str
    setting: str
    test: str


def rows() -> list[Row]:
    found = [ROW.fullmatch(line) for line in PAGE.read_text().splitlines()]
    return [Row(int(one[1]), *one.groups()[1:]) for one in found if one]


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_every_promise_has_its_row() -> None:
    assert [one.number for one in rows()] == list(range(1, PROMISES + 1))


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row.number))
def test_test_that_keeps_a_promise_is_there(row: Row) -> None:
    file, _, name = row.test.partition("::")

    assert (ROOT / file).is_file(), row.test
    assert not name or name in names_in(ROOT / file), row.test


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row.number))
def test_setting_of_a_promise_is_one(row: Row) -> None:
    section: Any = Config
    for name in row.setting.split("."):
        types = field_types(section)
        assert name in types, row.setting
        section = element_of(types[name]) or types[name]


def test_links_lead_to_pages_of_the_manual() -> None:
    links = LINK.findall(PAGE.read_text())

    assert links
    assert [one for one in links if not (PAGE.parent / one).is_file()] == []


def test_page_of_every_promise_answers(tmp_path: Path) -> None:

    config = Config(
        state_dir=str(tmp_path / "state"),
        origins=("https://shop.example",),
        policy=PolicyVersion(folder=str(ROOT / "demo_site" / "policy")),
        mail=MailSettings(lists=("news",)),
    )
    app = CookieGuard(no_app, config, clock=lambda: datetime(2026, 12, 5, tzinfo=UTC))
    statuses = {page: ask(app, path=page).status for page in sorted({one.page for one in rows()})}
    app.close()

    for page, status in statuses.items():
        expected = {410} if page.startswith(GONE) else {200, 403, 503}
        assert status in expected, (page, status)
