"""No export holds an address or a user agent in any readable form; a planted one is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
from harness.asgi import ask, page, scope_of
from servers.traces import Address, Written, check_nothing_found, draw
from stats.traffic import PLAIN
from web.test_hits import NOW, TODAY

from cookieguard import CookieGuard
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.features.statistics.export.formats import FORMATS
from cookieguard.features.statistics.export.tables import hits_table, sums_table
from cookieguard.stats.hits import Batch, Dimension

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0 Marked/{}"


def visit(guarded: CookieGuard, client: Address, number: int) -> None:
    headers = [
        ("accept", "text/html"),
        ("sec-fetch-dest", "document"),
        ("user-agent", AGENT.format(number)),
        ("referer", f"https://search.example/?q={client}"),
    ]
    ask(guarded, scope_of("/", headers=headers, client=(str(client), 4711), query=f"from={client}"))


def export(database: Path, out: Path) -> None:
    """Write a day in each way, Parquet in the clear beside itself, since it is compressed."""
    out.mkdir()
    reader = SqliteFigures(database)
    for what, table in (
        ("sums", lambda: sums_table(reader, TODAY, list(Dimension))),
        ("hits", lambda: hits_table(reader, TODAY)),
    ):
        for file_format, to_bytes in FORMATS.items():
            (out / f"{what}.{file_format}").write_bytes(to_bytes(table()))
        rows = (
            duckdb.connect()
            .execute("SELECT * FROM read_parquet(?)", [str(out / f"{what}.parquet")])
            .fetchall()
        )
        (out / f"{what}.rows").write_text(repr(rows))
    reader.close()


def test_exports_hold_no_address_and_no_user_agent(guard: Callable[..., CookieGuard], tmp_path: Path) -> None:
    clients, controls = draw(60, seed=1), draw(60, seed=2)
    guarded = guard(page(b"<!doctype html><p>Hello"))
    for number, client in enumerate(clients):
        visit(guarded, client, number)
    guarded.close()
    database = tmp_path / "state" / "stats.db"

    export(database, tmp_path / "exports")

    written = Written(tmp_path / "exports")
    assert (tmp_path / "exports" / "hits.csv").read_text().count("Firefox") == len(clients)  # they are there
    check_nothing_found(written, clients, controls)
    assert not written._holds("Marked/")
    assert not written._holds("Gecko")

    plant(database, clients[1])
    export(database, tmp_path / "planted")
    planted = Written(tmp_path / "planted")
    assert planted.traces_of(clients)["text"] == 1
    assert planted._holds("Marked/")


def plant(database: Path, client: Address) -> None:
    engine = SqliteHits(database)
    hit = PLAIN._replace(time=int(NOW.timestamp()), page=f"/{client}", browser=AGENT.format(1))
    engine.write(Batch("planted", [hit], {}, {}))
    engine.close()
