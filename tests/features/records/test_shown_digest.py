"""A record's digest proves what the person agreed to, and can be computed from the log's store alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, page
from harness.policies import FIRST, put_version

from cookieguard import CookieGuard, PolicyVersion, visitor_of
from cookieguard.config import ConsentSettings
from cookieguard.features.records.log_reader import make_receipt
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.receipts import ReceiptBroken, verify_receipt

from .test_consent_log import FORM, HTML, OWN, recorded

Guard = Callable[..., CookieGuard]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put_version(tmp_path / "policy", FIRST, "# Privacy\n\nWe keep orders.\n")
    put_version(tmp_path / "policy", FIRST, "# Datenschutz\n\nWir bewahren auf.\n", language="de")
    return tmp_path / "policy"


def accept(app: CookieGuard) -> None:
    shown = ask(app).text.partition('name="banner" value="')[2].partition('"')[0]
    body = f"choice=accept&banner={shown}".encode()
    assert ask(app, path="/_cg/consent", method="POST", headers=[FORM, OWN], body=body).status == 303


def record_of(app: CookieGuard) -> dict[str, Any]:
    (record,) = [one for one in recorded(app) if one["cg:kind"] != "policy"]
    return record


def kept(tmp_path: Path) -> dict[str, bytes]:
    """Return every text of the store, read without cookieguard."""
    with closing(sqlite3.connect(tmp_path / "state" / "log.db")) as database:
        return dict(database.execute("SELECT digest, content FROM shown"))


def copy_of(app: CookieGuard, record: dict[str, Any]) -> bytes:
    app.close()
    with closing(open_stores(place_of(app.config, Path(app.config.state_dir), environ={}))) as stores:
        copy = make_receipt(stores, record["dct:identifier"])
    assert copy is not None
    return copy


def test_digest_covers_policy_wordings_language_and_vendors(
    guard: Guard, folder: Path, tmp_path: Path
) -> None:
    app = guard(page(HTML), policy=PolicyVersion(folder=str(folder)))
    accept(app)

    record = record_of(app)
    notice, texts = record["dpv:hasNotice"], kept(tmp_path)
    assert all(sha256(content).hexdigest() == digest for digest, content in texts.items())
    shown = json.loads(texts[notice["cg:digest"]])
    files = {one: texts[digest] for one, digest in shown["cg:policyTexts"].items()}
    assert files == {one: (folder / FIRST / f"{one}.md").read_bytes() for one in ("en", "de")}
    assert (shown["cg:policy"], shown["dct:language"]) == (notice["dct:hasVersion"], notice["dct:language"])
    assert shown["cg:asked"] == {"statistics": ["Count"], "marketing": ["Ads"]}  # all that the banner shows
    assert shown["cg:wordings"]["banner"] == notice["cg:sha256"]
    assert b"Accept all" in texts[shown["cg:wordings"]["banner"]]
    assert b"Count" in texts[shown["cg:wordings"]["form"]]
    assert (
        b"have not chosen" not in texts[shown["cg:wordings"]["form"]]
    )  # the visitor's own state is no wording
    assert b"#cg{all:initial" in texts[shown["cg:styles"]["banner"]]
    assert set(shown["cg:styles"]) == {"banner", "form"}


def test_copy_of_a_visitor_has_what_was_shown_and_a_changed_one_proves_nothing(
    guard: Guard, folder: Path
) -> None:
    app = guard(page(HTML), policy=PolicyVersion(folder=str(folder)))
    accept(app)
    record = record_of(app)
    copy = json.loads(copy_of(app, record))

    assert verify_receipt(json.dumps(copy).encode()).record == record
    without = {name: value for name, value in copy.items() if name != "shown"}
    assert verify_receipt(json.dumps(without).encode()).record == record  # as copies were before
    copy["shown"]["cg:policyTexts"]["en"] = "0" * 64
    with pytest.raises(ReceiptBroken, match="what was shown"):
        verify_receipt(json.dumps(copy).encode())


@pytest.mark.parametrize(("said", "recorded_as"), [("", "de"), ("da", "da")])
def test_form_is_recorded_with_version_and_language(
    guard: Guard, folder: Path, tmp_path: Path, said: str, recorded_as: str
) -> None:
    def act(scope: Any) -> None:
        visitor_of(scope).agree("newsletter", text="Ja.", given=True, who="anna", language=said)

    app = guard(
        page(HTML, act=act),
        policy=PolicyVersion(folder=str(folder)),
        consent=ConsentSettings(language="de"),
    )
    ask(app, path="/join", method="POST")

    record = record_of(app)
    notice, texts = record["dpv:hasNotice"], kept(tmp_path)
    assert (notice["dct:hasVersion"], notice["dct:language"]) == (FIRST, recorded_as)
    shown = json.loads(texts[notice["cg:digest"]])
    assert texts[shown["cg:wordings"]["form"]] == b"Ja."
    assert set(shown["cg:policyTexts"]) == {"en", "de"}
