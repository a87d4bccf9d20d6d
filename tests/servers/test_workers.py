"""Four workers of one server act as one shop: they agree on keys, read each other's cookies, and lose no log line."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.servers import LOOPBACK, Process, spawned, wait_until

from cookieguard.storage.runtime_directory import runtime_place
from servers.clients import Reply, ask
from servers.shop import CLOCK, PURPOSES, STATE

WORKERS = 4
ALL_PURPOSES = ["marketing", "necessary", "statistics"]
SECONDS = 120  # in which every worker must have answered
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
LINE = re.compile(
    r"(?P<address>[0-9a-f.:]+) - - "
    r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    r'"(?P<method>[A-Z]+) (?P<path>/[!-~]*) HTTP/1\.1" (?P<status>\d{3}) (?P<size>\d+) '
    r'"(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"'
)
REQUESTS = 600
HOSTILE = {
    "User-Agent": '"] "GET /fake HTTP/1.1" 200 1\\" \xff\t' * 20,
    "Referer": "https://elsewhere.example/" + "p" * 900 + '?q="',
    "X-Forwarded-For": "84.17.5.164",
}
NOON = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@dataclass
class Disclosure:
    """Send requests to one server, four at a time, and keep all its replies."""

    server: Process
    directory: Path
    replies: list[Reply] = field(default_factory=list)

    def ask(self, path: str, **options: Any) -> Reply:
        """Send one request over a connection of its own."""
        reply = ask(self.server.port, path, **options)
        self.replies.append(reply)
        return reply

    def has_all_workers(self) -> bool:
        """Return whether every worker answered."""
        return {reply.pid for reply in self.replies} == set(self.server.workers)

    def each(self, send: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Send for every item, several at a time, so that more than one worker must answer."""
        with ThreadPoolExecutor(2 * WORKERS) as pool:
            return list(pool.map(send, items))

    def until(self, is_enough: Callable[[], bool], send: Callable[[Any], Any]) -> None:
        """Send and send again until it is enough."""
        deadline = time.monotonic() + SECONDS
        while not is_enough():
            assert time.monotonic() < deadline, f"only {Counter(reply.pid for reply in self.replies)}"
            self.each(send, range(4 * WORKERS))


def send_hostile(disclosure: Disclosure, number: int) -> None:
    """Send a request whose line is short or long, or made to look like several."""
    path = f"/{'page' if number % 3 else 'missing'}/{number}-{'x' * (number % 5 * 300)}?secret=1"
    disclosure.ask(path, headers=HOSTILE if number % 2 else {})


@dataclass(frozen=True)
class Kept:
    """A visitor's cookies, and the workers that set them."""

    name: str
    session_pid: int
    consent_pid: int
    cookies: dict[str, str]


@pytest.fixture(scope="module")
def disclosure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disclosure]:
    """Start four workers at once on a directory without state."""
    with start_crowd(tmp_path_factory.mktemp("crowd")) as disclosure:
        yield disclosure


@contextmanager
def start_crowd(directory: Path) -> Iterator[Disclosure]:
    arguments = ("--factory", "--workers", str(WORKERS), "--no-access-log")
    env = {"SHOP_TRUSTED": LOOPBACK, "SHOP_RACERS": str(WORKERS)}
    log_file = directory / "server.log"
    with spawned("servers.shop:make_app", *arguments, env=env, cwd=directory, log_file=log_file) as server:
        yield Disclosure(server, directory)


def test_every_worker_reads_the_cookies_of_every_other(disclosure: Disclosure) -> None:
    kept: list[Kept] = []
    pairs: set[tuple[int, int]] = set()
    consent_pairs: set[tuple[int, int]] = set()

    def keep(number: int) -> None:
        name = f"visitor-{len(disclosure.replies)}-{number}"
        session = disclosure.ask(f"/keep?name={name}", method="POST")
        consent = disclosure.ask(
            "/_cg/consent", method="POST", headers=SAME_ORIGIN, body='{"choice": "accept", "next": "/"}'
        )
        kept.append(Kept(name, session.pid, consent.pid, session.cookies | consent.cookies))

    def read(_: int) -> None:
        visitor = random.choice(kept)
        reply = disclosure.ask("/state", cookies=visitor.cookies)
        assert read_back(reply) == (visitor.name, [[visitor.name, 2]], f"C-{visitor.name}", ALL_PURPOSES)
        pairs.add((visitor.session_pid, reply.pid))
        consent_pairs.add((visitor.consent_pid, reply.pid))

    disclosure.until(lambda: len({one.session_pid for one in kept}) == WORKERS, keep)
    disclosure.until(lambda: len({one.consent_pid for one in kept}) == WORKERS, keep)
    disclosure.until(lambda: len(pairs) == len(consent_pairs) == WORKERS**2, read)

    assert disclosure.has_all_workers()
    assert len(list((disclosure.directory / f"{STATE}-keys").glob("*keyring*"))) == 1
    assert "forged" not in disclosure.server.log
    assert "unknown key" not in disclosure.server.log


