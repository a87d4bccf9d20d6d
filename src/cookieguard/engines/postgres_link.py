"""What every engine in PostgreSQL does alike: a connection that waits no longer than it may, and failures told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

CONNECT_SECONDS = 2  # libpq takes no less
SILENCE_MILLISECONDS = (
    3000  # what was sent and not acknowledged so long makes a silent server one that is down
)
SET = "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)"

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(url: str, *, statement: int, lock: int) -> Connection:
    """Connect, with the milliseconds that a statement and a lock may take; raises psycopg.Error."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=SILENCE_MILLISECONDS,
        client_encoding="utf8",
        application_name="cookieguard",
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=2,
    )
    try:
        connection.execute(SET, (str(statement), str(lock)))
    except psycopg.Error:
        connection.close()
        raise
    return connection


@contextmanager
def telling(down: Callable[[str], Exception]) -> Iterator[None]:
    """Raise what the server and the driver raise as `down`."""
    try:
        yield
    except psycopg.Error as error:
        # Its own words may hold the URL with the password: the kind of error says enough.
        raise down(f"PostgreSQL: {type(error).__name__}") from error
