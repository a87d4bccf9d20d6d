"""`cookieguard log` and `cookieguard receipt`: exit codes and answers, on a log that workers wrote."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cookieguard.cli.app import run
from cookieguard.config import Config
from cookieguard.engines.files.keyring_source import load_keyring
from cookieguard.engines.files.state_directory import StateDirectory
from cookieguard.engines.proof.open import open_log
from cookieguard.keyring import Keyring
from cookieguard.proof.records import Record, customer

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
IDS = [f"record-number-{number:04d}" for number in range(12)]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the state directory of a shop whose log has twelve records."""
    monkeypatch.chdir(tmp_path)
    write(IDS)
    return tmp_path / ".cookieguard"


def write(ids: list[str]) -> None:
    config = Config()
    state = StateDirectory(config.state_dir)
    keyring = load_keyring(state, config.keys, environ={}, now=NOW)
    writer = open_log(config, state, keyring, environ={})
    assert writer is not None
    for number, one in enumerate(ids):
        subject = customer("even" if number % 2 else "odd")
        writer.append(Record(kind="consent", subject=subject, time=NOW, facts={"n": number}, id=one)).result(
            10
        )
    writer.close()


def edit(state: Path, statement: str) -> None:
    with sqlite3.connect(state / "log.db") as connection:
        connection.execute(statement)


def test_a_whole_log_is_code_0(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["log", "verify"]) == 0
    assert capsys.readouterr().out.startswith("whole: 12 entries of cookieguard.invalid/_cg/log")
    assert run(["log", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["anchors"] == 1


def test_a_changed_entry_is_code_1_and_named(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(shop, "UPDATE record SET sealed = zeroblob(length(sealed)) WHERE number = 7")

    assert run(["log", "verify"]) == 1
    assert "row 7 was changed" in capsys.readouterr().out


def test_a_store_of_yesterday_is_code_2(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(shop / "log.db", shop / "yesterday")
    write(["another-record-of-today"])
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        (shop / name).unlink(missing_ok=True)
    shutil.move(shop / "yesterday", shop / "log.db")

    assert run(["log", "verify"]) == 2
    assert "set back to an older copy" in capsys.readouterr().out
    write(["one-more-after-the-copy"])  # going on with it hides nothing
    assert run(["log", "verify"]) == 2


def test_a_cut_log_is_code_2(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(shop, "DELETE FROM record WHERE number > 8")

    assert run(["log", "verify"]) == 2
    assert "entries 9 to 11 are gone" in capsys.readouterr().out


def test_without_the_key_it_is_code_3(shop: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(Keyring.generate(NOW).dumps())

    assert run(["log", "verify", "--keyring", str(other)]) == 3


def test_anybody_verifies_with_the_public_key_alone(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["log", "checkpoint", "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out)["keys"]
    (shop / "keyring").unlink()

    assert run(["log", "verify", "--key", key]) == 0


def test_a_record_is_shown_and_exported(shop: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["log", "show", IDS[3], "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out)["record"]["n"] == 3
    assert run(["log", "export"]) == 0
    assert [json.loads(line)["record"]["n"] for line in capsysbinary.readouterr().out.splitlines()] == [
        *range(12)
    ]
    assert run(["log", "export", "--subject", "customer:odd"]) == 0
    assert len(capsysbinary.readouterr().out.splitlines()) == 6
    assert run(["log", "show", "no-such-record-here"]) == 3


def test_a_receipt_verifies_without_shop_and_not_when_changed(
    shop: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["receipt", "show", IDS[5]]) == 0
    text = capsysbinary.readouterr().out
    shutil.rmtree(shop)
    (tmp_path / "copy").write_bytes(text)
    (tmp_path / "changed").write_bytes(text.replace(b'"n": 5', b'"n": 6'))

    assert run(["receipt", "verify", str(tmp_path / "copy")]) == 0
    assert b"verified: entry 5 of" in capsysbinary.readouterr().out
    assert run(["receipt", "verify", str(tmp_path / "changed")]) == 1
