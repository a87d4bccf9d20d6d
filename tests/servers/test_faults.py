"""Statistics survive workers that are killed repeatedly, a locked database, and four writers at once.

Each request carries a number of its own, which its hit keeps: so every one is found once, or is known to be lost.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from http.client import HTTPException
from itertools import count
from pathlib import Path

import pytest
from harness.locks import locked
from harness.quick import FOR_RELEASE
from harness.servers import LOOPBACK, Process, spawned, wait_until

from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.stats.hits import Dimension
from cookieguard.web.recording.pipeline import FLUSH_EVERY
from servers.clients import ask
from servers.shop import STATE

THREADS = 4
# Seconds between two requests of a thread: a machine that has no time left loses more than it says
PAUSE = 0.01
LOCKED = 6  # seconds
# A batch is collected for a second; on a busy machine it takes its time to be written as well.
SLACK = 2.0
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
AGENTS = {
    "Firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    "Chrome": CHROME,
    "Googlebot": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
}


class Traffic:
    """Send numbered page views from several threads, and know when each was answered."""

    def __init__(self) -> None:
        self.answered: dict[int, float] = {}
        self.by_worker: dict[int, set[int]] = defaultdict(set)
        self.statuses: Counter[int] = Counter()
        self._numbers = count()

    @contextmanager
    def coming(self, server: Process) -> Iterator[None]:
        """Let visitors come during the block."""
        stop = threading.Event()
        with ThreadPoolExecutor(THREADS) as pool:
            sent = [pool.submit(self._send, server.port, stop) for _ in range(THREADS)]
            try:
                yield
            finally:
                stop.set()
            for one in sent:
                one.result()

    def worker_of(self, number: int) -> int:
        """Return the process that answered a request."""
        return next(pid for pid, numbers in self.by_worker.items() if number in numbers)

    def _send(self, port: int, stop: threading.Event) -> None:
        while not stop.is_set():
            number = next(self._numbers)
            headers = {"User-Agent": AGENTS["Firefox"], "Accept": "text/html"}
            with suppress(OSError, HTTPException):  # the server was killed
                reply = ask(port, f"/page?utm_content=n{number}", headers=headers)
                self.statuses[reply.status] += 1
                self.answered[number] = time.monotonic()
                self.by_worker[reply.pid].add(number)
            time.sleep(PAUSE)


@contextmanager
def serving(folder: Path, name: str, *, workers: int, **env: str) -> Iterator[Process]:
    arguments = ("--factory", "--workers", str(workers), "--no-access-log")
    with spawned(
        "servers.shop:make_app", *arguments, env=env, cwd=folder, log_file=folder / f"{name}.log"
    ) as server:
        yield server


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    file = folder / STATE / "stats.db"
    if not file.exists():
        return []
    with (
        closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60)) as database,
        suppress(sqlite3.OperationalError),  # its tables are being made
    ):
        return database.execute(query).fetchall()
    return []


def numbers(folder: Path) -> Counter[int]:
    """Return the numbers of the requests that were counted."""
    return Counter(int(str(content)[1:]) for (content,) in rows(folder, "SELECT content FROM hit"))


def all_write(traffic: Traffic, server: Process, folder: Path) -> bool:
    """Return whether each worker has written what came of late: its first hit has it load a parser, and others wait."""
    found, late = set(numbers(folder)), time.monotonic() - FLUSH_EVERY.total_seconds() - SLACK
    written = [traffic.by_worker[pid].copy() & found for pid in server.workers]
    return all(max(map(traffic.answered.__getitem__, one), default=0) > late for one in written)


def all_spool(server: Process, folder: Path) -> bool:
    """Return whether each worker has a file in the spool."""
    spool = folder / STATE / "spool"
    return all(list(spool.glob(f"{pid}-*.spool")) for pid in server.workers)


def kill(server: Process) -> dict[int, float]:
    """Kill a server and its workers; return when each worker was killed."""
    at = dict.fromkeys(
        server.workers, time.monotonic()
    )  # before the lock is released, which may write a journal
    os.killpg(server.process.pid, signal.SIGKILL)
    return at


def figures(folder: Path) -> SqliteFigures:
    return SqliteFigures(folder / STATE / "stats.db")


def every_day() -> Days:
    today = int(time.time()) // 86_400
    return Days(today - 1, today + 1)


@pytest.mark.timeout(900)  # ten servers are started: in the slow run each takes half a minute
@pytest.mark.parametrize("times", [2, pytest.param(8, marks=FOR_RELEASE)])
def test_kills_in_a_row_lose_a_second_each_and_double_nothing(tmp_path: Path, times: int) -> None:
    traffic, killed = Traffic(), {}
    with serving(tmp_path, "first", workers=1) as server:
        ask(server.port, "/page?utm_content=n-1", headers={"User-Agent": CHROME})
        server.stop()

    for number in range(times):
        with serving(tmp_path, f"server-{number}", workers=2) as server, traffic.coming(server):
            wait_until(lambda server=server: all_write(traffic, server, tmp_path), "both have begun to write")
            with locked(tmp_path / STATE / "stats.db") if number % 2 else nullcontext():
                if number % 2:  # batches wait in the spool; the next server replays them
                    wait_until(
                        lambda server=server: all_spool(server, tmp_path), "both have written to the spool"
                    )
                time.sleep(1.5)
                killed |= kill(server)
    with serving(tmp_path, "last", workers=1) as server:
        ask(server.port, "/page?utm_content=n-2", headers={"User-Agent": CHROME})
        wait_until(lambda: not list((tmp_path / STATE / "spool").glob("*.spool")), "what waited is written")
        server.stop()

    found = numbers(tmp_path)
    lost = {number: at for number, at in traffic.answered.items() if number not in found}
    # Before the end of its own worker: on a busy machine an answer is noted seconds after that, and before the next.
    ages = [killed[traffic.worker_of(number)] - at for number, at in lost.items()]
    print(
        f"{len(traffic.answered)} answered, {len(lost)} lost, the oldest {max(ages, default=0):.2f} s before a kill"
    )
    assert set(found.values()) == {1}
    assert len(killed) == 2 * times
    assert len(found) > len(traffic.answered) / 2
    assert max(ages, default=0) < FLUSH_EVERY.total_seconds() + SLACK
    assert sum(one.views for one in figures(tmp_path).by_day(every_day())) == len(found)
    assert figures(tmp_path).lost(every_day()) == {}
    assert set(traffic.statuses) == {200}


@pytest.mark.slow  # every second kill above comes while the database is locked
def test_database_locked_for_six_seconds_costs_no_hit_and_no_answer(tmp_path: Path) -> None:
    traffic = Traffic()
    with serving(tmp_path, "server", workers=2) as server:
        with traffic.coming(server):
            wait_until(lambda: all_write(traffic, server, tmp_path), "both have begun to write")
            with locked(tmp_path / STATE / "stats.db"):
                time.sleep(LOCKED)
                during = len(traffic.answered)
                spooled = list((tmp_path / STATE / "spool").glob("*.spool"))
            time.sleep(1)
        server.stop()
    with serving(tmp_path, "last", workers=1) as server:  # a worker waits up to 30 s before it tries again
        ask(server.port, "/page?utm_content=n-1", headers={"User-Agent": CHROME})
        wait_until(lambda: not list((tmp_path / STATE / "spool").glob("*.spool")), "what waited is written")
        wait_until(lambda: -1 in numbers(tmp_path), "the page of this server is written")
        server.stop()

    found = numbers(tmp_path)
    print(f"{during} of {len(traffic.answered)} answered by the end of the lock")
    assert spooled
    assert set(traffic.statuses) == {200}
    assert set(found) == {*traffic.answered, -1}
    assert set(found.values()) == {1}
    assert sum(one.views for one in figures(tmp_path).by_day(every_day())) == len(found)


def test_figures_of_four_workers_are_a_plain_recount_of_what_was_sent(tmp_path: Path) -> None:
    source = random.Random(4)
    sent = [drawn(source, number) for number in range(1200)]
    with serving(tmp_path, "server", workers=4, SHOP_TRUSTED=LOOPBACK, SHOP_RACERS="4") as server:
        with ThreadPoolExecutor(8) as pool:
            pids = Counter(pool.map(lambda one: send(server.port, one), sent))
        server.stop()

    views = [one for one in sent if one["kind"] == "view"]
    people = [one for one in views if one["agent"] != "Googlebot"]
    visitors = {(one["client"], one["agent"]) for one in people}
    found, days = figures(tmp_path), every_day()
    print(f"{len(sent)} requests by {dict(pids)}, {len(visitors)} visitors")
    assert len(pids) == 4
    totals = found.by_day(days)
    assert sum(one.views for one in totals) == len(people)
    assert sum(one.visitors for one in totals) == sum(one.visits for one in totals) == len(visitors)
    assert sum(one.arrivals for one in totals) == 0
    kinds = Counter(one["kind"] for one in sent if one["agent"] != "Googlebot")
    assert sum(one.errors for one in totals) == kinds["error"]
    assert sum(one.bots for one in totals) == sum(one["agent"] == "Googlebot" for one in sent)
    assert {one.value: one.views for one in found.breakdown(days, Dimension.GOAL)} == {
        "order placed": kinds["goal"]
    }
    assert {one.value: (one.views, one.visitors) for one in found.breakdown(days, Dimension.BROWSER)} == {
        name: (
            sum(one["agent"] == name for one in people),
            len({client for client, agent in visitors if agent == name}),
        )
        for name in ("Firefox", "Chrome")
    }
    sources = Counter(f"source-{int(client.rpartition('.')[2]) % 3}" for client, _ in visitors)
    assert {one.value: one.visits for one in found.breakdown(days, Dimension.SOURCE)} == sources
    assert set(numbers(tmp_path).values()) == {1}
    assert found.lost(days) == {}


def drawn(source: random.Random, number: int) -> dict[str, str]:
    """Draw a request; who comes always comes from the same place."""
    client = source.randrange(1, 40)
    kind = source.choices(["view", "error", "goal"], [8, 1, 1])[0]
    return {
        "kind": kind,
        "agent": source.choice(list(AGENTS)),
        "client": f"198.51.100.{client}",
        "path": {"view": "/page", "error": "/nowhere", "goal": "/order"}[kind]
        + f"?utm_content=n{number}&utm_source=source-{client % 3}",
    }


def send(port: int, one: dict[str, str]) -> int:
    headers = {"User-Agent": AGENTS[one["agent"]], "Accept": "text/html", "X-Forwarded-For": one["client"]}
    headers["Sec-Fetch-Dest"] = "document"
    reply = ask(port, one["path"], method="POST" if one["kind"] == "goal" else "GET", headers=headers)
    return reply.pid
