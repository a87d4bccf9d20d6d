"""Clients of every address, in a network of their own that routes all of them to this machine.

A server is killed while they come, served again while its database is locked and killed again, and ended as it
should be in the third run. After each, `run-<number>` is a copy of all that was written.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from itertools import cycle, takewhile
from pathlib import Path

from harness.servers import LOOPBACK, Process, spawned, wait_until
from vectors.world import answering

from servers.clients import ask, chat
from servers.shop import STATE
from servers.traces import Address

SHOP = "servers.shop:make_app"
LOOPBACK6 = "::1"
BROWSER = {
    "Accept": "text/html",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
}
RAISING = 9  # every so many come to what raises
THREADS = 4
COUNT_SPOOLED = 40


@dataclass(frozen=True)
class Task:
    """The clients, their way to the shop, and the folder that all programs write to."""

    clients: Sequence[Address]
    is_proxied: bool
    folder: Path
    env: dict[str, str]


def work(task: Task, _: Path) -> Counter[str]:
    """Let everybody come three times, and count what was answered."""
    subprocess.run("ip -6 route add local ::/0 dev lo".split(), check=True)
    Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")
    answered: Counter[str] = Counter()
    for number, how in enumerate((_killed, _killed_while_locked, _ended)):
        with serving(task, number) as server:
            how(task, server, answered)
        shutil.copytree(task.folder / "all", task.folder / f"run-{number}")
    return answered


@contextmanager
def serving(task: Task, number: int) -> Iterator[Process]:
    """Run two workers that hear both families: IPv4 clients are `::ffff:` ones to them."""
    arguments = ("--factory", "--workers", "2", "--host", "::", "--log-level", "debug", "--access-log")
    folder = task.folder / "all"
    env = {"TMPDIR": str(folder), "HOME": str(folder), **task.env}
    with spawned(SHOP, *arguments, env=env, cwd=folder, log_file=folder / f"server-{number}.log") as server:
        yield server


def _killed(task: Task, server: Process, answered: Counter[str]) -> None:
    def written() -> bool:
        return bool(_count(task, "SELECT count(*) FROM hit WHERE key != 0") and any(_events(task)))

    _come_until(task, server, answered, written)


def _killed_while_locked(task: Task, server: Process, answered: Counter[str]) -> None:
    with closing(sqlite3.connect(task.folder / "all" / STATE / "stats.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 10000")
        other.execute("BEGIN IMMEDIATE")
        _come_until(task, server, answered, lambda: _spooled(task) > COUNT_SPOOLED)


def _ended(task: Task, server: Process, answered: Counter[str]) -> None:
    _come(task, server, answered, range(len(task.clients)))
    server.stop()


def _come_until(task: Task, server: Process, answered: Counter[str], enough: Callable[[], bool]) -> None:
    """Kill every worker while clients are still on their way."""
    stop = threading.Event()
    places = takewhile(lambda _: not stop.is_set(), cycle(range(len(task.clients))))
    disclosure = threading.Thread(target=_come, args=(task, server, answered, places))
    disclosure.start()
    try:
        wait_until(enough, "some of it is written")
    finally:
        os.killpg(server.process.pid, signal.SIGKILL)  # it leads a group of its own
        stop.set()
        disclosure.join()


def _come(task: Task, server: Process, answered: Counter[str], places: Iterable[int]) -> None:
    """Send clients, some at a time."""
    turns, turn = iter(places), threading.Lock()

    def visit_all() -> None:
        while True:
            with turn:
                place = next(turns, None)
            if place is None:
                return
            with suppress(OSError, HTTPException):
                answered.update(_visit(task, server.port, place))

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(visit_all) for _ in range(THREADS)]:
            done.result()


def _visit(task: Task, port: int, place: int) -> Counter[str]:
    """Make one client's requests."""
    client = task.clients[place]
    headers, source = dict(BROWSER), str(client)
    if task.is_proxied:
        source = LOOPBACK if place % 4 < 2 else LOOPBACK6
        headers |= _forwarding(client, place)
    to = LOOPBACK6 if ":" in source else LOOPBACK
    asked = [("GET", "/page"), ("POST", "/login"), ("POST", "/order"), ("GET", f"/missing/{place}")]
    asked += [("GET", "/boom")] if place % RAISING == 0 else []
    replies = [
        ask(port, path, method=method, headers=headers, source=source, to=to) for method, path in asked
    ]
    chat(port, "/chat", headers=headers, source=source, to=to)
    return Counter(
        f"{path.split('/')[1]} {reply.status}" for (_, path), reply in zip(asked, replies, strict=True)
    )


def _forwarding(client: Address, place: int) -> dict[str, str]:
    node = f'"[{client}]:4711"' if client.version == 6 else str(client)
    if place // 2 % 2:
        return {"Forwarded": f"for={node};proto=https;host=shop.example"}
    return {"X-Forwarded-For": f"10.1.2.3, {client}", "X-Real-IP": str(client), "X-Forwarded-Proto": "https"}


def _count(task: Task, query: str) -> int:
    file = task.folder / "all" / STATE / "stats.db"
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found: int = database.execute(query).fetchone()[0]
        return found
    return 0


def _events(task: Task) -> list[str]:
    return [file.read_text() for file in (task.folder / "all" / STATE / "vault").glob("*.jsonl")]


def _spooled(task: Task) -> int:
    return sum(
        file.read_text().count('"view"') for file in (task.folder / "all" / STATE / "spool").glob("*.spool")
    )


if __name__ == "__main__":
    answering(work)
