"""The access log's modes in real workers: all encrypt an address alike, and none writes a real one."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

from harness.servers import LOOPBACK, spawned

from servers.clients import ask
from servers.shop import STATE
from servers.traces import Written, access_lines, check_nothing_found, cut, draw

CLIENTS = draw(40, seed=41)
CONTROLS = draw(40, seed=42)
VISITS = 4
LOG = {"addresses": "prefix-daily", "format": "json"}


def test_two_workers_write_one_pseudonym_for_one_address_and_no_address(tmp_path: Path) -> None:
    env = {"SHOP_TRUSTED": LOOPBACK, "SHOP_LOG": json.dumps(LOG), "SHOP_RACERS": "2"}
    arguments = ("--factory", "--workers", "2", "--log-level", "debug", "--access-log")
    with spawned(
        "servers.shop:make_app", *arguments, env=env, cwd=tmp_path, log_file=tmp_path / "log"
    ) as server:

        def visit(number: int) -> int:
            client = CLIENTS[number % len(CLIENTS)]
            headers = {"X-Forwarded-For": str(client), "User-Agent": f"I am {client}"}
            return ask(server.port, f"/page/{number % len(CLIENTS)}", headers=headers).pid

        with ThreadPoolExecutor(4) as pool:
            pids = set(pool.map(visit, range(VISITS * len(CLIENTS))))
        server.stop()

    lines = [json.loads(line) for line in access_lines(tmp_path)]
    assert len(pids) == 2
    assert len(lines) == VISITS * len(CLIENTS)
    seen = Counter((line["request"].split()[1], line["client"]) for line in lines)
    assert sorted(seen.values()) == [VISITS] * len(CLIENTS)  # one path is one client, and has one pseudonym
    assert {ip_address(line["client"]).version for line in lines} == {4, 6}
    assert {line["agent"] for line in lines} == {"I am 0.0.0.0", "I am ::"}
    networks = "".join(file.read_text() for file in (tmp_path / STATE / "logs").iterdir())
    assert not any(cut(client).removesuffix("::").removesuffix(".0") in networks for client in CLIENTS)
    check_nothing_found(Written(tmp_path / STATE), CLIENTS, CONTROLS)  # the shop wrote the user agents down
