"""The output of other servers: where a client's address is anonymous too, and where cookieguard cannot reach it.

A server's line is anonymous when it is made from the request's scope after the app had it. Those that are made
before, or without asking the app, hold the peer's address: each has its test here, so that the README's list of
what is not covered stays true.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness.quick import some_of
from harness.servers import LOOPBACK, Process, launched, spawned, wait_until

from servers.clients import ask, chat
from servers.traces import Address, Written, check_nothing_found, draw, draw_peers

HYPERCORN = ("hypercorn", "servers.shop:make_app()", "--bind", "127.0.0.1:{port}", "--access-logfile", "-")
GRANIAN = (
    "granian",
    "servers.shop:make_app",
    "--factory",
    "--interface",
    "asgi",
    "--port",
    "{port}",
    "--access-log",
)
WITH_HEADERS = {
    "hypercorn": ("--access-logformat", "%(h)s %({x-forwarded-for}i)s %(R)s %(s)s"),
    "granian": ("--access-log-fmt", "%(addr)s %(header{x-forwarded-for})s %(path)s %(status)s"),
}
PEERS = draw_peers(20, seed=21)
CLIENTS = draw(20, seed=22)
CONTROLS = [*draw_peers(20, seed=23), *draw(20, seed=24)]
PROXY = {"SHOP_TRUSTED": LOOPBACK}
# What a server does without asking the app changes with the server, not with us.
NEVER_OURS = pytest.mark.slow


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, directory: Path, *arguments: str) -> Process:
    """Start a server that is run as a module, in the directory that is searched."""
    command = [sys.executable, "-m", *arguments]
    return stack.enter_context(launched(command, env=PROXY, cwd=directory, log_file=directory / "server.log"))


def start_uvicorn(stack: ExitStack, directory: Path, *arguments: str) -> Process:
    log_file = directory / "server.log"
    arguments = ("--factory", *arguments)
    return stack.enter_context(
        spawned("servers.shop:make_app", *arguments, env=PROXY, cwd=directory, log_file=log_file)
    )


def ask_as_peers_and_through_a_proxy(server: Process) -> None:
    """Ask for a page, one that raises and a missing one, as every peer and for every client of a proxy."""
    for path in ("/page", "/boom", "/missing"):
        for peer in PEERS:
            ask(server.port, path, source=str(peer))
        for client in CLIENTS:
            ask(server.port, path, headers={"X-Forwarded-For": str(client)})


def chat_as_peers(server: Process) -> None:
    """Open a WebSocket as every peer."""
    for peer in PEERS:
        assert b"hello" in chat(server.port, "/chat", source=str(peer))


def chat_through_a_proxy(server: Process) -> None:
    """Open a WebSocket for every client of a proxy."""
    for client in CLIENTS:
        assert b"hello" in chat(server.port, "/chat", headers={"X-Forwarded-For": str(client)})


def check_nobody_named(server: Process, directory: Path, addresses: list[Address]) -> None:
    """Hold all that was written to what addresses that never came give."""
    server.stop()
    check_nothing_found(Written(directory), addresses, CONTROLS[: len(addresses)])


def named(server: Process, directory: Path, addresses: list[Address]) -> int:
    """Return how many addresses stand in what was written."""
    server.stop()
    return Written(directory).traces_of(addresses)["text"]


@pytest.mark.parametrize(
    "form",
    some_of([(), WITH_HEADERS["hypercorn"]], WITH_HEADERS["hypercorn"]),
    ids=["default", "with headers"],
)
def test_hypercorn_logs_no_address(form: tuple[str, ...], stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path, *HYPERCORN, "--log-level", "debug", *form)

    ask_as_peers_and_through_a_proxy(server)
    chat_as_peers(server)
    chat_through_a_proxy(server)

    check_nobody_named(server, tmp_path, [*PEERS, *CLIENTS])
    assert server.log.count(" 404 ") + server.log.count(" 404\n") == len(PEERS) + len(CLIENTS)


@pytest.mark.parametrize(
    "form", some_of([(), WITH_HEADERS["granian"]], WITH_HEADERS["granian"]), ids=["default", "with headers"]
)
def test_granian_logs_no_address_of_a_request(
    form: tuple[str, ...], stack: ExitStack, tmp_path: Path
) -> None:
    server = start(stack, tmp_path, *GRANIAN, "--log-level", "debug", *form)

    ask_as_peers_and_through_a_proxy(server)

    check_nobody_named(server, tmp_path, [*PEERS, *CLIENTS])
    assert server.log.count(" 404 ") + server.log.count(" 404\n") == len(PEERS) + len(CLIENTS)


@pytest.mark.slow
def test_granian_logs_no_client_of_a_proxy_when_a_websocket_opens(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path, *GRANIAN)

    chat_through_a_proxy(server)

    check_nobody_named(server, tmp_path, CLIENTS)
    assert server.log.count(" 101 ") == len(CLIENTS)


@NEVER_OURS
def test_not_covered_granian_logs_the_peer_of_a_websocket_before_the_app_has_it(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = start(stack, tmp_path, *GRANIAN)

    chat_as_peers(server)

    assert named(server, tmp_path, PEERS) == len(PEERS)


@NEVER_OURS
def test_not_covered_granian_logs_forwarding_headers_of_a_websocket_where_its_format_asks_for_them(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = start(stack, tmp_path, *GRANIAN, *WITH_HEADERS["granian"])

    chat_through_a_proxy(server)

    assert named(server, tmp_path, CLIENTS) == len(CLIENTS)


def test_uvicorn_at_trace_logs_no_client_of_a_proxy_it_does_not_read(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = start_uvicorn(stack, tmp_path, "--log-level", "trace", "--no-proxy-headers")

    for client in CLIENTS:
        ask(server.port, "/page", headers={"X-Forwarded-For": str(client)})
    chat_through_a_proxy(server)

    check_nobody_named(server, tmp_path, CLIENTS)
    assert server.log.count("TRACE:") > len(CLIENTS)


@NEVER_OURS
def test_not_covered_uvicorn_at_trace_logs_every_peer_as_it_connects(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = start_uvicorn(stack, tmp_path, "--log-level", "trace")

    for peer in PEERS:
        ask(server.port, "/page", source=str(peer))

    assert named(server, tmp_path, PEERS) == len(PEERS)


@NEVER_OURS
def test_not_covered_uvicorn_at_trace_logs_clients_of_a_proxy_it_reads_itself(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = start_uvicorn(stack, tmp_path, "--log-level", "trace", "--proxy-headers")

    for client in CLIENTS:
        ask(server.port, "/page", headers={"X-Forwarded-For": str(client)})

    assert named(server, tmp_path, CLIENTS) == len(CLIENTS)


@NEVER_OURS
def test_not_covered_uvicorn_logs_a_peer_it_turns_away_without_asking_the_app(
    stack: ExitStack, tmp_path: Path
) -> None:
    server = start_uvicorn(stack, tmp_path, "--limit-concurrency", "2")
    for _ in range(2):  # connections that say nothing hold both places
        stack.enter_context(socket.create_connection((LOOPBACK, server.port)))

    for peer in PEERS:
        wait_until(lambda peer=peer: ask(server.port, "/page", source=str(peer)).status == 503, "it is full")

    assert named(server, tmp_path, PEERS) == len(PEERS)