def test_every_line_of_every_worker_is_whole_and_none_is_lost(tmp_path: Path) -> None:
    with start_crowd(tmp_path) as disclosure:
        disclosure.each(lambda number: send_hostile(disclosure, number), range(REQUESTS))
        disclosure.until(disclosure.has_all_workers, lambda _: send_hostile(disclosure, REQUESTS))
        disclosure.server.stop()

    logs = sorted((disclosure.directory / STATE / "logs").iterdir())
    assert sorted(int(log.stem.rpartition("-")[2]) for log in logs) == sorted(disclosure.server.workers)
    per_pid = Counter(reply.pid for reply in disclosure.replies)
    matches = []
    for log in logs:
        *lines, rest = log.read_text("ascii").split("\n")
        assert rest == ""
        assert len(lines) == per_pid[int(log.stem.rpartition("-")[2])]
        assert [line for line in lines if not LINE.fullmatch(line)] == []
        matches += [LINE.fullmatch(line) for line in lines]
    paths = Counter(match["path"].partition("-")[0].rpartition("/")[2] for match in matches if match)
    assert len(matches) == len(disclosure.replies) == REQUESTS + paths[str(REQUESTS)]
    assert all(paths[str(number)] == 1 for number in range(REQUESTS))
    assert {match["address"] for match in matches if match} == {"127.0.0.0", "84.17.5.0"}
    print(f"{len(matches)} whole lines of {dict(per_pid)}")


def test_one_address_has_one_throttle_key_in_all_workers_until_the_hour_ends(disclosure: Disclosure) -> None:
    first_hour = NOON + timedelta(days=1)
    hours = [first_hour + timedelta(hours=later) for later in range(4)]
    seen: dict[datetime, dict[str, str]] = {}
    files: list[list[str]] = []
    for hour in hours:
        set_clock(disclosure.directory, hour)
        seen[hour] = keys_in_all_workers(disclosure, "84.17.5.164")
        files.append(hour_files(disclosure.directory))

    every_key = [key for keys in seen.values() for key in keys.values()]
    assert len(set(every_key)) == len(hours) * len(PURPOSES)
    assert keys_in_all_workers(disclosure, "84.17.5.165")["login"] not in every_key
    numbers = [int(hour.timestamp()) // 3600 for hour in hours]
    assert files == [[f"hour-{number}" for number in numbers[max(0, at - 1) : at + 1]] for at in range(4)]


def test_an_hourly_key_goes_after_two_hours_even_if_nobody_asks_for_another(disclosure: Disclosure) -> None:
    set_clock(disclosure.directory, NOON)
    keys_in_all_workers(disclosure, "84.17.5.164")
    old = f"hour-{int(NOON.timestamp()) // 3600}"
    set_clock(disclosure.directory, NOON + timedelta(hours=1))
    disclosure.ask("/picture")
    assert old in hour_files(disclosure.directory)

    set_clock(disclosure.directory, NOON + timedelta(hours=2))

    def is_gone() -> bool:
        """A worker looks before the first request of each second: the first one here may come within one."""
        disclosure.ask("/picture")
        return old not in hour_files(disclosure.directory)

    wait_until(is_gone, "the key is gone")


def read_back(reply: Reply) -> tuple[str, list[Any], str, list[str]]:
    """Return what a worker read of a visitor: session, cart, customer, consent."""
    facts = json.loads(reply.text)
    return facts["name"], facts["lines"], facts["customer"], facts["granted"]


def keys_in_all_workers(disclosure: Disclosure, address: str) -> dict[str, str]:
    """Return the throttle keys of an address by purpose, after every worker gave the same ones."""
    answers: dict[int, set[str]] = {}

    def send(_: int) -> None:
        reply = disclosure.ask("/keys", headers={"X-Forwarded-For": address})
        answers.setdefault(reply.pid, set()).add(reply.text)

    disclosure.until(lambda: set(answers) == set(disclosure.server.workers), send)
    distinct = set().union(*answers.values())
    assert len(distinct) == 1
    keys: dict[str, str] = json.loads(distinct.pop())
    return keys


def set_clock(directory: Path, now: datetime) -> None:
    """Put the workers' clock to a time, in one step."""
    draft = directory / "clock.new"
    draft.write_text(now.isoformat())
    draft.rename(directory / CLOCK)


def hour_files(directory: Path) -> list[str]:
    """Name the files of hourly keys, drafts included."""
    return sorted(path.name for path in runtime_place("", directory / STATE).glob("*hour-*"))
