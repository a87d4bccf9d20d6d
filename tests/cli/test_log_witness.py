"""A C2SP witness signs checkpoints; a log that was set back or forked gets no signature, and the reason is named."""

from __future__ import annotations

import gzip
import json
import shutil
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.consent_logs import hourly_job, write_records
from harness.witness import NAME, Witness, witness

from cookieguard.cli.app import run
from cookieguard.config import Config, load_config
from cookieguard.config.proof import ProofSettings
from cookieguard.engines.files.keyring_source import load_keyring
from cookieguard.engines.files.state_directory import StateDirectory
from cookieguard.engines.proof.open import trusted_keys
from cookieguard.engines.proof.upkeep.cosigning import cosign_log
from cookieguard.engines.proof.upkeep.posting import MOST_BYTES
from cookieguard.engines.retention import Run
from cookieguard.errors import ConfigError
from cookieguard.proof.notes import NoteKey

NOW = datetime.now(UTC)
LOG = "shop.example/log"
STATE = Path(".cookieguard")
MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a shop whose log has three records."""
    monkeypatch.chdir(tmp_path)
    write(3)
    return tmp_path


@pytest.fixture
def ours(shop: Path) -> Iterator[Witness]:
    """Run a witness that knows the log, and which the shop asks."""
    with witness() as running:
        running.logs = keys()
        ask(running)
        yield running


def keys() -> list[NoteKey]:
    config = Config()
    return trusted_keys(load_keyring(StateDirectory(config.state_dir), config.keys, environ={}, now=NOW), LOG)


def ask(running: Witness) -> None:
    Path("cookieguard.toml").write_text(
        f'[proof]\nwitness_url = "{running.url}"\nwitness_key = "{running.key}"\nname = "{LOG}"\n'
    )


def write(count: int) -> None:
    write_records(count, NOW, name=LOG)


def job(hours: int) -> Run:
    return hourly_job(NOW + timedelta(hours=hours))


def refused(hours: int) -> str:
    return job(hours).failed["witness"]


def set_back(to: str) -> None:
    shutil.rmtree(STATE)
    shutil.copytree(to, STATE)


def test_the_log_is_cosigned_as_it_grows_and_not_once_it_was_set_back(
    ours: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job(0).failed == {}
    shutil.copytree(STATE, "yesterday")
    write(300)  # beyond one tile
    assert job(2).failed == {}
    assert run(["log", "verify"]) == 0
    assert capsys.readouterr().out.startswith(f"the witness {NAME} saw 303 entries at 20")

    set_back("yesterday")
    assert run(["log", "verify"]) == 0  # the control: by itself it is whole
    write(1)
    assert "the witness saw 303 entries, but the log has 4: it was cut, or set back" in refused(4)
    write(299)
    assert "knows another log of this name" in refused(6)
    write(1)
    assert "rolled back and continued, or forked" in refused(8)


def test_a_worker_that_lost_what_was_cosigned_learns_the_size_from_the_witness(ours: Witness) -> None:
    job(0)
    (STATE / "cosigned").unlink()
    write(1)

    assert job(2).failed == {}
    assert [body.partition(b"\n")[0] for body in ours.asked] == [b"old 0", b"old 0", b"old 3"]
    assert job(4).failed == {}
    assert len(ours.asked) == 3  # the newest is cosigned


def test_another_worker_that_was_faster_is_no_log_that_was_set_back(ours: Witness) -> None:
    def another_machine() -> None:
        write(2)
        config = load_config("cookieguard.toml")
        cosign_log(config, StateDirectory(config.state_dir), environ={})

    ours.meanwhile = [another_machine]

    assert job(0).failed == {}
    assert [body.partition(b"\n")[0] for body in ours.asked] == [b"old 0", b"old 0", b"old 5"]


def test_what_was_cosigned_is_an_anchor_and_is_checked(
    ours: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    job(0)
    shutil.copy(STATE / "cosigned", "elsewhere")
    with (STATE / "cosigned").open("rb") as file:
        note = file.read().decode()

    assert run(["log", "verify", "--against", "elsewhere"]) == 0
    lines = note.splitlines(keepends=True)
    (STATE / "cosigned").write_text("".join(lines[:-1]))  # without the witness
    assert run(["log", "verify"]) == 1
    assert "cosigned: none of the keys signed this note" in capsys.readouterr().out
    Path("cookieguard.toml").unlink()
    assert run(["log", "verify", "--json"]) == 0
    assert "is NOT checked" in json.loads(capsys.readouterr().out)["cosigned"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, b"down"), "the witness answers 500"),
        ((599, b"down"), "the witness answers 599"),
        ((403, b""), "the witness does not know this log or its key"),
        ((200, b""), "is not a signature by witness.example"),
        ((200, b"\xe2\x80\x94 witness.example AAAA\n"), "is not a signature by witness.example"),
        ((200, b"\xff" * 100), "is not a signature by witness.example"),
        ((200, b"x" * 100_000), "the witness answers with more than 65536 bytes"),
    ],
)
def test_an_answer_that_is_no_signature_is_named_and_not_kept(
    ours: Witness, answer: tuple[int, bytes], reason: str
) -> None:
    ours.answers = [answer]

    assert reason in refused(0)
    assert not (STATE / "cosigned").exists()
    assert job(2).failed == {}  # the next hour asks again


def test_an_answer_that_would_unpack_to_much_is_not_unpacked(ours: Witness) -> None:
    ours.coding, ours.answers = "gzip", [(200, gzip.compress(bytes(50 * MEGABYTE)))]
    assert len(ours.answers[0][1]) < MOST_BYTES

    tracemalloc.start()
    try:
        said = refused(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "is not a signature by witness.example" in said
    assert peak < 10 * MEGABYTE


def test_a_witness_that_is_away_is_told_of(ours: Witness) -> None:
    ask(Witness("http://127.0.0.1:9", ours.key))

    assert refused(0) == "the witness does not answer: ConnectError"


@pytest.mark.parametrize("key", ["", "witness.example", "witness.example+00000000+AAAA"])
def test_a_witness_without_its_key_is_refused_at_start(key: str) -> None:
    with pytest.raises(ConfigError, match=r"proof\.witness_key"):
        ProofSettings(witness_url="https://witness.example", witness_key=key)


def test_the_key_of_a_log_is_none_of_a_witness(ours: Witness) -> None:
    ask(Witness(ours.url, ours.logs[0]))

    assert "is no Ed25519 key of a witness" in refused(0)
