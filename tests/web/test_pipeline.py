"""The recorder delays no request, and counts every record that it loses."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.asgi import ask, no_app, page, scope_of
from harness.servers import START_SECONDS, wait_until

from cookieguard import Config, CookieGuard
from cookieguard.config import LogSettings
from cookieguard.engines.files.access_log import LogFile
from cookieguard.stats.log_line import MAX_AGENT, MAX_PATH, MAX_REFERRER, LogLine, combined
from cookieguard.web.exchange import Exchange
from cookieguard.web.recording.log_entry import line_of
from cookieguard.web.recording.pipeline import QUEUE_FULL, UNWRITABLE, WRITE_FAILED, Recorder

SOON = timedelta(milliseconds=5)
LATER = timedelta(hours=1)


def line(number: int = 0) -> LogLine:
    return LogLine(
        address="203.0.113.0",
        time=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
        method="GET",
        path=b"/%d" % number,
        http_version="1.1",
        status=200,
        bytes_sent=number,
    )


def test_overlong_fields_are_cut_before_they_are_queued(tmp_path: Path) -> None:
    guard = CookieGuard(no_app, Config(state_dir=str(tmp_path)))
    headers = [("referer", "https://a.example/" * 999), ("user-agent", "x" * 9999)]
    exchange = Exchange(guard._parts, scope_of("/" * 9999, headers=headers), datetime.now(UTC))

    line = line_of(exchange)

    assert (len(line.path), len(line.referrer), len(line.user_agent)) == (MAX_PATH, MAX_REFERRER, MAX_AGENT)
    guard.close()


class Memory:
    """Keep what is written; `room` says how many lines it takes, `gate` when it goes on."""

    def __init__(self, room: int = sys.maxsize) -> None:
        self.lines: list[bytes] = []
        self.room = room
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0
        self.threads: set[threading.Thread] = set()

    def write(self, lines: Sequence[bytes]) -> int:
        self.gate.wait()
        self.threads.add(threading.current_thread())
        taken = lines[: max(0, self.room - len(self.lines))]
        self.lines.extend(taken)
        return len(taken)

    def close(self) -> None:
        self.closed += 1


def until(is_so: Callable[[], bool]) -> None:
    wait_until(is_so, "the thread did it")


def test_lines_are_written_in_order_without_anybody_asking() -> None:
    sink = Memory()
    recorder = Recorder(sink, flush_every=SOON)

    for number in range(500):
        recorder.put(line(number))
    until(lambda: len(sink.lines) == 500)

    assert sink.lines == [combined(line(number)) for number in range(500)]
    assert [one.name for one in sink.threads] == ["cookieguard-log"]
    recorder.close()


def test_no_thread_before_the_first_line() -> None:
    recorder = Recorder(Memory())

    assert not recorder._worker.runs
    recorder.close()


def test_close_writes_what_waits_and_ends_the_thread() -> None:
    sink = Memory()
    recorder = Recorder(sink, flush_every=LATER)
    recorder.put(line())

    recorder.close()

    assert sink.lines == [combined(line())]
    assert sink.closed == 1
    (thread,) = sink.threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_recorder_starts_again_after_close() -> None:
    sink = Memory()
    recorder = Recorder(sink, flush_every=LATER)
    for number in range(3):
        recorder.put(line(number))
        recorder.close()
        recorder.close()

    assert sink.lines == [combined(line(number)) for number in range(3)]
    assert sink.closed == 3


def test_full_queue_drops_counts_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    sink = Memory()
    sink.gate.clear()  # at most one batch of 10 is on its way, and 10 wait behind it
    recorder = Recorder(sink, flush_every=LATER, limit=10)

    with caplog.at_level(logging.WARNING, "cookieguard"):
        for number in range(25):
            recorder.put(line(number))
    sink.gate.set()
    recorder.close()

    dropped = recorder.dropped[QUEUE_FULL]
    assert dropped >= 5
    assert len(sink.lines) == 25 - dropped
    assert sink.lines[:10] == [combined(line(number)) for number in range(10)]
    assert len(caplog.records) == 1


def test_half_a_queue_is_written_before_its_time() -> None:
    sink = Memory()
    recorder = Recorder(sink, flush_every=LATER, limit=10)

    for number in range(6):
        recorder.put(line(number))
    until(lambda: len(sink.lines) == 6)

    recorder.close()


def test_put_does_not_wait_for_a_stuck_disk() -> None:
    sink = Memory()
    sink.gate.clear()
    recorder = Recorder(sink, flush_every=timedelta(0), limit=5)

    for number in range(100):
        recorder.put(line(number))

    assert sink.lines == []
    sink.gate.set()
    recorder.close()
    assert len(sink.lines) + recorder.dropped[QUEUE_FULL] == 100


def test_lines_the_sink_does_not_take_are_counted() -> None:
    sink = Memory(room=3)
    recorder = Recorder(sink, flush_every=LATER)
    for number in range(5):
        recorder.put(line(number))
    recorder.close()

    assert recorder.dropped == {WRITE_FAILED: 2}


def test_broken_sink_or_line_does_not_end_the_log() -> None:
    class Broken(Memory):
        def write(self, lines: Sequence[bytes]) -> int:
            if not self.threads:
                self.threads.add(threading.current_thread())
                raise RuntimeError
            return super().write(lines)

    def form(one: LogLine) -> bytes:
        if one.bytes_sent == 7:
            raise ValueError
        return combined(one)

    sink = Broken()
    recorder = Recorder(sink, form=form, flush_every=SOON)
    recorder.put(line(1))
    until(lambda: recorder.dropped == {WRITE_FAILED: 1})
    recorder.put(line(7))
    recorder.put(line(2))
    until(lambda: len(sink.lines) == 1)
    recorder.close()

    assert sink.lines == [combined(line(2))]
    assert recorder.dropped == {WRITE_FAILED: 1, UNWRITABLE: 1}


def test_many_threads_lose_nothing() -> None:
    sink = Memory()
    recorder = Recorder(sink, flush_every=timedelta(0), limit=sys.maxsize)

    def put() -> None:
        for number in range(500):
            recorder.put(line(number))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()

    assert len(sink.lines) == 4000
    assert recorder.dropped == {}


def test_forked_child_has_its_own_lines_and_thread(tmp_path: Path) -> None:
    recorder = Recorder(LogFile(tmp_path), flush_every=LATER)
    recorder.put(line(1))

    child = os.fork()
    if child == 0:
        recorder.put(line(2))
        recorder.close()
        os._exit(0)
    os.waitpid(child, 0)
    recorder.close()

    assert (tmp_path / f"access-{child}.log").read_bytes() == combined(line(2))
    assert (tmp_path / f"access-{os.getpid()}.log").read_bytes() == combined(line(1))


def test_a_pipeline_that_nobody_holds_ends_its_thread_after_the_batch_under_way() -> None:
    sink, is_formed = Memory(), threading.Event()
    sink.gate.clear()
    recorders = [
        Recorder(sink, form=lambda one: (is_formed.set(), combined(one))[1], flush_every=timedelta(0))
    ]
    recorders[0].put(line())
    assert is_formed.wait(START_SECONDS)

    recorders.clear()
    gc.collect()
    sink.gate.set()

    until(lambda: sink.lines == [combined(line())])
    (thread,) = sink.threads
    until(lambda: not thread.is_alive())


ENDS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cookieguard.engines.files.access_log import LogFile
from cookieguard.stats.log_line import LogLine
from cookieguard.web.recording.pipeline import Recorder
recorder = Recorder(LogFile(Path(sys.argv[1])))
line = LogLine(address="203.0.113.0", time=datetime.now(UTC), method="GET", path=b"/", http_version="1.1",
               status=200, bytes_sent=1)
for number in range(50):
    recorder.put(line)
"""


def test_interpreter_that_ends_writes_its_lines(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", ENDS, str(tmp_path)], check=True, timeout=240)

    (log,) = tmp_path.iterdir()
    assert log.read_bytes().count(b"\n") == 50


@pytest.mark.parametrize(("agents", "model"), [("reduced", ""), ("full", "; SM-S918B")])
def test_a_model_stands_in_the_log_only_where_the_owner_wants_it(
    guard: Callable[..., CookieGuard], tmp_path: Path, agents: str, model: str
) -> None:
    guarded = guard(page(), log=LogSettings(agents=agents))

    ask(guarded, scope_of(headers=[("user-agent", "Mozilla/5.0 (Linux; Android 14; SM-S918B) Mobile")]))
    guarded.close()

    (log,) = (tmp_path / "state" / "logs").iterdir()
    assert f'"Mozilla/5.0 (Linux; Android 14{model}) Mobile"' in log.read_text()
