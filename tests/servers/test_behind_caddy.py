"""Behind a real Caddy: addresses are anonymous, pages stream, and no response is compressed twice."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest
from harness.servers import LOOPBACK, launched, spawned

PACKAGE = "caddy"
CADDYFILE = """
{{
	admin off
	auto_https off
}}
http://:PORT {{
	bind 127.0.0.1
	@still not path /page
	encode @still gzip
	reverse_proxy 127.0.0.1:{shop_port} {{
		trusted_proxies 127.0.0.1/32
		flush_interval -1
	}}
}}
"""
BALANCER, CLIENT = "127.0.0.1", "127.0.0.9"  # of whom Caddy believes the first
VISITOR, INVENTED = "198.51.100.23", "203.0.113.77"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which(PACKAGE) is None,
        reason=f"NO CADDY: install Debian's {PACKAGE} (apt-get install {PACKAGE})",
    ),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start the shop and Caddy before it."""
    folder = tmp_path_factory.mktemp("caddy")
    shop = spawned(
        "servers.streaming_shop:make_app",
        *("--factory", "--no-proxy-headers"),
        env={"SHOP_STATE": str(folder / "state")},
        cwd=folder,
        log_file=folder / "server.log",
    )
    with shop as server:
        (folder / "template").write_text(CADDYFILE.format(shop_port=server.port))
        script = (
            "sed s/PORT/{port}/ template > Caddyfile && exec caddy run --config Caddyfile --adapter caddyfile"
        )
        environ = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        command = ["sh", "-c", script]
        with launched(command, env=environ, log_file=folder / "caddy.log", cwd=folder) as process:
            yield process.port
            log = (folder / "caddy.log").read_text()
            assert VISITOR not in log
            assert CLIENT not in log


def ask(port: int, path: str, *, source: str = BALANCER, method: str = "GET", **headers: str) -> HTTPResponse:
    """Send a request over a connection of its own, and return the response before its body was read."""
    connection = HTTPConnection(LOOPBACK, port, timeout=60, source_address=(source, 0))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers={"Accept": "text/html", "Accept-Encoding": "identity", **named})
    return connection.getresponse()


def read_until(response: HTTPResponse, word: bytes) -> bytes:
    """Read until a word has come."""
    found = b""
    while word not in found:
        piece = response.read1()
        assert piece, found[-200:]
        found += piece
    return found


def test_the_app_sees_the_network_of_the_client_and_nobody_invents_one(port: int) -> None:
    direct = json.load(ask(port, "/client", source=CLIENT, X_Forwarded_For=INVENTED))
    behind = json.load(ask(port, "/client", source=BALANCER, X_Forwarded_For=f"{INVENTED}, {VISITOR}"))

    assert direct["client"] == "127.0.0.0"
    assert behind["client"] == "198.51.100.0"


def test_a_page_streams_through_caddy_and_is_held_to_its_end(port: int) -> None:
    response = ask(port, "/page", Accept_Encoding="gzip")
    start = read_until(response, b"<p>first</p>")
    assert b"last" not in start

    ask(port, "/go-on", method="POST").read()
    page = start + response.read()

    assert b"<p>last</p>" in page
    assert b"https://ads.example/tag.js" in page
    assert b' src="https://ads.example' not in page


def test_events_stream_through_caddy(port: int) -> None:
    response = ask(port, "/events", Accept="text/event-stream", Accept_Encoding="gzip")
    assert b"last" not in read_until(response, b"first")

    ask(port, "/go-on", method="POST").read()

    assert b"data: last" in response.read()


def test_a_page_that_nobody_coded_is_coded_by_caddy(port: int) -> None:
    response = ask(port, "/plain", Accept_Encoding="gzip")

    assert response.headers.get_all("content-encoding") == ["gzip"]
    assert b"<p>last</p>" in gzip.decompress(response.read())


def test_a_page_that_the_app_coded_is_coded_once(port: int) -> None:
    response = ask(port, "/coded", Accept_Encoding="gzip")

    assert response.headers.get_all("content-encoding") == ["gzip"]
    page = gzip.decompress(response.read())
    assert b"<p>last</p>" in page
    assert b' src="https://ads.example' not in page
    assert b"cg-p" in page
