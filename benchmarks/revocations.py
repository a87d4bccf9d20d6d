"""What many revocations cost: 250,000 of one account and of guests while the store is away; a start with 2 million.

`python benchmarks/revocations.py [sqlite|postgres]`; needs the packages of the tests. A worker is a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from secrets import token_hex

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from harness.postgres import postgres
from harness.stores import KEYRING

from cookieguard.config import Config, StoreSettings
from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.sync import StoreSync

FLOOD, ROWS, AT_ONCE = 250_000, 2_000_000, 5_000
DAY = 86_400_000


def main() -> None:
    """Measure one kind of store, or both."""
    for kind in sys.argv[1:] or ["sqlite", "postgres"]:
        if kind == "--start":
            print(json.dumps(start(sys.argv[2])))
            return
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if kind == "sqlite":
                url = f"sqlite:///{directory}/store.db"
                flood(
                    url,
                    partial(move, directory, "store", "aside"),
                    partial(move, directory, "aside", "store"),
                )
                full(f"sqlite:///{directory}/full.db")
            else:
                server = stack.enter_context(postgres())
                flood(server.url, server.stop, server.start)
                full(server.url)


def move(directory: Path, one: str, other: str) -> None:
    """Move a database."""
    (directory / f"{one}.db").rename(directory / f"{other}.db")


def open_store(url: str) -> Callable[[], Store]:
    """Return what opens a store by its URL."""
    return store_opener(Config(store=StoreSettings(url=url)), Path(), environ={}, keyring=KEYRING)


def flood(url: str, take_away: Callable[[], object], bring_back: Callable[[], object]) -> None:
    """Have one account and guests end 250,000 sessions each with the store away; look at what others know then."""
    now = time.time_ns() // 1_000_000
    far = now + 14 * DAY
    one, other = StoreSync(open_store(url)), StoreSync(open_store(url))
    one.begin().result(10)
    other.begin().result(10)
    early = Revocation(Revoked.SESSION, "early", now - DAY, far, "C-early", now - 2 * DAY)
    one.record([early]).result(10)
    take_away()
    before, started = memory(), time.monotonic()
    victim = Revocation(Revoked.SESSION, "victim", now, far, "C-victim", now - DAY)
    one.record([victim])
    for number in range(FLOOD):
        guest = Revocation(Revoked.GUEST, f"guest-{number:018}", now + number, far)
        mine = Revocation(Revoked.SESSION, f"mine-{number:019}", now + number, far, "C-flood", now + number)
        one.record([guest, mine])
        if number % 1_000 == 0:
            time.sleep(0.02)  # about 50,000 a second
    grown = memory() - before
    print(
        f"{url.partition(':')[0]}: {2 * FLOOD} revocations recorded in {time.monotonic() - started:.1f} s, store away"
    )
    bring_back()
    back = time.monotonic()
    while "victim" not in other.revocations.known()[Revoked.SESSION]:
        time.sleep(0.1)
    print(
        f"  the other worker obeys the victim's logout {time.monotonic() - back:.1f} s after the store is back"
    )
    while not (one.revocations.is_certain and other.revocations.is_certain):
        time.sleep(0.1)
    print(f"  both know customers again after {time.monotonic() - back:.1f} s")
    deadline = time.monotonic() + 60
    while one.backlog or one.backlog.covered or other.backlog.covered:
        time.sleep(0.5)
        if time.monotonic() > deadline:
            break
    for store_sync in (one, other):
        counts = {what.value: count for what, count in store_sync.revocations.counts().items() if count}
        is_early = "early" in store_sync.revocations.known()[Revoked.SESSION]
        print(f"  {counts}, cut-off {store_sync.revocations.cutoff}, early {is_early}")
    print(
        f"  memory of this process, both workers: +{grown} MB in the flood, +{memory() - before} MB at most"
    )
    one.close()
    other.close()


def full(url: str) -> None:
    """Start workers on a store of 2 million rows, half guests' and half of one account."""
    now = time.time_ns() // 1_000_000
    store = open_store(url)()
    started = time.monotonic()
    for first in range(0, ROWS, AT_ONCE):
        kind, owner = (Revoked.GUEST, "") if first < ROWS // 2 else (Revoked.SESSION, "C-flood")
        store.record(
            [Revocation(kind, token_hex(11), now + n, now + 14 * DAY, owner, now) for n in range(AT_ONCE)]
        )
    store.close()
    print(f"  {ROWS} rows written in {time.monotonic() - started:.1f} s")
    for _ in range(2):
        told = subprocess.run(
            [sys.executable, __file__, "--start", url], capture_output=True, text=True, check=True
        )
        print(f"  start: {told.stdout.strip()}")


def start(url: str) -> dict[str, object]:
    """Start one worker, and say how long it knew no customer and what it grew by."""
    before, started, cpu = memory(), time.monotonic(), time.process_time()
    store_sync = StoreSync(open_store(url))
    store_sync.begin().result(120)
    while not store_sync.revocations.is_certain:
        time.sleep(0.01)
    seconds, computed = time.monotonic() - started, time.process_time() - cpu
    counts = {what.value: count for what, count in store_sync.revocations.counts().items() if count}
    grown = memory() - before
    store_sync.close()
    return {"seconds": round(seconds, 2), "of CPU": round(computed, 2), "MB": grown, "counts": counts}


def memory() -> int:
    """Return the megabytes this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 2**20


if __name__ == "__main__":
    main()
