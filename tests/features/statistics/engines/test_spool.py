"""Damaged files in the spool cause no crash and no double count, and lost hits are reported."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pwd import getpwnam

import pytest
from harness.disks import small_disk
from harness.servers import START_SECONDS
from stats.traffic import DAY, MIDNIGHT, PLAIN

from cookieguard.features.statistics.engines import sink as hit_sink
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sink import HitSink
from cookieguard.features.statistics.engines.spool import DAMAGED, OTHER_RELEASE, Spool, SpoolFull
from cookieguard.features.statistics.engines.sqlite import writer as sqlite_hits
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import COLUMNS, Batch
from cookieguard.storage.state_directory import StateDirectory

ONE = Days(DAY, DAY)
NOON = datetime.fromtimestamp(MIDNIGHT, UTC) + timedelta(hours=12)
HITS = 3  # of a batch
SEEDS = 60


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    """Make the state directory, with a file of statistics."""
    state = StateDirectory(tmp_path / "state")
    SqliteHits(state.path / "stats.db").close()
    return state


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_hits, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(hit_sink, "TRY_AGAIN", (timedelta(milliseconds=1),) * 2)


def sink_in(state: StateDirectory) -> HitSink:
    return HitSink(lambda: SqliteHits(state.path / "stats.db"), Spool(folder(state)), clock=lambda: NOON)


def folder(state: StateDirectory) -> Path:
    return state.path / "spool"


def fill(state: StateDirectory, *, batches: int, first: int = 0) -> Path:
    """Spool batches of numbered hits, and return the file that a dead worker left."""
    spool = Spool(folder(state))
    for number in range(first, first + batches):
        hits = [PLAIN._replace(bytes=HITS * number + place) for place in range(HITS)]
        spool.add(Batch(f"batch-{number}", hits, {}, {}))
    path = spool._path
    assert path is not None
    spool.close()
    return path


def replay(state: StateDirectory) -> HitSink:
    """Start a worker, have it replay, and write one hit more, which brings what was lost to the figures."""
    sink = sink_in(state)
    sink.look_after()
    sink.write([(PLAIN._replace(bytes=-1), 0)])
    sink.close()
    return sink


def counted(state: StateDirectory) -> Counter[int]:
    """Return how often each hit was counted, by its number."""
    rows = sqlite3.connect(state.path / "stats.db").execute("SELECT bytes FROM hit WHERE bytes >= 0")
    return Counter(number for (number,) in rows)


def lost(state: StateDirectory) -> dict[str, int]:
    figures = SqliteFigures(state.path / "stats.db")
    try:
        return dict(figures.lost(ONE))
    finally:
        figures.close()


def test_spooled_hits_are_all_replayed(state: StateDirectory) -> None:
    fill(state, batches=4)

    replay(state)

    assert counted(state) == Counter(range(4 * HITS))
    assert lost(state) == {}
    assert list(folder(state).iterdir()) == []


def test_hits_are_spooled_where_there_is_no_fdatasync(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python on macOS has none."""
    monkeypatch.delattr(os, "fdatasync")

    fill(state, batches=1)

    assert len(list(folder(state).iterdir())) == 1


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_flipped_bit_costs_its_batch_at_most_and_counts_nothing_twice(
    seed: int, state: StateDirectory
) -> None:
    """The engine has all of it already, as after a commit whose answer was lost: another name would count again."""
    path = fill(state, batches=4)
    content = bytearray(path.read_bytes())
    is_written = seed % 2 == 0
    if is_written:
        replay(state)
    at = random.Random(seed).randrange(len(content))
    content[at] ^= 1 << (seed % 8)
    path.write_bytes(content)

    replay(state)

    found = counted(state)
    hurt = bytes(content[:at]).count(b"\n")
    whole = {n for n in range(4 * HITS) if n // HITS not in (hurt, hurt + 1)}  # a newline may have gone
    assert set(found.values()) == {1}
    assert whole <= set(found) <= set(range(4 * HITS))
    assert not list(folder(state).iterdir())
    if not is_written:
        missing = 4 * HITS - len(found)
        told = sum(lost(state).values())
        assert abs(told - missing) <= 1  # the bit may have turned where a hit begins
        assert set(lost(state)) <= {DAMAGED}


@pytest.mark.parametrize("seed", range(60))
def test_a_file_that_was_cut_off_keeps_what_is_whole(seed: int, state: StateDirectory) -> None:
    path = fill(state, batches=4)
    content = path.read_bytes()
    at = random.Random(seed).randrange(len(content))
    # Zeros: what some file systems leave after a power cut
    path.write_bytes(content[:at] + b"\0" * (seed % 3))

    replay(state)

    whole = content[:at].count(b"\n")
    begun = content[:at].rpartition(b"\n")[2].count(b'[1795435200,"')
    # A line that lacks its end alone is whole.
    assert counted(state) == Counter(range(whole * HITS))
    assert sum(lost(state).values()) == begun


FOREIGN: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("hello\nworld\n" * 100),
    "random bytes": lambda path: path.write_bytes(random.Random(1).randbytes(50_000)),
    "zeros": lambda path: path.write_bytes(b"\0" * 50_000),
    "deep": lambda path: path.write_bytes(b"[" * 200_000 + b"\n" + b'{"id":' * 100_000),
    "a list": lambda path: path.write_bytes(b"[1, 2]\nnull\n17\n"),
    "no hits": lambda path: path.write_text(json.dumps({"id": 1, "columns": COLUMNS, "hits": 5, "lost": {}})),
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "dangling": lambda path: path.symlink_to("/nowhere"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_file_in_the_spool_does_not_stop_the_replay(kind: str, state: StateDirectory) -> None:
    FOREIGN[kind](folder_made(state) / "0-foreign.spool")
    fill(state, batches=2)
    done = threading.Event()

    def work() -> None:
        replay(state)
        done.set()

    threading.Thread(target=work, daemon=True).start()

    assert done.wait(START_SECONDS)
    assert counted(state) == Counter(range(2 * HITS))
    assert lost(state) == {}
    Spool(folder(state)).add(Batch("more", [PLAIN], {}, {}))  # nor does it fill the spool
    left = [path for path in folder(state).iterdir() if path.is_file() and path.stat().st_size]
    assert len(left) == 1


def folder_made(state: StateDirectory) -> Path:
    folder(state).mkdir(mode=0o700, exist_ok=True)
    return folder(state)


def test_batches_of_another_release_are_lost_and_counted(state: StateDirectory) -> None:
    path = fill(state, batches=2)
    newer = {"id": "newer", "columns": [*COLUMNS, "weather"], "hits": [[*PLAIN, "rain"]] * 5, "lost": {}}
    older = {
        "id": "older",
        "columns": COLUMNS,
        "hits": [PLAIN._replace(bytes=100)],
        "lost": {"queue full": 2},
    }
    path.write_bytes(path.read_bytes() + b"\n".join(json.dumps(one).encode() for one in (newer, older)))

    sink = replay(state)

    assert counted(state) == Counter([*range(2 * HITS), 100])
    assert lost(state) == {OTHER_RELEASE: 5, "queue full": 2}
    assert sink.lost == {OTHER_RELEASE: 5}


def test_a_batch_of_a_release_that_knew_fewer_columns_is_brought_in(state: StateDirectory) -> None:
    columns = [name for name in COLUMNS if name != "medium"]
    hit = [value for name, value in PLAIN._replace(bytes=100)._asdict().items() if name != "medium"]
    older = {"id": "older", "columns": columns, "hits": [hit], "lost": {}}
    path = fill(state, batches=1)
    path.write_bytes(path.read_bytes() + json.dumps(older).encode())

    replay(state)

    assert counted(state) == Counter([*range(HITS), 100])
    assert lost(state) == {}


def test_what_was_lost_in_a_file_is_counted_once_though_the_engine_goes_meanwhile(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(state, batches=3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"x" + lines[1], lines[2]]))
    sink = sink_in(state)
    other = sqlite3.connect(state.path / "stats.db", isolation_level=None)
    really = SqliteHits.write

    def write(self: SqliteHits, batch: Batch) -> None:
        if batch.id == "batch-2" and not other.in_transaction and not sink.is_down:
            other.execute("BEGIN IMMEDIATE")
        really(self, batch)

    monkeypatch.setattr(SqliteHits, "write", write)
    sink.look_after()
    assert sink.is_down
    assert path.exists()
    other.execute("ROLLBACK")
    time.sleep(0.01)
    sink.look_after()
    sink.write([(PLAIN._replace(bytes=-1), 0)])
    sink.close()

    assert counted(state) == Counter([0, 1, 2, 6, 7, 8])
    assert lost(state) == {DAMAGED: HITS}


def test_hits_go_into_a_new_file_where_the_old_one_was_taken_away(state: StateDirectory) -> None:
    spool = Spool(folder(state))
    spool.add(Batch("gone", [PLAIN._replace(bytes=1)], {}, {}))
    for path in folder(state).iterdir():
        path.unlink()

    spool.add(Batch("next", [PLAIN._replace(bytes=2)], {}, {}))
    (folder(state).rename(state.path / "aside"))
    spool.add(Batch("last", [PLAIN._replace(bytes=3)], {}, {}))
    spool.close()
    for path in (state.path / "aside").iterdir():
        path.rename(folder(state) / path.name)
    replay(state)

    assert counted(state) == Counter([2, 3])


def test_a_half_written_line_that_cannot_be_taken_back_costs_no_other(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(folder(state))
    spool.add(Batch("first", [PLAIN._replace(bytes=1)], {}, {}))

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    def write_some(descriptor: int, content: memoryview) -> int:
        really(descriptor, content[:40])
        raise OSError(5, "Input/output error")

    really = os.write
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", write_some)
        broken.setattr(os, "ftruncate", refuse)
        with pytest.raises(SpoolFull, match="Input/output"):
            spool.add(Batch("torn", [PLAIN._replace(bytes=2)], {}, {}))
    spool.add(Batch("next", [PLAIN._replace(bytes=3)], {}, {}))
    spool.close()
    replay(state)

    assert counted(state) == Counter([1, 3])


@pytest.fixture
def shared() -> Iterator[StateDirectory]:
    """Make a state directory that `nobody` can reach, as pytest's own is not."""
    top = Path(tempfile.mkdtemp(prefix="cg-spool-"))
    top.chmod(0o755)
    state = StateDirectory(top / "state")
    SqliteHits(state.path / "stats.db").close()
    for path in (state.path, *state.path.glob("stats.db*")):
        shutil.chown(path, "nobody")
    yield state
    shutil.rmtree(top)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run as a user without root's permissions."""
    os.seteuid(getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
@pytest.mark.parametrize("mode", [0o000, 0o200, 0o500])
def test_unreadable_or_unremovable_spool_file_is_logged_and_counted_once(
    mode: int, shared: StateDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    path = fill(shared, batches=2)
    if mode == 0o500:  # it can be read, and not removed
        shutil.chown(path, "nobody")
        folder(shared).chmod(0o755)
    else:
        path.chmod(mode)
        shutil.chown(folder(shared), "nobody")
    first = Counter(range(2 * HITS)) if mode == 0o500 else Counter[int]()

    with as_nobody(), caplog.at_level(logging.WARNING, "cookieguard"):
        sink = sink_in(shared)
        for _ in range(3):
            sink.look_after()
            sink.write([(PLAIN._replace(bytes=-1), 0)])
        sink.close()

    assert caplog.text.count("in the spool cannot be") == 1
    assert sink.lost == {}
    assert counted(shared) == first
    replay(shared)  # once the owner has mended it
    assert counted(shared) == Counter(range(2 * HITS))
    assert not list(folder(shared).iterdir())


RACER = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from cookieguard.features.statistics.engines.sink import HitSink
from cookieguard.features.statistics.engines.spool import Spool
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
directory = Path(sys.argv[1])
sink = HitSink(lambda: SqliteHits(directory / "stats.db"), Spool(directory / "spool"))
while time.time() < float(sys.argv[2]):
    pass
while list((directory / "spool").glob("*.spool")):
    sink.look_after()
sink.close()
"""


def test_two_workers_that_replay_at_once_count_each_hit_once(state: StateDirectory) -> None:
    for number in range(20):
        fill(state, batches=5, first=5 * number)
    root = Path(__file__).parents[4]
    start = str(time.time() + 2)
    command = [sys.executable, "-c", RACER, str(state.path), start, str(root / "src"), str(root / "tests")]

    workers = [subprocess.Popen(command) for _ in range(2)]

    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert counted(state) == Counter(range(20 * 5 * HITS))


def test_a_disk_that_fills_up_loses_no_batch_that_was_spooled(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as place:
        state = StateDirectory(place / "state")
        spool = Spool(folder(state))
        taken, reasons = [], set()
        for number in range(5000):
            try:
                spool.add(Batch(str(number), [PLAIN._replace(bytes=number, page="/" + "x" * 300)], {}, {}))
            except SpoolFull as error:
                reasons.add(str(error))
                if number - len(taken) > 50:
                    break
                continue
            taken.append(number)
        spool.close()

        assert taken
        assert reasons == {"spool: No space left on device"}
        assert [hit.bytes for batch in Spool(folder(state)).waiting() for hit in batch.hits] == taken
