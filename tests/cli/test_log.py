"""`cookieguard log` and `cookieguard receipt`: answers and exit codes, on a log that workers wrote."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from harness.retention import retention_of
from harness.servers import START_SECONDS

from cookieguard.cli.app import run
from cookieguard.cli.approvals import NO_STAFF
from cookieguard.config import Config, load_config
from cookieguard.config.proof import KeptKind, ProofSettings
from cookieguard.features.people.journal import read_journal
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.upkeep.pruning import prune_log, record_expiries
from cookieguard.features.records.values.records import Record, customer
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside, load_keyring
from cookieguard.storage.state_directory import StateDirectory

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
IDS = [f"record-number-{number:04d}" for number in range(12)]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the state directory of a shop whose log has twelve records."""
    monkeypatch.chdir(tmp_path)
    write(IDS)
    return tmp_path / ".cookieguard"


def write(ids: list[str], *, time: datetime = NOW) -> None:
    config = load_config("cookieguard.toml") if Path("cookieguard.toml").exists() else Config()
    state = StateDirectory(config.state_dir)
    keyring = load_keyring(state, config.keys, environ={}, now=NOW)
    writer = open_log(config, state, keyring, environ={})
    assert writer is not None
    for number, one in enumerate(ids):
        subject = customer("even" if number % 2 else "odd")
        record = Record(
            kind="consent", topic="grant", subject=subject, time=time, facts={"n": number}, id=one
        )
        writer.append(record).result(START_SECONDS)
    writer.close()


def edit(state: Path, statement: str) -> None:
    with sqlite3.connect(state / "log.db") as connection:
        connection.execute(statement)


