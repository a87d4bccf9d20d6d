"""No byte that cookieguard, uvicorn or the shop wrote during a whole run holds a client's address.

Each run has 200 clients, IPv4 and IPv6, and a shop that writes down all it sees. What is searched is its whole
directory: keys, access logs, the shop's own log with the local values of its tracebacks, what the server printed.
As many addresses that never came are looked for as well, since short needles turn up by chance.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from harness.quick import some_of
from harness.servers import LOOPBACK, ROOT, START_SECONDS, spawned

from servers.clients import ask, chat
from servers.shop import LOG, STATE, THROTTLED
from servers.traces import FORMS, Address, Written, access_lines, check_nothing_found, cut, draw, draw_peers

CLIENTS = draw(200, seed=11)
CONTROLS = draw(200, seed=12)
PEERS = draw_peers(60, seed=13)
PEER_CONTROLS = draw_peers(60, seed=14)
SHOP = "servers.shop:make_app"
OUTPUT = "server.log"
# Every fifth, of both families, comes to what raises: each time a page full of local values is written.
RAISING = {*CLIENTS[::5], *PEERS[::5]}
PROXIED = ("--factory", "--log-level", "debug", "--access-log")
UNDER_PROXY = {"SHOP_TRUSTED": LOOPBACK}
UNGUARDED = {"SHOP_GUARD": "off"}
# Who says nothing of a browser is a bot, and has no visitor key.
BROWSER = {
    "Accept": "text/html",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
}
# Where the machine is so busy that this takes over 30 s, the hourly job has run too and noted when.
STATE_FILES = (".gitignore", "asked.json", "logs", "store.db", "stats.db", "spool", "retention", "journal")

Visit = Callable[[int, Address], None]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Written]:
    """Serve the shop in a directory of its own, let every client come, and return what was written."""

    def serve(arguments: tuple[str, ...], clients: list[Address], visit: Visit, **env: str) -> Written:
        log_file = tmp_path / OUTPUT
        env = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), **env}
        with spawned(SHOP, *arguments, env=env, cwd=tmp_path, log_file=log_file) as server:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda client: visit(server.port, client), clients))
            server.stop()
        return Written(tmp_path)

    return serve


def through_a_proxy(port: int, client: Address) -> None:
    """Come through a proxy: one that speaks X-Forwarded-For and X-Real-IP, or one that speaks Forwarded."""
    node = f'"[{client}]:4711"' if client.version == 6 else str(client)
    if CLIENTS.index(client) // 2 % 2:
        headers = {"Forwarded": f"for={node};proto=https;host=shop.example"}
    else:
        headers = {
            "X-Forwarded-For": f"10.1.2.3, {client}",
            "X-Real-IP": str(client),
            "X-Forwarded-Proto": "https",
        }
    visit_everything(port, headers, LOOPBACK, also_raising=client in RAISING)


def as_a_peer(port: int, client: Address) -> None:
    """Come directly."""
    visit_everything(port, {}, str(client), also_raising=client in RAISING)


def visit_everything(port: int, headers: dict[str, str], source: str, *, also_raising: bool) -> None:
    """Make one client's requests: a page, a login, a missing page, a WebSocket; one of each kind that raises."""
    headers = headers | BROWSER
    assert ask(port, "/page", headers=headers, source=source).status == 200
    assert ask(port, "/login", method="POST", headers=headers, source=source).status == 200
    assert ask(port, "/missing", headers=headers, source=source).status == 404
    assert b"hello" in chat(port, "/chat", headers=headers, source=source)
    if also_raising:
        assert ask(port, "/boom", headers=headers, source=source).status == 500
        assert b" 500 " in chat(port, "/boom", headers=headers, source=source)


@pytest.mark.parametrize(
    "reads_headers", some_of(["--proxy-headers", "--no-proxy-headers"], "--proxy-headers")
)
def test_behind_a_trusted_proxy_nothing_written_holds_an_address(
    reads_headers: str, run: Callable[..., Written], tmp_path: Path
) -> None:
    written = run((*PROXIED, reads_headers), CLIENTS, through_a_proxy, **UNDER_PROXY)

    check_nothing_found(written, CLIENTS, CONTROLS)
    check_everything_was_written(tmp_path, CLIENTS)


def test_behind_a_trusted_proxy_the_unguarded_shop_wrote_every_address(run: Callable[..., Written]) -> None:
    written = run(PROXIED, CLIENTS[:40], through_a_proxy, **UNGUARDED)

    assert written.traces_of(CLIENTS[:40])["text"] == 40
    assert written.traces_of(CONTROLS)["text"] == 0


@pytest.mark.slow  # test_whole_run.py has direct peers in make test
def test_server_writes_no_address_of_direct_peers(run: Callable[..., Written], tmp_path: Path) -> None:
    written = run(PROXIED, PEERS, as_a_peer)

    check_nothing_found(written, PEERS, PEER_CONTROLS)
    check_everything_was_written(tmp_path, PEERS)


