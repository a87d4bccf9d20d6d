"""`log verify` names each change that an attacker with all files of a shop makes to its log."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from harness.servers import START_SECONDS

from cookieguard.cli.app import run
from cookieguard.config import Config
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.upkeep.pruning import prune_log
from cookieguard.features.records.values.records import Record, customer
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

from .test_log import IDS, NOW, edit, write

STATE = Path(".cookieguard")
NAME = "cookieguard.invalid/_cg/log"


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a shop of twelve records, and in `other` one of the same keyring with as many of its own."""
    monkeypatch.chdir(tmp_path)
    write(IDS)
    other = tmp_path / "other"
    other.mkdir()
    (other / ".cookieguard").mkdir(mode=0o700)
    shutil.copytree(".cookieguard-keys", other / ".cookieguard-keys")
    monkeypatch.chdir(other)
    write([one.replace("record", "others") for one in IDS])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def verifying(*options: str) -> tuple[int, str]:
        capsys.readouterr()
        code = run(["log", "verify", *options])
        return code, capsys.readouterr().out

    return verifying


def kept(name: str) -> Path:
    """Keep the newest checkpoint elsewhere, as an officer does."""
    assert run(["log", "checkpoint", "--out", name]) == 0
    return Path(name)


def replace_state(by: str) -> None:
    shutil.rmtree(STATE)
    shutil.copytree(by, STATE)


def test_each_half_of_a_fork_is_named_by_the_checkpoint_of_the_other(
    verify: Callable[..., tuple[int, str]],
) -> None:
    shutil.copytree(STATE, "yesterday")
    write(["told-to-one-officer"])
    kept("one")
    shutil.copytree(STATE, "first-half")
    replace_state("yesterday")
    write(["told-to-another-officer"])
    kept("another")

    code, said = verify("--against", "one")
    assert code == 2
    assert "one signs 13 other entries: the log was rolled back and went on, or forked" in said
    replace_state("first-half")
    assert verify("--against", "one")[0] == 0
    code, said = verify("--against", "another")
    assert code == 2
    assert "another signs 13 other entries" in said


@pytest.mark.parametrize("more", [0, 1, 2], ids=["as it was", "continued as far", "continued further"])
def test_all_of_yesterday_restored_is_named_by_what_is_kept_elsewhere(
    more: int, verify: Callable[..., tuple[int, str]]
) -> None:
    shutil.copytree(STATE, "yesterday")
    write(["of-today-number-one"])
    kept("today")
    replace_state("yesterday")
    if more:
        write([f"of-tomorrow-number-{number}" for number in range(more)])

    assert verify()[0] == 0  # the shop's own files do not show it
    code, said = verify("--against", "today")
    assert code == 2
    assert f"today {'signs 13 other' if more else 'has 13'} entries" in said