def test_a_whole_log_is_code_0(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["log", "verify"]) == 0
    assert capsys.readouterr().out.startswith("whole: 12 entries of cookieguard.invalid/_cg/log")
    assert run(["log", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["anchors"] == 1


def test_the_doctor_warns_of_a_log_without_a_name_and_the_documented_steps_give_it_one(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warning = "warn  consent log's name: cookieguard.invalid/_cg/log: origins was empty at the first choice"
    run(["doctor"])
    assert warning in capsys.readouterr().out
    Path("cookieguard.toml").write_text('origins = ["https://shop.example"]\n')
    write(IDS)
    run(["doctor"])
    assert warning in capsys.readouterr().out

    (step,) = re.findall(r"^rm .*checkpoint$", (ROOT / "docs" / "proof.md").read_text(), re.M)
    subprocess.run(step, shell=True, check=True)
    write(IDS)

    run(["doctor"])
    told = capsys.readouterr().out
    assert "consent log: 12 entries" in told
    assert "consent log's name" not in told
    assert run(["log", "verify"]) == 0
    assert capsys.readouterr().out.startswith("whole: 12 entries of shop.example/_cg/log")


def test_a_changed_entry_is_code_1_and_named(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(shop, "UPDATE record SET sealed = zeroblob(length(sealed)) WHERE number = 7")

    assert run(["log", "verify"]) == 1
    assert "row 7 was changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("INSERT INTO shown (digest, content) VALUES ('feed', 'edited')", "the stored text feed was changed"),
        ("UPDATE tile SET hashes = 'edited' WHERE level = 0 AND n = 0", "tile 0/0 was changed"),
    ],
)
def test_text_that_an_editor_put_in_place_of_bytes_is_named(
    shop: Path, capsys: pytest.CaptureFixture[str], statement: str, fault: str
) -> None:
    edit(shop, statement)

    assert run(["log", "verify"]) == 1
    assert fault in capsys.readouterr().out


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
    assert "entries 9 to 11 are missing" in capsys.readouterr().out


def test_without_the_key_it_is_code_3(shop: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(Keyring.generate(NOW).dumps())

    assert run(["log", "verify", "--keyring", str(other)]) == 3


def test_anybody_verifies_with_the_public_key_alone(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["log", "checkpoint", "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out)["keys"]
    beside(shop).unlink()

    assert run(["log", "verify", "--key", key]) == 0
    assert "records are not opened" in capsys.readouterr().out


def test_copy_of_the_log_alone_is_verified_with_the_public_key(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["log", "checkpoint", "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out)["keys"]
    auditor = StateDirectory(tmp_path / "auditor").path / ".cookieguard"
    StateDirectory(auditor)
    shutil.copy(shop / "log.db", auditor)
    monkeypatch.chdir(auditor.parent)

    assert run(["log", "verify", "--key", key, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["rows"]) == ("whole", len(IDS))
    assert os.listdir(auditor) == ["log.db"]

    edit(auditor, "UPDATE record SET sealed = x'00' WHERE number = 7")
    assert run(["log", "verify", "--key", key]) == 1


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


@pytest.mark.parametrize("command", ["export", "verify"])
def test_command_ends_quietly_if_the_reader_of_its_output_closes_the_pipe(shop: Path, command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = "from cookieguard.cli import main; main()"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(
        [sys.executable, "-c", code, "log", command],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environ,
        cwd=shop.parent,
        check=False,
    )
    os.close(writing)

    said = {"export": f"{NO_STAFF}\n", "verify": ""}[command]
    assert (ended.returncode, ended.stderr.decode()) == (141, said)


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


@pytest.fixture
def old_shop(shop: Path) -> Path:
    """Give a shop whose log has a consent of a day long gone beside what it has."""
    write(["record-of-long-ago"], time=NOW - timedelta(days=1096 + 190))
    return shop


def test_prune_lets_go_of_what_is_old_and_doctor_says_so_where_nobody_does(
    old_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["doctor"])
    assert "cookieguard log prune" in capsys.readouterr().out
    assert run(["log", "prune"]) == 0
    assert capsys.readouterr().out == "removed: 1 records; their hashes stay in the tree\n"
    run(["doctor"])
    assert "cookieguard log prune" not in capsys.readouterr().out
    assert run(["log", "verify"]) == 0
    assert "13 entries of cookieguard.invalid/_cg/log, 1 of them removed" in capsys.readouterr().out
    assert run(["log", "show", "record-of-long-ago"]) != 0
    capsys.readouterr()
    assert run(["log", "prune", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pruned_records": 0}


def test_the_shops_own_job_prunes_and_records_what_ran_out_on_each_day_once(
    old_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, now = Config(), NOW + timedelta(days=181)
    for later in (timedelta(0), timedelta(hours=2)):
        job = retention_of(config, lambda at=now + later: at, state=Path(old_shop))  # type: ignore[misc]
        done = job.look()
        assert done is not None
        assert not done.failed
    capsys.readouterr()

    assert run(["log", "export"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(one["record"]["dct:identifier"] != "record-of-long-ago" for one in lines)
    expiries = [one["record"] for one in lines if one["kind"] == "expiry"]
    assert [(one["cg:day"], one["cg:ranOut"]) for one in expiries] == [("2027-05-27", {"grant": 2})]
    assert run(["log", "verify"]) == 0


def test_what_ran_out_is_not_recorded_anew_once_its_record_was_let_go(
    old_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(proof=ProofSettings(keep=(KeptKind(kind="expiry", days=7),)))
    state, first, pruned = StateDirectory(old_shop), NOW + timedelta(days=181), []
    for days in (0, 4, 9, 9):
        now = first + timedelta(days=days, hours=1)
        record_expiries(config, state, environ={}, now=now)
        pruned.append(prune_log(config, state, environ={}, now=now))
    capsys.readouterr()

    assert pruned[-2:] == [1, 0]
    assert run(["log", "export"]) == 0
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert "expiry" not in kinds


@pytest.mark.parametrize(
    "command", [("erase", "odd"), ("export", "--subject", "4711"), ("erase", "customer:")]
)
def test_a_subject_without_its_kind_is_refused_and_not_told_as_done(
    shop: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert run(["log", *command]) == 3
    assert "customer:NUMBER" in capsys.readouterr().err
    assert run(["log", "erase", "customer:odd"]) == 0


def test_a_checkpoint_that_cannot_be_written_gets_one_line(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", "checkpoint", "--out", "missing/checkpoint"]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint_that_a_retired_key_signed_still_counts(shop: Path, tmp_path: Path) -> None:
    assert run(["log", "checkpoint", "--out", "kept"]) == 0
    before = Keyring.loads(beside(shop).read_text()).signing.id
    assert run(["keys", "add"]) == 0
    (new,) = set(Keyring.loads(beside(shop).read_text()).ids) - {before}
    assert run(["keys", "promote", new, "--force"]) == 0
    assert run(["keys", "retire", before, "--force"]) == 0
    write(["a-record-that-the-new-key-signs"])

    assert run(["log", "verify"]) == 0
    assert run(["log", "verify", "--against", "kept"]) == 0


def test_records_open_after_the_key_that_wrapped_theirs_is_gone(
    shop: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for command in ([], ["--instead"]):
        before = Keyring.loads(beside(shop).read_text()).signing.id
        assert run(["keys", "add"]) == 0
        (new,) = set(Keyring.loads(beside(shop).read_text()).ids) - {before}
        assert run(["keys", "promote", new, "--force", *command]) == 0
        if not command:
            assert run(["keys", "retire", before, "--force"]) == 0
    capsysbinary.readouterr()

    assert run(["log", "export"]) == 0
    lines = capsysbinary.readouterr().out.splitlines()
    assert [json.loads(line)["record"]["n"] for line in lines] == [*range(12)]


def test_key_stays_while_the_key_of_records_cannot_be_wrapped_with_another(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Keyring.loads(beside(shop).read_text()).signing.id
    assert run(["keys", "add"]) == 0
    (new,) = set(Keyring.loads(beside(shop).read_text()).ids) - {before}
    with closing(sqlite3.connect(shop / "subjects.db")) as file, file:
        file.execute("UPDATE secret SET value = zeroblob(70) WHERE name = 'master'")

    assert run(["keys", "promote", new, "--instead"]) == 4

    assert "records, customer requests and the list of accesses cannot be sealed" in capsys.readouterr().err
    assert Keyring.loads(beside(shop).read_text()).signing.id == before


def person(name: str, role: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["staff", "add", name, "--role", role, "--json"]) == 0
    return str(json.loads(capsys.readouterr().out)["token"])


READS = [["log", "show", IDS[3]], ["log", "export", "--subject", "customer:odd"], ["receipt", "show", IDS[5]]]


@pytest.mark.parametrize("command", READS)
def test_records_are_opened_for_an_officer_alone_and_the_journal_has_it(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    tokens = {role: person(f"{role} one", role, capsys) for role in ("support", "officer")}
    wrong = "a token that is wrong, revoked or expired"
    given = {"": "no token", tokens["support"]: "support one (support)", "2.a.b.c": wrong}
    for token, told in given.items():
        monkeypatch.setattr("sys.stdin", StringIO(token))
        assert run(command) == 4
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.endswith(f"with the role officer, on standard input; given: {told}\n")
    assert list(read_journal(shop)) == []

    monkeypatch.setattr("sys.stdin", StringIO(tokens["officer"]))
    assert run(command) == 0

    assert capsys.readouterr().out
    (entry,) = read_journal(shop)
    assert (entry["event"], entry["who"], entry["what"].endswith(" by command")) == (
        "looked",
        "officer one",
        True,
    )
    assert ("customer" in entry) == ("--subject" in command)


def test_records_are_erased_by_two_persons(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    support, officer = person("Sam", "support", capsys), person("Olga", "officer", capsys)
    for given in (officer, f"{officer}\n{officer}", f"{officer}\n{support}"):
        monkeypatch.setattr("sys.stdin", StringIO(given))
        assert run(["log", "erase", "customer:odd"]) == 4

    monkeypatch.setattr("sys.stdin", StringIO(f"{support}\n{officer}"))
    assert run(["log", "erase", "customer:odd"]) == 0

    (entry,) = read_journal(shop)
    assert (entry["who"], entry["what"]) == ("Sam", "erasure of records by command, approved by Olga")
    assert run(["log", "erase", "--again"]) == 0


def test_erasures_and_exports_by_command_have_a_daily_limit(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("cookieguard.toml").write_text("[staff]\ndaily_views = 2\ndaily_erasures = 1\n")
    support, officer = person("Sam", "support", capsys), person("Olga", "officer", capsys)

    def ended(*command: str, tokens: str = officer) -> int:
        monkeypatch.setattr("sys.stdin", StringIO(tokens))
        return run(["log", *command])

    both = f"{support}\n{officer}"
    erased = [ended("erase", f"customer:{one}", tokens=both) for one in ("odd", "even")]
    shown = [ended("export", "--subject", f"customer:{one}") for one in ("odd", "even", "odd", "third")]
    every = [ended("export") for _ in range(6)]

    assert erased == [0, 4]
    assert shown == [0, 0, 0, 4]
    assert every == [0] * 5 + [4]
    assert "Sam reached staff.daily_erasures (1)" in capsys.readouterr().err
    run(["doctor"])
    assert "Olga reached staff.daily_exports on" in capsys.readouterr().out


def test_shop_without_staff_is_not_locked_out_and_the_journal_has_it(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", "show", IDS[3]]) == 0

    assert "the shop has no staff yet" in capsys.readouterr().err
    assert [(one["event"], "who" in one) for one in read_journal(shop)] == [("looked", False)]
