"""Measure a view of the demo shop with a cache in front, without one, and without the guard.

Time to first byte is measured by the client. CPU is the scheduler's account of the shop's process, and of the cache's;
the client is a third one. With a cache, each view also reports itself to the shop, which is measured with it and
without. Each row is the median of `ROUNDS` rounds, in which the rows take turns.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from harness.servers import LOOPBACK, launched  # noqa: E402
from servers.shared_caches import (  # noqa: E402
    ADS,
    Cache,
    nginx_cache,
    varnish_cache,
)
from servers.test_cached_volume import AGENTS, PAGES, Visitor  # noqa: E402
from servers.test_shared_caches import states_of  # noqa: E402

from cookieguard.config.cache import CacheSettings  # noqa: E402
from demo_site.settings import guard_config  # noqa: E402
from demo_site.shop.app import create_app  # noqa: E402

ROUNDS, VIEWS = 5, 200
MILLIS = 1000
NANOSECONDS = 1e6  # in a millisecond


class Timed(HTTPConnection):
    """Measure how long the first byte of each answer took."""

    began = waited = 0.0

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        """Send a request."""
        self.began = time.perf_counter()
        super().endheaders(message_body, encode_chunked=encode_chunked)

    def getresponse(self) -> Any:
        """Return the answer, of which status and headers are there."""
        response = super().getresponse()
        self.waited = time.perf_counter() - self.began
        return response


@dataclass
class Row:
    """Be one way to serve the shop: the port that the client asks, and the processes whose CPU counts."""

    name: str
    port: int
    shop: Path
    cache: Path | None = None
    reports: bool = False
    rounds: list[tuple[float, float, float]] = field(default_factory=list)


def main() -> None:
    """Serve the shop in each way and print a row for each."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        folder = Path(directory)
        shops = {}
        for mode in ("none", "private", "shared"):
            (folder / mode).mkdir()
            command = [sys.executable, __file__, "serve", mode, "{port}"]
            log = folder / f"{mode}.log"
            shops[mode] = stack.enter_context(launched(command, cwd=folder / mode, log_file=log))
        edges = {}
        for name, cache in (("nginx", nginx_cache), ("Varnish", varnish_cache)):
            edges[name] = stack.enter_context(cache(shops["shared"].port, folder / name))
        rows = [
            Row("unguarded, no cache", shops["none"].port, folder / "none"),
            Row("guarded, no cache", shops["private"].port, folder / "private"),
        ]
        for name, edge in edges.items():
            around: dict[str, Any] = {"port": edge.port, "shop": folder / "shared", "cache": folder / name}
            rows.append(Row(f"{name}, the page alone", **around))
            rows.append(Row(f"{name}, page and report", **around, reports=True))
        _measure(rows)


def _measure(rows: list[Row]) -> None:
    for number in range(ROUNDS + 1):  # the first warms up
        for row in rows:
            made = _round(row, seed=number)
            if number:
                row.rounds.append(made)
    print(f"{'':28} {'first byte':>10} {'shop CPU':>9} {'cache CPU':>9}  ms, of one view")
    for row in rows:
        figures = [statistics.median(column) for column in zip(*row.rounds, strict=True)]
        print(f"{row.name:28} {figures[0]:10.2f} {figures[1]:9.2f} {figures[2]:9.2f}")


def _round(row: Row, *, seed: int) -> tuple[float, float, float]:
    draw, connection = random.Random(seed), Timed(LOOPBACK, row.port, timeout=60)
    edge = Cache(row.port, connection)
    is_guarded = not row.name.startswith("unguarded")
    states = list(states_of(edge).values()) if is_guarded else [({}, {})]
    for cookies, headers in states:
        for path in PAGES:
            edge.ask(path, cookies=cookies, headers=headers)
    time.sleep(0.5)  # what is written behind the last answer
    before = _cpu(row.shop), _cpu(row.cache)
    waits = []
    for _ in range(VIEWS):
        cookies, headers = draw.choice(states)
        asked: dict[str, Any] = {"cookies": cookies, "headers": headers}
        page = edge.ask(draw.choice(PAGES), **asked)
        waits.append(connection.waited)
        if row.reports:
            visitor = Visitor("198.18.0.1", AGENTS[0], cookies, has_scripts=True, steps=(), led_by="")
            visitor.report(edge, page.text, "/", "")
    time.sleep(0.5)
    connection.close()
    spent = [_cpu(place) - then for place, then in zip((row.shop, row.cache), before, strict=True)]
    return statistics.median(waits) * MILLIS, spent[0] / VIEWS, spent[1] / VIEWS


def _cpu(place: Path | None) -> float:
    """Return the CPU time of the processes that run in a directory, all of their threads, in milliseconds."""
    tasks = [
        task for one in Path("/proc").glob("[0-9]*") if _runs_in(one, place) for task in one.glob("task/*")
    ]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / NANOSECONDS


def _runs_in(process: Path, place: Path | None) -> bool:
    with suppress(OSError):
        return place is not None and (process / "cwd").resolve().is_relative_to(place)
    return False


def _serve(mode: str, port: int) -> None:
    folder = Path.cwd()
    guard = None
    if mode != "none":
        config = guard_config(
            ads_origin=ADS, state_dir=folder / "state", policy=ROOT / "demo_site" / "policy"
        )
        guard = replace(config, trusted_proxies=("127.0.0.1",), cache=CacheSettings(mode=mode))
    app = create_app(ads_origin=ADS, database=folder / "shop.sqlite3", guard=guard)
    uvicorn.run(app, port=port, log_level="error", proxy_headers=False, timeout_keep_alive=120)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        _serve(sys.argv[2], int(sys.argv[3]))
    else:
        main()
