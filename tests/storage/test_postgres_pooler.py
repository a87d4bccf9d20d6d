"""A PostgreSQL pooler that shares connections between transactions is refused, with the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from harness.postgres import IDENTITY, Postgres, postgres
from harness.servers import LOOPBACK, START_SECONDS, free_port
from harness.stores import KEYRING

from cookieguard.storage import postgres_connection
from cookieguard.storage.store.postgres import PostgresStore
from cookieguard.storage.store.protocol import StoreDown

POOLER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
SETTINGS = """
[databases]
postgres = host={host} port={server} dbname=postgres user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
"""


class Pooled:
    """A connection that gets these server processes, one query after the other."""

    def __init__(self, *places: int) -> None:
        self.info = SimpleNamespace(backend_pid=-1)
        self._places = cycle(places)

    def execute(self, _: str) -> list[tuple[int]]:
        return [(next(self._places),)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("own", "others", "is_shared"),
    [
        pytest.param((7,), (8,), False, id="each has its own"),
        pytest.param((7,), (7,), True, id="the other one gets ours"),
        pytest.param((7,), (8, 9, 7), True, id="it does once nobody else is faster"),
        pytest.param((7, 7, 8), (9,), True, id="ours is another one now"),
    ],
)
def test_connection_is_shared_where_its_place_is(
    own: tuple[int, ...], others: tuple[int, ...], is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Any = Pooled(*others)
    monkeypatch.setattr(postgres_connection, "_opened", lambda _: other)
    connection: Any = Pooled(*own)

    if is_shared:
        with pytest.raises(psycopg.OperationalError):
            postgres_connection._require_own(connection, "")
    else:
        postgres_connection._require_own(connection, "")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@contextmanager
def pooler(server: Postgres, directory: Path, mode: str) -> Iterator[str]:
    """Run PgBouncer, and give the URL behind it."""
    port, settings = free_port(), directory / "pgbouncer.ini"
    settings.write_text(SETTINGS.format(host=LOOPBACK, server=server.port, port=port, mode=mode))
    for path in (settings, *list(settings.parents)[:3]):
        with suppress(OSError):
            path.chmod(0o755)
    running = subprocess.Popen([str(POOLER), "-q", str(settings)], stderr=sys.stderr, **IDENTITY)
    url = f"postgresql://postgres@{LOOPBACK}:{port}/postgres"
    try:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=1):
                break
            time.sleep(0.05)
        yield url
    finally:
        running.terminate()
        running.wait()


@pytest.mark.skipif(POOLER is None, reason="needs pgbouncer")
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_pooler_is_refused_unless_it_leaves_a_connection_its_place(
    server: Postgres, tmp_path: Path, mode: str
) -> None:
    with pooler(server, tmp_path, mode) as url:
        if mode == "session":
            store = PostgresStore(url, KEYRING)
            assert store.write("cart", "c:1", b"{}", until=2**60) == 1
            store.close()
        else:
            with pytest.raises(StoreDown, match="pool_mode = session"):
                PostgresStore(url, KEYRING)
        with psycopg.connect(url, autocommit=True) as app:
            assert app.execute("SHOW statement_timeout").fetchone() == ("0",)
