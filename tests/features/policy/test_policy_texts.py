"""Once published, the text of a version cannot change: an edited file is refused, and the log keeps the original."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from features.records.test_consent_log import recorded
from harness.asgi import ask
from harness.policies import FIRST, NEW, OLD, SECOND, put_version, two_versions

from cookieguard import CookieGuard
from cookieguard.config.proof import ProofSettings
from cookieguard.features.checks import examine
from cookieguard.features.letter import write_letter

from .test_policy_pages import Clock, policy_of, shop

Guard = Callable[..., CookieGuard]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORIGINS = ("https://shop.example",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_versions(tmp_path / "policy")


@pytest.fixture
def open_shop(guard: Guard, folder: Path) -> Callable[..., CookieGuard]:
    """Start the shop, as a restart does, and let it answer one request."""

    def start(**settings: object) -> CookieGuard:
        options = {"origins": ORIGINS, "policy": policy_of(folder), "clock": Clock(NOW), **settings}
        app = guard(shop, **options)
        ask(app)
        return app

    return start


def served(app: CookieGuard) -> str:
    return ask(app, path="/_cg/policy").text


def follow(app: CookieGuard) -> None:
    """Have a worker reread the folder now, as it does every few seconds."""
    policy, store_sync = app._parts.policy, app._parts.store_sync
    assert policy is not None
    assert store_sync is not None
    policy._looked = float("-inf")
    store_sync.ask(policy.look).result(30)


def edit(folder: Path) -> None:
    put_version(folder, FIRST, OLD.replace("ten years", "99 years"))


def doctor(app: CookieGuard) -> dict[str, tuple[str, str]]:
    found = examine(app.config, environ={}, now=NOW)
    return {one.check: (one.found, one.mend) for one in found}


def test_text_edited_in_a_running_shop_is_refused_and_the_old_one_stays(
    open_shop: Callable[..., CookieGuard], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = open_shop()
    follow(app)
    assert "policy texts" not in doctor(app)
    edit(folder)
    with caplog.at_level(logging.ERROR, logger="cookieguard"):
        follow(app)
        follow(app)

    assert "ten years" in served(app)
    assert "99 years" not in served(app)
    (error,) = [one.getMessage() for one in caplog.records]
    assert f"policy: {FIRST}/en.md changed after publication" in error
    assert "Restore what was published; for another text, add a version and announce it" in error
    state, mend = doctor(app)["policy texts"]
    assert f"{FIRST}/en.md" in state
    assert "new version" in mend


@pytest.mark.parametrize("change", ["edited", "broken", "file gone", "version gone"])
def test_restart_serves_the_text_of_the_log(
    open_shop: Callable[..., CookieGuard], folder: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    open_shop().close()
    file = folder / FIRST / "en.md"
    if change == "version gone":
        shutil.rmtree(file.parent)
    elif change == "file gone":
        file.unlink()
    else:
        edit(folder)
        file.write_text(file.read_text() if change == "edited" else "no front matter")

    app = open_shop()

    assert "ten years" in served(app)
    assert ask(app, path=f"/_cg/policy/{FIRST}/en.md").text.endswith(OLD)
    assert [one.levelname for one in caplog.records if "changed after publication" in one.getMessage()] == [
        "ERROR"
    ]
    put_version(folder, FIRST, OLD, summary="We keep orders for ten years.")
    follow(app)
    assert "policy texts" not in doctor(app)


def test_shop_starts_with_the_texts_in_the_log_if_the_folder_is_gone(
    open_shop: Callable[..., CookieGuard], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = open_shop()
    follow(app)
    app.close()
    shutil.move(folder, folder.with_name("away"))

    with caplog.at_level(logging.ERROR, logger="cookieguard"):
        app = open_shop()

    assert "ten years" in served(app)
    assert (
        "policy: the folder is missing; cookieguard serves the texts that the consent log keeps"
        in caplog.text
    )
    assert "changed" not in caplog.text
    found, mend = doctor(app)["policy texts"]
    assert "the folder is missing" in found
    assert "restore" in mend
    shutil.move(folder.with_name("away"), folder)
    follow(app)
    assert "policy texts" not in doctor(app)


def test_worker_that_ends_keeps_no_text_in_a_closed_log(
    open_shop: Callable[..., CookieGuard], folder: Path
) -> None:
    app = open_shop()
    follow(app)
    policy = app._parts.policy
    assert policy is not None
    log = policy.log
    assert log is not None
    app.close()
    policy._kept.clear()  # as if a version had become public now

    policy._looked = float("-inf")
    policy.look(None)

    assert log.waiting == 0


def test_texts_that_nobody_may_read_yet_can_be_changed_and_a_translation_can_be_added(
    open_shop: Callable[..., CookieGuard], folder: Path
) -> None:
    app = open_shop()
    put_version(folder, SECOND, NEW + "\nMore.\n", announced="2026-12-01")
    put_version(folder, FIRST, "# Datenschutz\n\nZehn Jahre.\n", language="de")
    follow(app)

    assert "Zehn Jahre" in ask(app, path="/_cg/policy", query="lang=de").text
    assert "policy texts" not in doctor(app)
    put_version(folder, FIRST, "# Datenschutz\n\nElf Jahre.\n", language="de")
    follow(app)
    assert "Zehn Jahre" in ask(app, path="/_cg/policy", query="lang=de").text
    app.close()
    kept = [one for one in recorded(app) if one["cg:kind"] == "policy"]
    assert [sorted(one["cg:policyTexts"]) for one in kept] == [["en"], ["de", "en"]]
    assert {one["cg:version"] for one in kept} == {FIRST}


def test_while_a_shop_is_made_its_first_text_can_be_changed(
    open_shop: Callable[..., CookieGuard], folder: Path, tmp_path: Path
) -> None:
    local = {"dev": True, "origins": ("http://localhost",)}
    for settings in (local, {"proof": ProofSettings(enabled=False)}, {"origins": ()}):
        open_shop(**settings).close()
        assert not (tmp_path / "state" / "log.db").exists()
    edit(folder)

    assert "99 years" in served(open_shop())


def test_log_says_no_more_on_a_second_start(open_shop: Callable[..., CookieGuard]) -> None:
    for _ in range(3):
        app = open_shop()
        follow(app)
        app.close()

    assert [one["cg:kind"] for one in recorded(app)] == ["policy"]


def test_letter_names_an_edited_file_at_once_and_a_changed_store_after_an_hour(
    open_shop: Callable[..., CookieGuard], folder: Path, tmp_path: Path
) -> None:
    app = open_shop()
    follow(app)
    app.close()

    def due(now: datetime = NOW) -> str:
        return "\n".join(write_letter(app.config, app._parts.keyring, now).text)

    assert "changed" not in due()
    edit(folder)
    assert "Restore the policy text that was published: " in due()
    with closing(sqlite3.connect(tmp_path / "state" / "log.db")) as log, log:
        log.execute("UPDATE shown SET content = x'00'")
    assert "texts that were shown were changed" not in due()
    assert "texts that were shown were changed" in due(NOW + timedelta(hours=1))
    assert (
        "texts that were shown were changed" in doctor(app)["consent log's texts"][0]
    )  # a command reads at once