def copy_row(number: int, columns: str = "id, subject, about, entry, sealed") -> None:
    with sqlite3.connect(STATE / "log.db") as connection:
        connection.execute("ATTACH 'other/.cookieguard/log.db' AS other")
        connection.execute(
            f"UPDATE main.record SET ({columns}) = (SELECT {columns} FROM other.record WHERE number = {number}) "
            f"WHERE number = {number}"
        )


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        (
            "id, subject, about, entry, sealed",
            "row 5 is not the one in the tree: it was changed, moved or inserted",
        ),
        ("sealed", "row 5 was changed"),
        ("id, subject, about, sealed", "row 5 was changed"),
        ("entry", "row 5 was changed"),
    ],
)
def test_a_record_of_another_shop_is_named(
    columns: str, what: str, verify: Callable[..., tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    copy_row(5, columns)

    code, said = verify()
    assert code == 1
    assert what in said
    assert run(["log", "export"]) != 0 or columns != "sealed"
    assert "Traceback" not in capsys.readouterr().err


def test_two_records_that_changed_places_are_both_named(verify: Callable[..., tuple[int, str]]) -> None:
    edit(STATE, "UPDATE record SET number = 1000 WHERE number = 3")
    edit(STATE, "UPDATE record SET number = 3 WHERE number = 8")
    edit(STATE, "UPDATE record SET number = 8 WHERE number = 1000")

    code, said = verify()
    assert code == 1
    for number in (3, 8):
        assert f"row {number} is not the one in the tree" in said


def test_all_of_another_shops_log_is_named_by_the_checkpoint_beside_it(
    verify: Callable[..., tuple[int, str]],
) -> None:
    shutil.copy("other/.cookieguard/log.db", STATE / "log.db")
    code, said = verify()

    assert code == 2
    assert "checkpoint signs 12 other entries" in said


def test_a_note_of_records_that_another_shop_let_go_lets_none_go_here(
    verify: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, shop: Path
) -> None:
    monkeypatch.chdir(shop / "other")
    config = Config()
    assert (
        prune_log(config, StateDirectory(config.state_dir), environ={}, now=NOW + timedelta(days=3650)) == 12
    )
    assert verify()[0] == 0  # the control: there it counts
    monkeypatch.chdir(shop)
    with sqlite3.connect(STATE / "log.db") as connection:
        connection.execute("ATTACH 'other/.cookieguard/log.db' AS other")
        connection.execute("INSERT INTO main.pruned (note) SELECT note FROM other.pruned")
        connection.execute("DELETE FROM main.record WHERE number = 4")

    code, said = verify()
    assert code == 1
    assert "a note of removed records belongs to another log" in said
    assert "row 4 is missing" in said


@pytest.mark.parametrize("another", ["another.example/log", "another.example/\x1b[2Jlog"])
def test_an_anchor_of_another_log_is_called_that(
    another: str, verify: Callable[..., tuple[int, str]]
) -> None:
    text, _, signature = kept("note").read_text().partition("\n\n")
    Path("named").write_text(
        f"{text.replace(NAME, another)}\n\n{signature.replace(NAME, another.split('/')[0])}"
    )

    code, said = verify("--against", "named")
    assert code == 3
    assert f"named belongs to another log: {another!r}, not '{NAME}'" in said


def test_a_store_that_says_it_is_another_log_is_called_that(verify: Callable[..., tuple[int, str]]) -> None:
    edit(STATE, "UPDATE fact SET value = 'another.example/log' WHERE name = 'origin'")

    code, said = verify()
    assert code == 3
    assert f"the checkpoint of 12 entries belongs to another log: '{NAME}', not 'another.example/log'" in said


@pytest.mark.parametrize("knows", [True, False], ids=["beside its checkpoint", "control: without"])
def test_keys_of_missing_records_are_kept_if_the_log_was_set_back(
    knows: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(STATE / "log.db", "yesterday")
    write_new("of-somebody-of-today")
    shutil.copy(STATE / "log.db", "today")
    shutil.copy("yesterday", STATE / "log.db")
    if not knows:
        (STATE / "checkpoint").unlink()
    config = Config()
    for hours in (0, 2, 4):
        prune_log(config, StateDirectory(config.state_dir), environ={}, now=NOW + timedelta(hours=hours))

    shutil.copy("today", STATE / "log.db")
    capsys.readouterr()
    assert run(["log", "show", "of-somebody-of-today"]) == 0
    assert ("its subject was erased" in capsys.readouterr().out) is not knows


def write_new(record_id: str) -> None:
    config = Config()
    state = StateDirectory(config.state_dir)
    writer = open_log(config, state, load_keyring(state, config.keys, environ={}, now=NOW), environ={})
    assert writer is not None
    record = Record(kind="consent", topic="grant", subject=customer("new"), time=NOW, facts={}, id=record_id)
    writer.append(record).result(START_SECONDS)
    writer.close()


@pytest.mark.parametrize("hostile", [b"", b"\xff" * 70_000, b"a\n1\nAAAA\n\n\xe2\x80\x94 a AAAA\n", None])
def test_an_anchor_that_is_none_ends_in_one_line(
    hostile: bytes | None, verify: Callable[..., tuple[int, str]]
) -> None:
    if hostile is not None:
        Path("anchor").write_bytes(hostile)

    code, said = verify("--against", "/dev/zero" if hostile is None else "anchor")
    assert code == 3
    assert said.startswith("NO_KEY: ")
    assert said.count("\n") == 1