@pytest.mark.slow
def test_unguarded_server_wrote_every_address_of_direct_peers(run: Callable[..., Written]) -> None:
    written = run(PROXIED, PEERS[:20], as_a_peer, **UNGUARDED)

    assert written.traces_of(PEERS[:20])["text"] == 20


def test_of_public_direct_peers_nothing_written_holds_an_address(tmp_path: Path) -> None:
    run_directly(tmp_path)

    check_nothing_found(Written(tmp_path), CLIENTS, CONTROLS)
    assert len((tmp_path / THROTTLED).read_text().split()) == len(CLIENTS)
    assert len(access_lines(tmp_path)) == 3 * len(CLIENTS) + len(CLIENTS[::5])
    assert all(cut(client) in (tmp_path / LOG).read_text() for client in CLIENTS)


def test_of_public_direct_peers_the_unguarded_shop_wrote_every_address(tmp_path: Path) -> None:
    run_directly(tmp_path, clients=CLIENTS[:40], **UNGUARDED)

    assert Written(tmp_path).traces_of(CLIENTS[:40])["text"] == 40


def test_while_the_engine_is_down_nothing_in_the_spool_holds_an_address(tmp_path: Path) -> None:
    (tmp_path / STATE).mkdir(mode=0o700)
    (tmp_path / STATE / "stats.db").mkdir()  # no database can be opened there

    run_directly(tmp_path, clients=CLIENTS[:80])

    spool = "".join(one.read_text() for one in (tmp_path / STATE / "spool").iterdir())
    assert spool.count('"view"') == 80
    check_nothing_found(Written(tmp_path), CLIENTS[:80], CONTROLS[:80])


@pytest.mark.slow  # test_whole_run.py kills in make test
def test_after_sigkill_nothing_written_holds_an_address(tmp_path: Path) -> None:
    with spawned(SHOP, *PROXIED, env=UNDER_PROXY, cwd=tmp_path, log_file=tmp_path / OUTPUT) as server:
        for client in CLIENTS[:60]:
            through_a_proxy(server.port, client)
        until_counted(tmp_path)
        server.process.kill()

    assert counted(tmp_path)["keyed"] > 0
    check_nothing_found(Written(tmp_path), CLIENTS[:60], CONTROLS[:60])


def test_addresses_planted_among_what_was_written_are_found(tmp_path: Path) -> None:
    run_directly(tmp_path, clients=CLIENTS[:40])
    with next((tmp_path / STATE / "logs").iterdir()).open("ab") as log:
        for form, planted in zip(FORMS, CONTROLS, strict=False):
            writing = next(iter(FORMS[form](planted)))
            log.write(writing.encode() if isinstance(writing, str) else writing)

    assert Written(tmp_path).traces_of(CONTROLS) == dict.fromkeys(FORMS, 1)


def run_directly(directory: Path, *, clients: list[Address] = CLIENTS, **env: str) -> None:
    """Let clients come to the app itself, in a process of its own."""
    names = directory / "clients.txt"
    names.write_text("\n".join(map(str, clients)))
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | env
    command = [sys.executable, "-X", "dev", "-m", "servers.direct"]
    with (directory / OUTPUT).open("wb") as output:
        subprocess.run(
            command, cwd=directory, env=environ, stdout=output, stderr=output, check=True, timeout=240
        )
    names.unlink()


def check_everything_was_written(directory: Path, clients: list[Address]) -> None:
    """Make sure the run had what it was searched for: each client came everywhere, and is known by its network."""
    server, shop = (directory / OUTPUT).read_text(), (directory / LOG).read_text()
    logged = access_lines(directory)

    raised = len(RAISING.intersection(clients))
    assert len(logged) == 3 * len(clients) + raised
    networks = {line.partition(" ")[0] for line in logged}
    for client in clients:
        assert f"{cut(client)}:0" in server
        assert cut(client) in networks
        assert cut(client) in shop
    assert server.count("RuntimeError: broken at") == 2 * raised
    # A frame's local values. The guard's outermost frame has them in each build; those of compiled modules have none.
    assert shop.count("self = <cookieguard.web.middleware.CookieGuard") >= raised
    assert len((directory / THROTTLED).read_text().split()) == len(clients)
    state = {path.name.partition("-")[0] for path in (directory / STATE).iterdir()}
    assert {"logs", "store.db", "stats.db"} <= state <= {*STATE_FILES}
    assert counted(directory) == {"view": len(clients), "error": len(clients) + raised, "keyed": len(clients)}


def until_counted(directory: Path) -> None:
    """Wait until a batch was written, while others are still on their way."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        # the file is there before what is in it
        with suppress(sqlite3.OperationalError):
            if (directory / STATE / "stats.db").exists() and counted(directory)["keyed"]:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def counted(directory: Path) -> dict[str, int]:
    """Return how many views and errors statistics hold, and of how many visitors there is a key."""
    with closing(sqlite3.connect(directory / STATE / "stats.db")) as connection:
        kinds = dict(connection.execute("SELECT kind, count(*) FROM hit GROUP BY kind"))
        ((keyed,),) = connection.execute("SELECT count(DISTINCT key) FROM hit WHERE key != 0")
    return {**kinds, "keyed": keyed}
