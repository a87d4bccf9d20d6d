"""The access log's file: whole lines, rotation, forks and full disks."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cookieguard.engines.files.access_log import WRITE_BYTES, LogFile, remove_old_logs


def test_lines_are_appended_to_the_file_of_this_process(tmp_path: Path) -> None:
    log = LogFile(tmp_path)

    assert log.write([b"one\n", b"two\n"]) == 2
    assert log.write([b"three\n"]) == 1

    assert log.path == tmp_path / f"access-{os.getpid()}.log"
    assert log.path.read_bytes() == b"one\ntwo\nthree\n"
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_no_file_before_the_first_line(tmp_path: Path) -> None:
    LogFile(tmp_path).close()

    assert os.listdir(tmp_path) == []


def test_closed_file_opens_again(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    log.write([b"one\n"])
    log.close()
    log.write([b"two\n"])

    assert log.path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("recreate", [True, False])
def test_moved_file_is_left_for_a_new_one(tmp_path: Path, recreate: bool) -> None:
    log = LogFile(tmp_path)
    log.write([b"one\n"])
    log.path.rename(tmp_path / "rotated")
    if recreate:
        log.path.write_bytes(b"")

    log.write([b"two\n"])

    assert (tmp_path / "rotated").read_bytes() == b"one\n"
    assert log.path.read_bytes() == b"two\n"


def test_truncated_file_goes_on_at_its_start(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    log.write([b"one\n"])
    os.truncate(log.path, 0)  # logrotate's copytruncate

    log.write([b"two\n"])

    assert log.path.read_bytes() == b"two\n"


def test_removed_directory_is_made_again(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs")
    log.write([b"one\n"])
    log.path.unlink()
    log.path.parent.rmdir()

    assert log.write([b"two\n"]) == 1
    assert log.path.read_bytes() == b"two\n"


def test_removed_state_directory_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(0o700)
    log = LogFile(tmp_path / "state" / "logs")
    assert log.write([b"one\n"]) == 1
    shutil.rmtree(tmp_path / "state")

    assert log.write([b"two\n"]) == 0
    assert not (tmp_path / "state").exists()  # open to others, it would be refused at the next start

    (tmp_path / "state").mkdir(0o700)
    assert log.write([b"three\n"]) == 1


def test_link_in_its_place_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = LogFile(tmp_path)
    (tmp_path / "target").write_bytes(b"")
    log.path.symlink_to(tmp_path / "target")

    with caplog.at_level(logging.WARNING, "cookieguard"):
        assert log.write([b"one\n"]) == 0
        assert log.write([b"two\n"]) == 0

    assert (tmp_path / "target").read_bytes() == b""
    assert len(caplog.records) == 1


def test_forked_child_writes_its_own_file(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    log.write([b"parent\n"])

    child = os.fork()
    if child == 0:
        os._exit(0 if log.write([b"child\n"]) == 1 else 1)
    _, status = os.waitpid(child, 0)
    log.write([b"parent\n"])

    assert os.waitstatus_to_exitcode(status) == 0
    assert (tmp_path / f"access-{child}.log").read_bytes() == b"child\n"
    assert log.path.read_bytes() == b"parent\nparent\n"


def test_many_lines_go_out_in_order(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    lines = [b"%d %s\n" % (number, b"x" * (number % 300)) for number in range(2000)]
    lines.insert(1000, b"y" * (2 * WRITE_BYTES) + b"\n")

    assert log.write(lines) == 2001
    assert log.path.read_bytes() == b"".join(lines)


# The limit on a file's size fails as a full disk does: the last write is short, the next one an error.
FULL = """
import logging, resource, sys
from pathlib import Path
from cookieguard.engines.files.access_log import LogFile
logging.basicConfig(level=logging.WARNING, format="%(message)s")
log = LogFile(Path(sys.argv[1]))
limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
print(log.write([b"first\\n"]))
limit(6 + 10)
print(log.write([b"second line\\n", b"third\\n"]))
print(log.write([b"fourth, too long\\n"]))
limit(resource.RLIM_INFINITY)
print(log.write([b"fifth\\n"]))
limit(6 + 6 + 3)
print(log.write([b"sixth\\n"]))
"""


def test_full_disk_drops_whole_lines_and_says_so_once(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=240, check=True
    )

    (log,) = tmp_path.iterdir()
    assert log.read_bytes() == b"first\nfifth\n"
    assert result.stdout.split() == ["1", "0", "0", "1", "0"]
    assert result.stderr.count("lines are dropped until it works") == 2  # once for each time it broke


SHARED = """
import os, sys
from pathlib import Path
from cookieguard.engines.files.access_log import LogFile
os.getpid = lambda: 1  # all four in one file, as two guards in one process are
log = LogFile(Path(sys.argv[1]))
sys.stdin.read(1)
for number in range(300):
    log.write([(sys.argv[2] * 150 + "\\n").encode()] * 20)
