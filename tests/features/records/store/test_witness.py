"""With a witness of each checkpoint, a log that was set back or continued from an older copy is found."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cookieguard.cli.app import run
from cookieguard.config import Config
from cookieguard.config.proof import ProofSettings
from cookieguard.features.records.anchors import Witness, read_anchors, write_checkpoint
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.values.merkle import EMPTY_ROOT
from cookieguard.features.records.values.notes import Checkpoint, Signer
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

from .conftest import NOW, record_of


def write(witness: str, count: int) -> None:
    """Write records as a worker of the shop in the working directory does."""
    config = Config(proof=ProofSettings(witness=witness))
    state = StateDirectory(config.state_dir)
    writer = open_log(config, state, load_keyring(state, config.keys, environ={}, now=NOW), environ={})
    assert writer is not None
    for future in [writer.append(record_of(n=at)) for at in range(count)]:
        future.result(30)
    writer.close()


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_log_set_back_and_one_that_went_on_are_found_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    witness = tmp_path / "witness"
    witness.mkdir()
    write(str(witness), 3)
    state, yesterday = tmp_path / ".cookieguard", tmp_path / "yesterday"
    shutil.copytree(state, yesterday)
    write(str(witness), 2)
    wait_until(lambda: (witness / "checkpoint-5").exists() and bool((witness / "checkpoint-5").read_bytes()))
    assert run(["log", "verify", "--against", str(witness)]) == 0
    assert "anchors match" in capsys.readouterr().out

    shutil.rmtree(state)
    shutil.copytree(yesterday, state)  # all of it, its own newest checkpoint included
    assert run(["log", "verify"]) == 0  # the control: by itself it is whole
    capsys.readouterr()
    assert run(["log", "verify", "--against", str(witness)]) == 2
    assert "checkpoint-5 has 5 entries, the log 3" in capsys.readouterr().out

    write("", 4)
    assert run(["log", "verify"]) == 0
    capsys.readouterr()
    assert run(["log", "verify", "--against", str(witness)]) == 2
    assert "checkpoint-5 signs 5 other entries" in capsys.readouterr().out


def test_all_checkpoints_that_a_command_appended_to_a_file_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "checkpoints"
    appends = f"sh -c 'cat >> {kept}'"  # as docs/proof.md has it, on another machine
    for size in (1, 2, 3):
        write(appends, 1)
        wait_until(lambda size=size: kept.exists() and len(read_anchors([kept])) == size)  # type: ignore[misc]
    assert run(["log", "verify", "--against", str(kept)]) == 0
    assert "4 anchors match" in capsys.readouterr().out

    shutil.rmtree(tmp_path / ".cookieguard")
    write("", 2)
    assert run(["log", "verify"]) == 0  # the control: by itself it is whole
    assert run(["log", "verify", "--against", str(kept)]) in (2, 3)
    said = capsys.readouterr().out
    assert "checkpoints, its checkpoint 3," in said


def test_a_command_reads_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "kept"
    program = f"import sys; open({str(kept)!r}, 'w').write(sys.stdin.read())"
    write(f'{sys.executable} -c "{program}"', 1)

    wait_until(lambda: kept.exists() and bool(kept.read_text()))
    assert kept.read_text() == (tmp_path / ".cookieguard" / "checkpoint").read_text()


@pytest.mark.parametrize("witness", ["/no/such/place", "false"])
def test_a_witness_that_is_away_is_told_of_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, witness: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.ERROR, "cookieguard"):
        write(witness, 1)
        wait_until(lambda: "proof.witness" in caplog.text)
    assert run(["log", "verify"]) == 0


def test_with_no_thread_to_be_had_the_log_goes_on_and_the_next_checkpoint_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, witness = Signer("shop.example/log", bytes(32)), Witness(str(tmp_path))
    first, second = (signer.sign(str(Checkpoint(signer.name, size, bytes(32)))) for size in (1, 2))

    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_more)
        witness.give(first)
    witness.give(second)

    wait_until((tmp_path / "checkpoint-2").exists)


def test_both_of_two_checkpoints_of_one_size_are_kept(tmp_path: Path) -> None:
    signer = Signer("shop.example/log", bytes(32))
    notes = [signer.sign(str(Checkpoint(signer.name, 7, root))) for root in (EMPTY_ROOT, bytes(32))]

    places = {write_checkpoint(tmp_path, one) for one in [*notes, *notes]}
    assert sorted(path.read_text() for path in places) == sorted(notes)


def test_a_witness_that_hangs_does_not_hold_the_end_of_its_worker_up(tmp_path: Path) -> None:
    ends_by_itself = 900  # seconds; nobody waits for it
    program = (
        "import cookieguard.features.records.anchors as module;"
        f"module.COMMAND_SECONDS = {ends_by_itself};"
        f"one = module.Witness('sleep {ends_by_itself}');"
        "one.give('a checkpoint');"
        "one.close()"
    )
    group = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    try:
        assert group.wait(ends_by_itself / 3) == 0
    finally:
        os.killpg(group.pid, signal.SIGKILL)  # the command


def test_half_a_checkpoint_left_by_a_worker_that_died_is_no_anchor(tmp_path: Path) -> None:
    signer = Signer("shop.example/log", bytes(32))
    note = signer.sign(str(Checkpoint(signer.name, 7, EMPTY_ROOT)))
    (tmp_path / ".checkpoint-7-0011223344556677.ab").write_text(note[:20])
    write_checkpoint(tmp_path, note)

    assert read_anchors([tmp_path]) == [("checkpoint-7", note)]
