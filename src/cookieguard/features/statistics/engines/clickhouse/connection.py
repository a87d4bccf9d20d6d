"""Connects to ClickHouse with a limit on waiting, and turns the driver's errors into ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

EMBEDDED = "chdb:///"
CONNECT_SECONDS = 2
# Queries contain no visitor's text, but the values that they ask for should not be in the server's query log either.
SETTINGS = {
    "log_queries": 0,
    "mutations_sync": 2,
    "allow_nondeterministic_mutations": 1,  # deletions use a subquery on another table
    "do_not_merge_across_partitions_select_final": 1,  # a repeated row has the same day, so the same partition
}
_CODE = re.compile(r"Code: (\d+)")


def path_of(url: str) -> Path | None:
    """Return the directory of an embedded engine, or None for a server."""
    return Path(url.removeprefix(EMBEDDED)).absolute() if url.startswith(EMBEDDED) else None


def connect(url: str, *, seconds: int) -> Client:
    """Connect, with a limit in seconds for each answer; raises ClickHouseError, or OSError if no file can be written.

    Only one process at a time can open an embedded engine.
    """
    path = path_of(url)
    if path is not None:
        path.mkdir(mode=0o700, exist_ok=True)
        return clickhouse_connect.get_client(dsn=f"{EMBEDDED.removesuffix('/')}{path}", settings=SETTINGS)
    dsn, secure, settings = _parts(url)
    return clickhouse_connect.get_client(
        dsn=dsn,
        secure=secure,
        settings=SETTINGS | settings,
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=seconds,
        query_retries=0,
        autogenerate_session_id=False,
        client_name="cookieguard",
    )


def _parts(url: str) -> tuple[str, bool, dict[str, str]]:
    """Return a URL without its query string, whether that asks for TLS, and the server settings in it."""
    dsn, _, query = url.partition("?")
    settings = dict(parse_qsl(query))
    return dsn, settings.pop("secure", "false") == "true", settings


@contextmanager
def telling(down: Callable[[str], Exception]) -> Iterator[None]:
    """Turn errors of the server and the driver into `down`."""
    try:
        yield
    except ClickHouseError as error:
        # The error's text may contain the URL with the password, so only its type and number are shown.
        code = _CODE.search(str(error))
        number = f", code {code[1]}" if code else ""
        raise down(f"ClickHouse: {type(error).__name__}{number}") from error
    except OSError as error:
        raise down(f"ClickHouse: {error.strerror or type(error).__name__}") from error
