"""With every feature on and 200 clients, direct and behind a proxy, no written byte holds an address.

Log, statistics with goals and the owner's countries, spool, vault, day keys, the server's own debug log: all files are
searched after a SIGKILL in the middle, after one while the database was locked, and after a shutdown.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from harness.mmdb import country_database
from harness.servers import LOOPBACK, START_SECONDS
from vectors.world import inside, missing

from cookieguard.features.vault.sealed_events import make_keys, private_key, read_events
from cookieguard.features.vault.vault_records import open_box
from cookieguard.storage.state_directory import StateDirectory
from servers.crowd_abroad import LOOPBACK6, RAISING, Task
from servers.shop import STATE
from servers.traces import FORMS, Address, Written, access_lines, check_nothing_found, cut, draw

CLIENTS = draw(200, seed=21)
CONTROLS = draw(200, seed=22)
COUNTRIES = {"0.0.0.0/1": "DE", "128.0.0.0/1": "AT", "2a00::/16": "FR"}
TODAY = datetime.now(UTC).date()

# Three servers may each take their time to start; half a minute alone, of which `make test` has
# tests/servers/test_no_address.py: real peers, a proxy, an engine that is down.
SECONDS = 5 * START_SECONDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(SECONDS + START_SECONDS),
    pytest.mark.skipif(bool(missing()), reason=f"NO SEARCH OF A WHOLE RUN: {missing()}"),
]


@pytest.mark.parametrize("is_proxied", [True, False], ids=["behind a proxy", "direct peers"])
def test_of_200_clients_no_file_holds_an_address_killed_or_ended(is_proxied: bool, tmp_path: Path) -> None:
    prepared(tmp_path)
    env = {"SHOP_STATS": json.dumps({"mmdb": "../countries.mmdb"})}
    env |= {"SHOP_TRUSTED": f"{LOOPBACK},{LOOPBACK6},::ffff:{LOOPBACK}"} if is_proxied else {}

    answered = inside(
        "servers.crowd_abroad", Task(CLIENTS, is_proxied, tmp_path, env), folder=tmp_path, seconds=SECONDS
    )

    print(dict(answered))
    for number in range(3):
        check_nothing_found(Written(tmp_path / f"run-{number}"), CLIENTS, CONTROLS)
    check_it_was_a_whole_run(tmp_path, answered)
    check_the_vault(tmp_path)
    check_planted_ones_are_found(tmp_path / "run-2")


def prepared(folder: Path) -> None:
    """Give the shop keys for its vault, and a country for everybody."""
    (folder / "all").mkdir()
    (folder / "countries.mmdb").write_bytes(country_database(COUNTRIES))
    make_keys(StateDirectory(folder / "all" / STATE), StateDirectory(folder / "private"), today=TODAY, days=3)


def check_it_was_a_whole_run(folder: Path, answered: Counter[str]) -> None:
    """Make sure that there was what is searched: everybody came, and every part wrote."""
    killed, locked, ended = (folder / f"run-{number}" for number in range(3))
    assert answered["page 200"] >= len(CLIENTS) < answered["order 200"]
    assert answered["boom 500"] >= len(CLIENTS[::RAISING])
    assert list((killed / STATE).glob("stats.db-wal"))
    assert list((locked / STATE / "spool").glob("*.spool"))
    assert not list((ended / STATE / "spool").glob("*.spool"))
    assert not (ended / STATE / "stats.db").stat().st_mode & 0o077
    networks = {line.partition(" ")[0] for line in access_lines(ended)}
    assert {cut(client) for client in CLIENTS} <= networks
    found = rows(ended, "SELECT kind, country, count(*), count(DISTINCT key) FROM hit GROUP BY kind, country")
    assert {country for _, country, _, _ in found} == {"DE", "AT", "FR"}
    assert {kind for kind, _, _, _ in found} == {"view", "error", "goal"}
    assert sum(keys for kind, _, _, keys in found if kind == "view") == len(CLIENTS)


def check_the_vault(folder: Path) -> None:
    """Make sure that everybody is in the vault, and that nothing but the day's private key says who."""
    state, private = StateDirectory(folder / "run-2" / STATE), StateDirectory(folder / "private")
    key, other = private_key(private, TODAY), private_key(private, TODAY + timedelta(days=1))
    assert key is not None
    assert other is not None
    events = read_events(state, TODAY)
    assert {str(ip_address(open_box(event, key)["address"])) for event in events} == {
        str(one) for one in CLIENTS
    }
    for event in events:
        with pytest.raises(ValueError, match="sealed to another key"):
            open_box(event, other)


def check_planted_ones_are_found(folder: Path) -> None:
    """Plant addresses that never came where the engine writes, one in each form."""
    planted = dict(zip(FORMS, controls_of(4), strict=False))
    with closing(sqlite3.connect(folder / STATE / "stats.db")) as database, database:
        for form, write in FORMS.items():
            row = (int(planted[form]), form) if form == "packed" else (0, next(iter(write(planted[form]))))
            database.execute("INSERT INTO lost VALUES (?, ?, 1)", row)

    assert Written(folder).traces_of(planted.values()) == dict.fromkeys(FORMS, 1)


def controls_of(version: int) -> list[Address]:
    return [address for address in CONTROLS if address.version == version]


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / STATE / "stats.db")) as database:
        return database.execute(query).fetchall()
