"""A time-stamping authority signs checkpoints, and `log verify` checks that the entries existed then."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.consent_logs import hourly_job, write_records
from harness.tsa import Authority, authority

from cookieguard.cli.app import run
from cookieguard.config import Config
from cookieguard.engines.retention import Run
from cookieguard.errors import ConfigError
from cookieguard.features.records.upkeep import timestamps

pytest.importorskip("rfc3161_client", reason="NO TEST OF TIME STAMPS: no rfc3161-client")
NOW = datetime.now(UTC)
MEGABYTE = 2**20


@pytest.fixture
def tsa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """Run an authority that the shop in the working directory asks."""
    monkeypatch.chdir(tmp_path)
    with authority(tmp_path / "tsa") as running:
        (tmp_path / "cookieguard.toml").write_text(
            f'[proof]\ntimestamp = "{running.url}"\ntimestamp_roots = "{running.root}"\n'
        )
        yield running


def write(count: int) -> None:
    write_records(count, NOW)


def job(hours: int) -> Run:
    return hourly_job(NOW + timedelta(hours=hours))


def test_the_hourly_job_has_each_newest_checkpoint_stamped_once_and_verify_checks_it(
    tsa: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not job(0).failed  # no log yet
    write(3)
    for hours in (2, 4):
        assert not job(hours).failed
    assert tsa.asked == 1
    write(2)
    job(6)
    assert tsa.asked == 2
    capsys.readouterr()

    assert run(["log", "verify"]) == 0
    said = capsys.readouterr().out
    assert "5 entries existed at 20" in said
    assert "by 2 time stamps" in said
    kept = Path(".cookieguard/timestamps")
    assert sorted(path.name for path in kept.iterdir()) == [
        "checkpoint-3",
        "checkpoint-3.tsr",
        "checkpoint-5",
        "checkpoint-5.tsr",
    ]
    outsider = ["openssl", "ts", "-verify", "-in", str(kept / "checkpoint-5.tsr"), "-CAfile", str(tsa.root)]
    subprocess.run([*outsider, "-data", str(kept / "checkpoint-5")], check=True, capture_output=True)


def test_first_time_stamp_of_each_old_day_is_kept() -> None:
    begins = datetime(2026, 11, 1, 22, 30, tzinfo=UTC)
    times = {str(hour): begins + timedelta(hours=hour) for hour in range(100)}

    gone = timestamps.superfluous(times, fully=timedelta(days=2))

    assert sorted(map(int, gone)) == [1, *range(3, 26), *range(27, 50)]  # days begin with 0, 2, 26, 50
    assert timestamps.superfluous(times, fully=timedelta(days=5)) == []


def test_the_hourly_job_lets_old_time_stamps_go_and_verify_holds(
    tsa: Authority, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timestamps, "HOURLY_FOR", timedelta(0))
    monkeypatch.setattr(timestamps, "MOST_HOURLY", 2)
    for hours in (2, 4, 6):
        time.sleep(1.1 if tsa.asked else 0)  # an authority tells seconds
        write(1)
        assert not job(hours).failed
    kept = sorted(path.name for path in Path(".cookieguard/timestamps").iterdir())
    names = [f"checkpoint-{size}{end}" for size in (1, 3) for end in ("", ".tsr")]
    assert kept == names
    assert tsa.asked == 3
    capsys.readouterr()
    assert run(["log", "verify"]) == 0
    assert "3 entries existed at 20" in capsys.readouterr().out


def test_a_stamped_log_that_is_set_back_or_a_stamp_of_something_else_is_found(
    tsa: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    write(3)
    shutil.copytree(".cookieguard", "yesterday")
    write(2)
    assert not job(0).failed
    kept = Path(".cookieguard/timestamps")
    shutil.copytree(kept, "kept")
    shutil.rmtree(".cookieguard")
    shutil.copytree("yesterday", ".cookieguard")
    shutil.copytree("kept", kept)
    assert run(["log", "verify"]) == 2
    assert "timestamps/checkpoint-5 has 5 entries, the log 3" in capsys.readouterr().out

    shutil.copy(".cookieguard/checkpoint", kept / "checkpoint-5")
    assert run(["log", "verify"]) == 1
    assert "timestamps/checkpoint-5: the time stamp is not valid" in capsys.readouterr().out


def test_an_authority_that_fails_is_told_of_and_asked_again_and_nothing_else_waits(
    tsa: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    write(1)
    tsa.answers = [(500, b"down"), (200, b"no time stamp"), (200, b"x" * 100_000)]
    reasons = [job(hours).failed["time stamp"] for hours in (0, 2, 4)]

    assert reasons[0] == "the time-stamping authority answers 500 without a time stamp"
    assert reasons[1].startswith("the time stamp is not valid")
    assert "more than 65536 bytes" in reasons[2]
    assert run(["log", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["time_stamps"] == ""
    assert not job(6).failed
    assert run(["log", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["time_stamps"].startswith("1 entries existed")


def test_an_answer_that_would_unpack_to_much_is_not_unpacked(tsa: Authority) -> None:
    write(1)
    tsa.coding, tsa.answers = "gzip", [(200, gzip.compress(bytes(50 * MEGABYTE)))]
    assert len(tsa.answers[0][1]) < timestamps.MOST_BYTES

    tracemalloc.start()
    try:
        said = job(0).failed["time stamp"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert said.startswith("the time stamp is not valid")
    assert peak < 10 * MEGABYTE


def test_an_authority_without_roots_or_of_another_root_counts_for_nothing(
    tsa: Authority, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="timestamp_roots"):
        Config(proof=type(Config().proof)(timestamp=tsa.url))
    write(1)
    with authority(tmp_path / "other") as other:
        shutil.copy(other.root, tsa.root)
        assert "is not valid" in job(0).failed["time stamp"]
    assert list(Path(".cookieguard/timestamps").iterdir()) == []


@pytest.mark.parametrize(
    "begin", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n"], ids=["head", "body"]
)
def test_an_authority_that_sends_a_byte_at_a_time_holds_the_job_up_no_longer_than_one_that_is_silent(
    begin: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timestamps, "SECONDS", 0.4)
    write(1)
    left = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(begin)
            for byte in b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100:
                connection.settimeout(0.05)
                with suppress(TimeoutError):
                    if connection.recv(65536) == b"":
                        left.set()
                        return
                connection.sendall(bytes([byte]))
        left.set()

    with socket.create_server(("127.0.0.1", 0)) as listening, authority(tmp_path / "tsa") as roots:
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        Path("cookieguard.toml").write_text(
            f'[proof]\ntimestamp = "http://127.0.0.1:{listening.getsockname()[1]}/"\n'
            f'timestamp_roots = "{roots.root}"\n'
        )
        assert job(0).failed["time stamp"] == "the time-stamping authority does not answer: TimeoutError"
        thread.join(30)
    assert left.is_set()
