"""For 372 visitors who agreed, no address can be derived from any file an operator could copy, at any hour."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from harness.servers import LOOPBACK, Process, spawned, wait_until

from cookieguard.storage.runtime_directory import runtime_place
from servers.clients import ask
from servers.rebuilding import rebuilt_from, told_apart
from servers.shop import CLOCK, STATE

SHOP = "servers.shop:make_app"
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
)
HOURS = (
    "2026-11-24T09:00+00:00",
    "2026-11-24T15:30+00:00",
    "2026-11-24T23:58+00:00",
    "2026-11-25T00:20+00:00",
)
Visitor = tuple[str, str]  # address and agent


def draw_visitors() -> list[Visitor]:
    """Draw 272 IPv4 addresses of 8 networks and 100 households of 2 IPv6 networks."""
    source = random.Random(7)
    hosts = {(source.randrange(8), source.randrange(1, 256)) for _ in range(1000)}
    homes = {(source.randrange(2), source.randrange(1, 1 << 16)) for _ in range(200)}
    addresses = [str(IPv4Address((81 << 24) + (net << 8) + host)) for net, host in sorted(hosts)[:272]]
    addresses += [
        str(IPv6Address((0x2A010CB8_0000 + net << 80) + (home << 64) + 0x5EED))
        for net, home in sorted(homes)[:100]
    ]
    # Of one network all have one browser: fewer lines to try out, and an easier attack.
    return [(address, AGENTS[sum(address.encode()[:9]) % len(AGENTS)]) for address in addresses]


VISITORS = draw_visitors()
ADDRESSES = {told_apart(address) for address, _ in VISITORS}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Serve two workers a day long, with a copy of all files at each hour; give the copies, and where the keys are."""
    folder = tmp_path_factory.mktemp("shop")
    copied = tmp_path_factory.mktemp("copies")
    runtime = runtime_place("", folder / STATE)
    env = {
        "SHOP_TRUSTED": LOOPBACK,
        "SHOP_RACERS": "2",
        "SHOP_STATS": json.dumps({"before_consent": "aggregate"}),
    }
    arguments = ("--factory", "--workers", "2")
    (folder / CLOCK).write_text(HOURS[0])
    with spawned(SHOP, *arguments, env=env, cwd=folder, log_file=folder / "server.log") as server:
        agreed = agree(server)
        runtime = runtime_place("", folder / STATE)
        for number, hour in enumerate(HOURS):
            (folder / CLOCK).write_text(hour)
            visit(server, VISITORS[number :: len(HOURS)], agreed)
            until_counted(folder, (number + 1) * len(VISITORS) // len(HOURS))
            shutil.copytree(folder, copied / str(number))
        yield copied, runtime
    shutil.rmtree(runtime)


def agree(server: Process) -> dict[str, str]:
    """Agree once; a choice is not bound to a visitor."""
    headers = {
        "Origin": f"https://{LOOPBACK}:{server.port}",
        "Content-Type": "application/json",
    }
    headers |= {"Sec-Fetch-Site": "same-origin", "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.0"}
    reply = ask(
        server.port,
        "/_cg/consent",
        method="POST",
        headers=headers,
        body='{"choice": "accept", "next": "/page"}',
    )
    assert reply.status == 303, reply.text
    return reply.cookies


def visit(server: Process, visitors: list[Visitor], agreed: dict[str, str]) -> None:
    def come(visitor: Visitor) -> None:
        address, agent = visitor
        headers = {
            "X-Forwarded-For": address,
            "X-Forwarded-Proto": "https",
            "User-Agent": agent,
            "Accept": "text/html",
        }
        assert ask(server.port, "/page", headers=headers, cookies=agreed).status == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come, visitors))


def until_counted(folder: Path, visitors: int) -> None:
    def all_are_there() -> bool:
        try:
            return counted(folder) >= visitors
        except sqlite3.OperationalError:  # the writer's thread has not made the tables yet
            return False

    wait_until(all_are_there, "all were counted")


def counted(folder: Path) -> int:
    """Return of how many visitors there is a key."""
    with closing(sqlite3.connect(folder / STATE / "stats.db")) as database:
        found: int = database.execute("SELECT count(DISTINCT key) FROM hit WHERE key != 0").fetchone()[0]
        return found


def test_no_address_follows_from_what_an_operator_could_copy(copies: tuple[Path, Path]) -> None:
    copied, _ = copies

    assert counted(copied / "3") == len(VISITORS) == 372
    assert len(rebuilt_from(copied) & ADDRESSES) == 0


def test_with_the_keys_planted_among_the_copies_everybody_is_found(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    copied, runtime = copies
    shutil.copytree(copied, tmp_path / "copied")
    shutil.copytree(runtime, tmp_path / "copied" / "runtime")

    assert rebuilt_from(tmp_path / "copied") == ADDRESSES


def test_with_a_raw_log_planted_among_the_copies_everybody_is_found(
    copies: tuple[Path, Path], tmp_path: Path
) -> None:
    copied, _ = copies
    shutil.copytree(copied / "3", tmp_path / "copied")
    lines = [f'{address} - - [x] "GET / HTTP/1.1" 200 1 "-" "{agent}"\n' for address, agent in VISITORS]
    (tmp_path / "copied" / "nginx.log").write_text("".join(lines))

    assert rebuilt_from(tmp_path / "copied") == ADDRESSES


def test_no_key_of_the_day_or_hour_is_in_any_copied_byte(copies: tuple[Path, Path]) -> None:
    copied, runtime = copies
    written = b"".join(path.read_bytes() for path in copied.rglob("*") if path.is_file())
    keys = [path.read_bytes() for path in runtime.iterdir()]

    assert len(keys) >= 2
    assert not any(form in written for key in keys for form in (key, key.hex().encode()))
