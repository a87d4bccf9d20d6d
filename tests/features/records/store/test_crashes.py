"""After random kills, a full disk or a killed server, every acknowledged record is there, and the log verifies."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from harness.disks import filled, small_disk

from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.log_reader import make_receipt
from cookieguard.features.records.store.open import Place
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.receipts import verify_receipt
from cookieguard.features.records.values.sealing import digest_of_id
from cookieguard.features.records.values.verification import Verdict
from cookieguard.features.records.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.storage.journal import Journal

from .conftest import NOW, World, postgres, record_of

WORKER = Path(__file__).with_name("crash.py")
WORKERS = 4
MANY = int(os.environ.get("RECORDS", "2000"))
KILLS = 5
FAILED = "failed\n"  # as crash.py says of a record that is not on disk yet


class Workers:
    """Keep four workers running, and collect what they say is on disk. Owns the processes."""

    def __init__(self, world: World, keyring: Path, under: Sequence[str] = ()) -> None:
        keyring.write_text(world.keyring.dumps())
        place = world.place
        self._command = [
            *under,
            sys.executable,
            str(WORKER),
            place.log,
            place.subjects,
            str(place.erasures.journal.path.parent),
            str(keyring),
        ]
        self.acknowledged: list[str] = []
        self._busy: set[int] = set()  # that acknowledged something: to start takes longer than a kill
        self.kills = self.failures = 0
        self._processes = [self._start() for _ in range(WORKERS)]

    def kill_one(self) -> None:
        """Kill a worker in whatever it does, and start another; one that starts yet is left alone."""
        busy = [at for at, one in enumerate(self._processes) if one.pid in self._busy]
        if not busy:
            return
        at = random.choice(busy)
        self._processes[at].send_signal(signal.SIGKILL)
        self._processes[at].wait()
        self._processes[at] = self._start()
        self.kills += 1

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(10)

    _threads: list[threading.Thread]

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        thread.start()
        self._threads = [*getattr(self, "_threads", []), thread]
        return process

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line == FAILED:
                self.failures += 1
            elif line.endswith("\n"):
                self.acknowledged.append(line.strip())
                self._busy.add(process.pid)


@contextmanager
def working(world: World, tmp_path: Path, *, under: Sequence[str] = ()) -> Iterator[Workers]:
    made = Workers(world, tmp_path / "keyring", under)
    try:
        yield made
    finally:
        made.end()


def run_until(workers: Workers, count: int, disturb: Callable[[], None], *, seconds: float) -> None:
    """Disturb until so many records were acknowledged, each time after some more; fail where that takes too long."""
    ends = time.monotonic() + seconds
    while (before := len(workers.acknowledged)) < count:
        some = random.randint(5, max(10, count // 25))
        while len(workers.acknowledged) < before + some:
            assert time.monotonic() < ends, f"{len(workers.acknowledged)} acknowledged"
            time.sleep(0.05)
        time.sleep(random.uniform(0, 0.1))
        disturb()


def hold(world: World, acknowledged: list[str]) -> None:
    """Require every acknowledged record in a log that verifies, and a valid proof of each."""
    last: LogWriter = world.writer()
    last.begin()
    ends = time.monotonic() + 60
    while last.ask(lambda stores: stores.log.has_waiting()).result(30):
        assert time.monotonic() < ends
        time.sleep(0.05)
    last.close()
    stores = still(world.stores())
    missing = [one for one in acknowledged if stores.log.row(digest_of_id(one)) is None]
    assert missing == []
    ids = [row.id for row in stores.log.rows()]
    assert len(set(ids)) == len(ids)  # and none is there twice
    for one in acknowledged:
        text = make_receipt(stores, one)
        assert text is not None
        verify_receipt(text)
    stores.close()
    report = world.verify()
    assert report.verdict is Verdict.WHOLE, report.faults[:3]
    assert report.size >= len(acknowledged)


def still(stores: Stores) -> Stores:
    """Have what every proof is made of read once: nobody writes any more, and each look at a server is a round trip."""
    log, subjects = stores.log, stores.subjects
    for owner, names in ((log, ("row", "tile", "checkpoint", "public_keys")), (subjects, ("key_for",))):
        for name in names:
            setattr(owner, name, cache(getattr(owner, name)))
    return stores


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_a_few_records_survive_workers_that_are_killed(world: World, tmp_path: Path) -> None:
    with working(world, tmp_path) as workers:
        run_until(workers, 50, workers.kill_one, seconds=100)
        workers.end()
        hold(world, workers.acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_many_acknowledged_records_survive_workers_killed_at_random(world: World, tmp_path: Path) -> None:
    with working(world, tmp_path) as workers:
        run_until(workers, MANY, workers.kill_one, seconds=1500)
        while workers.kills < KILLS:  # a fast disk has many before five of them died
            run_until(workers, len(workers.acknowledged) + 1, workers.kill_one, seconds=100)
        workers.end()
        print(f"{len(workers.acknowledged)} records acknowledged, {workers.kills} workers killed")
        hold(world, workers.acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_what_was_acknowledged_survives_a_disk_that_is_full_time_and_again(
    world: World, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", size="40m") as disk:
        world.place = Place(
            str(disk / "log.db"),
            str(disk / "subjects.db"),
            Erasures(Journal(disk, "", days=30), ()),
            world.place.keyring,
        )

        def fill() -> None:
            with filled(disk):
                time.sleep(1.0)

        with working(world, tmp_path) as workers:
            run_until(workers, MANY, fill, seconds=1500)
            workers.end()
            hold(world, workers.acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_what_was_acknowledged_survives_a_server_that_is_killed_and_stopped(tmp_path: Path) -> None:
    with postgres() as server:
        keyring = Keyring.generate(NOW)
        erasures = Erasures(Journal(tmp_path, "", days=30), ())
        world = World(Place(server.url, server.url, erasures, lambda: keyring), keyring)

        def kill() -> None:
            server.kill()
            time.sleep(0.5)
            (server.directory / "data" / "postmaster.pid").unlink(missing_ok=True)
            server.start()

        def stop() -> None:
            server.stop()
            server.start()

        def hang() -> None:
            with server.hanging():
                time.sleep(1.0)

        kinds = itertools.cycle((kill, stop, hang))
        with working(world, tmp_path) as workers:
            run_until(workers, MANY, lambda: next(kinds)(), seconds=1500)  # noqa: PLW0108 - another one each time
            workers.end()
            hold(world, workers.acknowledged)


def trace(*options: str) -> list[str]:
    """Return what runs a command with failing calls of the system; skips the test, loudly, where that cannot be."""
    strace = shutil.which("strace")
    command = [str(strace), "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", *options]
    if strace is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("NO TEST OF A FAILING fsync: strace is not there, or may not trace")
    return command


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_what_was_acknowledged_survives_a_disk_whose_fsync_fails(world: World, tmp_path: Path) -> None:
    world.write(record_of())  # a file of before: the first calls of a worker fail too
    failing = trace("-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=7+5")
    with working(world, tmp_path, under=failing) as workers:
        run_until(workers, MANY, workers.kill_one, seconds=1500)
        workers.end()
        assert workers.failures > MANY // 100  # the control: fsync did fail
        hold(world, workers.acknowledged)
