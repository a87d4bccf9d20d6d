"""The demo as a process: it prints its addresses, its servers answer, and one signal stops them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Return the command that starts the demo, with its files in a temporary folder."""
    files = ["--state-dir", str(tmp_path / "state"), "--database", str(tmp_path / "shop.sqlite3")]
    return [sys.executable, "-m", "demo_site", "--unguarded", *files]


@pytest.fixture
def demo(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the demo on free ports; give the process and the addresses it printed."""
    process = subprocess.Popen(
        [*command, "--shop-port", "0", "--ads-port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    addresses: list[str] = []
    for line in process.stdout:
        addresses += re.findall(r"http://\S+", line)
        if "Ctrl-C" in line:
            break
    yield process, addresses
    process.kill()
    process.wait()
    process.stdout.close()


def fetch(address: str) -> httpx.Response:
    """Open an address as a browser does, where every name under localhost is loopback."""
    parts = urlsplit(address)
    url = f"http://127.0.0.1:{parts.port}{parts.path or '/'}"
    for _ in range(100):
        try:
            return httpx.get(url, headers={"host": parts.netloc}, timeout=60)
        except httpx.ConnectError:
            time.sleep(0.05)
    raise AssertionError(f"nothing answers at {address}")


def test_the_addresses_it_prints_answer(demo: tuple[subprocess.Popen[str], list[str]]) -> None:
    _, (shop, log) = demo

    page = fetch(shop)

    assert "Kiln &amp; Kettle" in page.text
    assert f"{log.removesuffix('/_log')}/tag.js" in page.text
    assert "What we received" in fetch(log).text


def test_a_connection_counts_although_it_asks_for_nothing(
    demo: tuple[subprocess.Popen[str], list[str]],
) -> None:
    _, (_, log) = demo
    before = int(re.findall(r"(\d+) connections", fetch(log).text)[0])

    with socket.create_connection(("127.0.0.1", urlsplit(log).port or 0)):
        after = int(re.findall(r"(\d+) connections", fetch(log).text)[0])

    assert after == before + 2  # the silent one, and the one that asks for the log


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_all_servers(
    demo: tuple[subprocess.Popen[str], list[str]], stop: signal.Signals
) -> None:
    process, addresses = demo
    for address in addresses:
        fetch(address)

    process.send_signal(stop)

    assert process.wait(60) == 0


def test_a_taken_port_is_one_clear_line(command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [*command, "--shop-port", port, "--ads-port", "0"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"The demo cannot start: port {port} is taken; choose another with --shop-port (Address already in use)"
    ]