"""


@pytest.mark.slow  # servers/test_workers.py has four in one file in make test
def test_four_processes_in_one_file_leave_whole_lines(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", SHARED, str(tmp_path), letter], stdin=subprocess.PIPE)
        for letter in "abcd"
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"g")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=240)

    lines = (tmp_path / "access-1.log").read_bytes().splitlines()

    assert len(lines) == 4 * 300 * 20
    assert set(lines) == {letter * 150 for letter in (b"a", b"b", b"c", b"d")}


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_each_utc_day_has_its_file(tmp_path: Path) -> None:
    moments = [NOON.replace(hour=23, minute=59), NOON.replace(hour=23, minute=59) + timedelta(minutes=2)]
    now = moments[0]
    log = LogFile(tmp_path, daily=True, clock=lambda: now)
    log.write([b"before\n"])
    now = moments[1]
    log.write([b"after\n"])

    pid = os.getpid()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        f"access-2026-11-24-{pid}.log": b"before\n",
        f"access-2026-11-25-{pid}.log": b"after\n",
    }


def test_moved_file_of_today_is_left_for_a_new_one(tmp_path: Path) -> None:
    log = LogFile(tmp_path, daily=True, clock=lambda: NOON)
    log.write([b"one\n"])
    log.path.rename(tmp_path / "rotated")

    log.write([b"two\n"])

    assert (tmp_path / "rotated").read_bytes() == b"one\n"
    assert log.path.read_bytes() == b"two\n"


MIDNIGHT = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from cookieguard.engines.files.access_log import LogFile
begin = datetime.now(UTC)
late = datetime(2026, 11, 24, 23, 59, 59, 700000, tzinfo=UTC)
log = LogFile(Path(sys.argv[1]), daily=True, clock=lambda: late + (datetime.now(UTC) - begin))
sys.stdin.read(1)
written = 0
while datetime.now(UTC) - begin < timedelta(seconds=0.7):
    written += log.write([f"{sys.argv[2]} {written}\\n".encode()])
print(written)
"""


def test_four_workers_lose_nothing_at_midnight(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", MIDNIGHT, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "abcd"
    ]
    counts = {
        name: int(worker.communicate("g", timeout=240)[0])
        for name, worker in zip("abcd", workers, strict=True)
    }

    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    days = {path.name[7:17] for path in tmp_path.iterdir()}
    assert days == {"2026-11-24", "2026-11-25"}
    assert sorted(lines) == sorted(f"{name} {n}" for name, count in counts.items() for n in range(count))


def test_files_older_than_the_limit_go_and_others_stay(tmp_path: Path) -> None:
    kept = [
        "access-2026-11-11-7.log",
        "access-2026-11-24-8.log.1",
        "access-9.log",
        "access-2026-11-31-7.log",
        "notes-2020-01-01-7.log",
        "error.log",
        "access-2020-01-01.txt",
    ]
    gone = ["access-2026-11-10-7.log", "access-2026-11-10-7.log.gz", "access-9.log.2.gz", "access-4.log"]
    for name in [*kept, *gone]:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (NOON.timestamp(),) * 2)
    for name in gone[2:]:
        os.utime(tmp_path / name, ((NOON - timedelta(days=14)).timestamp(),) * 2)

    assert sorted(remove_old_logs(tmp_path, keep_days=14, today=NOON.date())) == sorted(gone)

    assert sorted(os.listdir(tmp_path)) == sorted(kept)
