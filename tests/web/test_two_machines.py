"""Two machines of one shop, each with its own memory and state directory, count a visitor of both once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, page, scope_of
from harness.postgres import Postgres, postgres
from harness.servers import wait_until
from harness.stats_engines import new_database
from web.day_key_attack import candidates, derived, dump, opened, pieces, rebuilt, shared

from cookieguard import Config, CookieGuard
from cookieguard.config import StatsSettings, StoreSettings
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.keyring import Keyring
from cookieguard.storage.runtime_directory import runtime_place
from cookieguard.storage.state_directory import StateDirectory, write_private

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TODAY = int(NOW.timestamp()) // 86_400
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
BROWSING = (("accept", "text/html"), ("sec-fetch-dest", "document"), ("user-agent", FIREFOX))
SITE = "shop.example"
VISITORS = 20
KEYRING = Keyring.generate(NOW)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


class Shop:
    """Two machines with one keyring; `store` is the URL of their store, empty for a file on each."""

    def __init__(self, folder: Path, stats: str, store: str) -> None:
        self.stats = stats
        self.states = [folder / "one", folder / "other"]
        self.runtimes: list[Path] = []
        self.workers: list[CookieGuard] = []
        for state in self.states:
            write_private(StateDirectory(state).path / "keyring", KEYRING.dumps().encode())
            self.runtimes.append(runtime_place("", state))
            config = Config(
                state_dir=str(state),
                origins=(f"https://{SITE}",),
                stats=StatsSettings(url=stats, before_consent="hashed"),
                store=StoreSettings(url=store),
            )
            self.workers.append(CookieGuard(page(b"<!doctype html><p>Hello"), config, clock=lambda: NOW))
        for worker in self.workers:
            asyncio.run(begun(worker))

    def keys(self) -> set[bytes | None]:
        counting = [worker._parts.counting for worker in self.workers]
        return {one.keys.key(NOW.date()) for one in counting if one is not None}

    def visit(self) -> None:
        """Let the same visitors visit both machines, and write all hits."""
        for worker in self.workers:
            for number in range(VISITORS):
                client = (f"198.51.100.{number + 1}", 4711)
                ask(worker, scope_of("/about", headers=[*BROWSING], client=client))
            worker.close()

    def counted(self) -> list[tuple[int, int]]:
        """Return views and visitors of today."""
        settings = StatsSettings(url=self.stats)
        with closing(open_engine(settings, self.states[0], environ={}).reader()) as reader:
            return [(one.views, one.visitors) for one in reader.by_day(Days(TODAY, TODAY))]

    def end(self) -> None:
        for worker, runtime in zip(self.workers, self.runtimes, strict=True):
            worker.close()
            shutil.rmtree(runtime, ignore_errors=True)


async def begun(worker: CookieGuard) -> None:
    """Send it the start of the server."""
    messages = iter([{"type": "lifespan.startup"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    inner, worker.app = worker.app, app
    await worker({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    worker.app = inner


@pytest.fixture
def shop(server: Postgres, tmp_path: Path) -> Iterator[Callable[[bool], Shop]]:
    with ExitStack() as ends:

        def start(shares: bool) -> Shop:
            url = new_database(server)
            made = Shop(tmp_path, url, url if shares else "")
            ends.callback(made.end)
            return made

        yield start


def test_visitor_of_two_machines_counts_once(shop: Callable[[bool], Shop]) -> None:
    machines = shop(True)
    wait_until(lambda: len(machines.keys()) == 1, "the machines agreed")

    machines.visit()

    assert machines.counted() == [(2 * VISITORS, VISITORS)]


def test_with_a_store_in_a_file_each_machine_counts_for_itself(shop: Callable[[bool], Shop]) -> None:
    machines = shop(False)

    machines.visit()

    assert machines.counted() == [(2 * VISITORS, 2 * VISITORS)]
    assert not any(
        path.name.startswith("visitor-pair") for one in machines.runtimes for path in one.iterdir()
    )


def test_no_key_and_no_address_follows_from_all_files_and_tables_and_the_keyring(
    shop: Callable[[bool], Shop], server: Postgres
) -> None:
    machines = shop(True)
    wait_until(lambda: len(machines.keys()) == 1, "the machines agreed")
    machines.visit()
    assert machines.counted() == [(2 * VISITORS, VISITORS)]
    (key,) = machines.keys()
    assert key is not None

    tables = dump(machines.stats)
    files = [path for state in machines.states for path in state.rglob("*")]
    wanted = {value for row in tables["cookieguard_visit"] for value in row}
    found = pieces(files, tables)
    tried = candidates(found) | derived(KEYRING)
    agent = FIREFOX.encode()

    def everyone(tried: set[bytes]) -> set[str]:
        return rebuilt(wanted, agent, tried | opened(tables, tried, KEYRING), SITE)

    assert len(shared(tables, KEYRING)["visitor-2026-11-24"]) == 2
    assert len(tried) > 1000
    assert key not in tried
    assert opened(tables, tried, KEYRING) == set()
    assert len(everyone(tried)) == 0
    on_disk = b"".join(path.read_bytes() for path in (server.directory / "data").rglob("*") if path.is_file())
    assert machines.stats.rpartition("/")[2].encode() in on_disk
    assert not any(form in on_disk for form in (key, key.hex().encode()))

    # The control: with a private half of either machine among the copies the key is there, and everybody is found.
    for runtime in machines.runtimes:
        half = (runtime / "visitor-pair-day-20261124").read_bytes()
        assert opened(tables, candidates([*found, half]), KEYRING) == {key}
        assert len(everyone(candidates([*found, half]))) == VISITORS
