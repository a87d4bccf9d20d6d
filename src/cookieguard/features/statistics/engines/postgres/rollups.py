"""New hits are added to the sums inside the server, some batches at a time: each is in them once, or not yet.

Which batches are new stands in `cookieguard_batch`, and is changed in the transaction that adds them. So writers need
not wait for it, nor it for them; two of it take turns, since what a visitor is first seen with counts once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cookieguard.features.statistics.engines.postgres.schema import LOCK_SUMS
from cookieguard.features.statistics.engines.sums import Sums, fill
from cookieguard.storage.postgres_connection import Connection
from cookieguard.storage.postgres_database import on_server

STEP_HITS = 20_000  # of one transaction, and a batch more: what a busy machine adds within a second
ALL = 10_000  # steps: more hits than are ever new
STATEMENT_MILLISECONDS = 10_000
# JIT takes longer to compile these than they take; the hits of a step fit into the memory.
SETTINGS = f"""
    SELECT set_config('statement_timeout', '{STATEMENT_MILLISECONDS}', true), set_config('jit', 'off', true),
        set_config('work_mem', '32MB', true), set_config('lock_timeout', %s, true)
"""
IS_ANY_NEW = "SELECT EXISTS (SELECT FROM cookieguard_batch WHERE NOT is_summed)"
NEW = f"""
    SELECT array_agg(number)::text, min(since), (max(day) + 1) * 86400::bigint FROM (
        SELECT *, sum(hits) OVER (ORDER BY number) - hits AS hits_before
        FROM cookieguard_batch WHERE NOT is_summed
    ) AS new WHERE hits_before < {STEP_HITS}
"""  # noqa: S608 - names of ours
FILL = on_server(
    fill(
        "cookieguard_hit WHERE batch = ANY(:numbers::bigint[]) AND time >= :since::bigint AND time < :before::bigint",
        "row_number() OVER (ORDER BY batch, ctid)",
        "known.day BETWEEN :since::bigint / 86400 AND (:before::bigint - 1) / 86400",
    )
)
SUMS = Sums(on_server, ("source", "medium", "campaign"))
DONE = "UPDATE cookieguard_batch SET is_summed = true WHERE number = ANY(%s::bigint[])"


def sum_up(connection: Connection, *, wait: int, steps: int = ALL) -> bool:
    """Add what is new, waiting so many milliseconds for who is at it; tell whether all is. Raises psycopg.Error."""
    for _ in range(steps):
        with _patient(connection), connection.transaction():
            connection.execute(SETTINGS, (str(wait),))
            connection.execute(LOCK_SUMS)
            if not _add_some(connection):
                return True
    return False


def sum_up_here(connection: Connection) -> None:
    """Add all that is new in the transaction that goes on, and let nobody else add until that ends."""
    connection.execute(LOCK_SUMS)
    while _add_some(connection):
        pass


def _add_some(connection: Connection) -> bool:
    """Add a step; tell whether there was one."""
    (numbers, since, before), *_ = connection.execute(NEW, prepare=True).fetchall()
    if numbers is None:
        return False
    SUMS.make(connection)
    connection.execute(FILL, {"numbers": numbers, "since": since, "before": before})
    SUMS.add(connection)
    connection.execute(DONE, (numbers,), prepare=True)
    return True


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    answer_timeout = connection.answer_timeout
    connection.wait_for(STATEMENT_MILLISECONDS)
    try:
        yield
    finally:
        connection.answer_timeout = answer_timeout
