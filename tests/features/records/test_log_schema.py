"""The log's export follows its published schema: choices, agreements, other parts' records, erased ones."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness.asgi import ask, page
from harness.parts import log_of
from harness.policies import FIRST, OLD, put_version
from harness.shops import NOW

from cookieguard import CookieGuard, PolicyVersion, mail, visitor_of
from cookieguard.cli.app import run
from cookieguard.config import MailSettings
from cookieguard.config.proof import ProofSettings
from cookieguard.features.records.values.records import Record, customer

from .test_consent_log import recorded

jsonschema = pytest.importorskip("jsonschema", reason="THE LOG'S SCHEMA IS NOT TESTED: no jsonschema")
SCHEMA = json.loads(files("cookieguard.static").joinpath("consent-log.schema.json").read_text("utf-8"))
HEADERS = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]


@pytest.fixture
def lines(
    guard: Callable[..., CookieGuard],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> list[dict[str, Any]]:
    """Give every line that the log of a shop exports, which had one of each kind."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        given = scope["path"] == "/yes"
        visitor_of(scope).agree(
            "newsletter", text="Yes", given=given, who=f"anna{given}", details={"list": 3}
        )
        await page(b"{}", headers=[("content-type", "application/json")])(scope, receive, send)

    monkeypatch.chdir(tmp_path)
    shop = guard(app, state_dir=".cookieguard", proof=ProofSettings(jurisdiction="DE"))
    for body in (b"choice=accept", b"choice=reject", b"choice=save&purpose=statistics"):
        assert ask(shop, path="/_cg/consent", method="POST", headers=HEADERS, body=body).status == 303
    for path in ("/yes", "/no"):
        ask(shop, path=path, method="POST")
    log = log_of(shop)
    assert log is not None
    other = Record(kind="disclosure", subject=customer("1"), time=NOW, facts={"to": "a court"})
    log.writer.append(other).result(30)
    shop.close()
    assert run(["log", "erase", "named:annaTrue"]) == 0
    capsysbinary.readouterr()
    assert run(["log", "export"]) == 0
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


def test_records_of_lists_and_of_texts_are_as_the_schema_says(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    folder = put_version(tmp_path / "policy", FIRST, OLD).parent.parent
    settings = {"mail": MailSettings(lists=("news",)), "policy": PolicyVersion(folder=str(folder))}
    shop = guard(page(b""), origins=("https://shop.example",), **settings)
    link = urlsplit(mail.confirm_link("4711", "news"))
    assert ask(shop, path=link.path, query=link.query, method="POST").status == 200
    shop.close()

    records = recorded(shop)

    rest = {"number": 0, "milliseconds": 0, "entry": "", "salt": ""}
    lines = [rest | {"kind": one["cg:kind"], "record": one} for one in records]
    assert sorted(one["kind"] for one in lines) == ["mail-list", "policy"]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line, name in itertools.product(lines, ("", "cg:list", "cg:policyTexts")):
        record = {key: value for key, value in line["record"].items() if key != name}
        assert validator.is_valid(line | {"record": record}) == (name not in line["record"])


def test_every_line_of_an_export_is_as_the_schema_says(lines: list[dict[str, Any]]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)

    for line in lines:
        validator.validate(line)
    assert [one["kind"].partition(":")[0] for one in lines] == ["consent"] * 3 + ["agreement"] * 2 + [
        "disclosure"
    ]
    assert [one["record"] is None for one in lines].count(True) == 1
    for name in ("cg:event", "dpv:hasNotice", "dpv:hasProcess", "dpv:hasDataSubject"):  # the control
        record = {key: value for key, value in lines[0]["record"].items() if key != name}
        assert not validator.is_valid(lines[0] | {"record": record}), name
