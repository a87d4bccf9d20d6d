"""Remember-me on real workers that are killed at any moment, with the store in a file and in PostgreSQL.

Whoever is honest stays logged in, whatever answers are lost; of two who hold the same cookie none does.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path

import pytest
from harness.postgres import postgres
from harness.servers import Process, spawned, wait_until
from harness.stats_engines import new_database

from cookieguard.identity.remember_me import COPY_USED
from servers.clients import Reply, ask
from servers.shop import CLOCK, LOG

WORKERS = 2
BROWSERS = 6
ROUNDS = 100  # over about 39 days
MOST_TABS = 5
LOST = 0.3  # of the answers never arrive
KILL_EVERY = 0.8  # seconds; a worker takes about one to start
ALARM = "remember cookie used elsewhere"
SESSION = "__Host-cg_session"
PAUSES = (0, 5, 70, 700, 3600, 200_000)  # seconds between two rounds, on the shop's clock
KNOWN_WITHIN = 30  # seconds: a worker that starts, and a store that does not count yet


class Browser:
    """Hold the cookies of one browser, and send what its tabs send."""

    def __init__(self, shop: Process, name: str) -> None:
        self.shop, self.name = shop, name
        self.cookies: dict[str, str] = {}
        self.seen: Counter[str] = Counter()

    def log_in(self) -> None:
        """Log in, to be remembered."""
        reply = ask(self.shop.port, f"/keep?name={self.name}&remember", method="POST")
        assert reply.status == 200
        self.take(reply)

    def take(self, reply: Reply) -> None:
        """Keep the cookies of an answer."""
        self.cookies |= reply.cookies
        self.cookies = {name: value for name, value in self.cookies.items() if value}

    def open(self, chance: random.Random) -> None:
        """Begin without a session, with some tabs at once, and take those answers that arrive."""
        if chance.random() < 0.7:
            self.cookies.pop(SESSION, None)
        with ThreadPoolExecutor(MOST_TABS) as pool:
            replies = list(pool.map(self._ask, range(chance.randrange(1, MOST_TABS + 1))))
        chance.shuffle(replies)
        for reply in replies:
            if reply is None:
                self.seen["killed"] += 1
                continue
            assert reply.status == 200
            facts = json.loads(reply.text)
            is_known = facts["customer"] == f"C-{self.name}"
            self.seen["known" if is_known else "uncertain" if facts["is_uncertain"] else "thrown out"] += 1
            if chance.random() < LOST:
                self.seen["lost"] += 1
            else:
                self.take(reply)

    def _ask(self, _: int) -> Reply | None:
        with suppress(HTTPException, OSError):  # the worker that was to answer was killed
            return ask(self.shop.port, "/state", cookies=dict(self.cookies))
        return None

    @property
    def customer(self) -> str | None:
        """Ask once whose browser this is."""
        reply = self._ask(0)
        assert reply is not None
        self.take(reply)
        customer: str | None = json.loads(reply.text)["customer"]
        return customer


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Process]:
    """Run two workers with one store."""
    if request.param == "sqlite":
        with running(tmp_path, {}) as shop:
            yield shop
        return
    with postgres() as server, running(tmp_path, {"COOKIEGUARD_STORE": new_database(server)}) as shop:
        yield shop


@contextmanager
def running(directory: Path, env: dict[str, str]) -> Iterator[Process]:
    set_clock(directory, datetime.now(UTC))
    arguments = ("--factory", "--workers", str(WORKERS), "--no-access-log")
    log_file = directory / "server.log"
    with spawned("servers.shop:make_app", *arguments, env=env, cwd=directory, log_file=log_file) as shop:
        yield shop


def set_clock(directory: Path, now: datetime) -> None:
    draft = directory / "clock.new"
    draft.write_text(now.isoformat())
    draft.replace(directory / CLOCK)


@contextmanager
def killing(shop: Process, chance: random.Random) -> Iterator[list[int]]:
    """Kill a worker again and again, whatever it is at; its server starts another one."""
    stop, killed = threading.Event(), list[int]()

    def kill() -> None:
        while not stop.wait(chance.uniform(0.5, 1.5) * KILL_EVERY):
            alive = [pid for pid in shop.workers if Path(f"/proc/{pid}").exists()]
            if len(alive) < WORKERS:  # one is starting
                continue
            victim = chance.choice(alive)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow  # tests/web/test_remember_races.py loses answers between two workers in one process
def test_lost_answers_and_killed_workers_keep_customers_logged_in_and_a_copied_cookie_ends_both(
    shop: Process,
) -> None:
    assert shop.log_file is not None
    directory, chance, now = shop.log_file.parent, random.Random(7), datetime.now(UTC)
    browsers = [Browser(shop, f"b{number}") for number in range(BROWSERS)]
    for browser in browsers:
        browser.log_in()

    with killing(shop, chance) as killed:
        for number in range(ROUNDS):
            with ThreadPoolExecutor(BROWSERS) as pool:
                seeds = [random.Random(f"{number} {browser.name}") for browser in browsers]
                list(pool.map(Browser.open, browsers, seeds))
            now += timedelta(seconds=chance.choice(PAUSES))
            set_clock(directory, now)

    seen = sum((browser.seen for browser in browsers), Counter[str]())
    print(dict(seen), f"{len(killed)} kills, {(now - datetime.now(UTC)).days} days")
    for browser in browsers:
        wait_until(lambda browser=browser: browser.customer, "known again", seconds=KNOWN_WITHIN)  # type: ignore[misc]
    assert seen["thrown out"] == 0
    assert seen["known"] > 10 * seen["uncertain"]
    assert min(seen["lost"], seen["killed"], len(killed)) > 3
    assert ALARM not in (directory / LOG).read_text()

    for browser in browsers:
        steal_from(browser, directory, now)
    assert (directory / LOG).read_text().count(ALARM) >= BROWSERS


def steal_from(browser: Browser, directory: Path, now: datetime) -> None:
    """Have a thief use a copy first: the owner's next visit logs both out and warns the customer."""
    browser.cookies.pop(SESSION, None)
    thief = Browser(browser.shop, browser.name)
    thief.cookies = dict(browser.cookies)
    assert thief.customer == thief.customer == f"C-{browser.name}"
    set_clock(directory, now + timedelta(minutes=2))

    assert browser.customer is None
    wait_until(lambda: thief.customer is None, "the thief is out", seconds=10)

    browser.log_in()
    reply = ask(browser.shop.port, "/state", cookies=browser.cookies)
    assert json.loads(reply.text)["warnings"] == [COPY_USED]
    set_clock(directory, now)
