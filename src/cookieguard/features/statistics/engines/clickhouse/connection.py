"""What readers and writers of ClickHouse do alike: a client that waits no longer than it may, and failures told."""

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
# A query holds no text of a visitor, but what it asks for should not lie in the server's log of queries either.
SETTINGS = {
    "log_queries": 0,
    "mutations_sync": 2,
    "allow_nondeterministic_mutations": 1,  # which rows are closed is asked of another table
    "do_not_merge_across_partitions_select_final": 1,  # a row written again has the same day
}
_CODE = re.compile(r"Code: (\d+)")


def path_of(url: str) -> Path | None:
    """Return the directory of an embedded engine, None for a server."""
    return Path(url.removeprefix(EMBEDDED)).absolute() if url.startswith(EMBEDDED) else None


def connect(url: str, *, seconds: int) -> Client:
    """Connect, with the seconds that an answer may take; raises ClickHouseError, and OSError where no file may be.

    An embedded engine is opened by one process at a time.
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
    """Return a URL without its query, whether that asks for TLS, and which settings of the server it names."""
    dsn, _, query = url.partition("?")
    settings = dict(parse_qsl(query))
    return dsn, settings.pop("secure", "false") == "true", settings


@contextmanager
def telling(down: Callable[[str], Exception]) -> Iterator[None]:
    """Raise what the server and the driver raise as `down`."""
    try:
        yield
    except ClickHouseError as error:
        # Its own words may hold the URL with the password: the kind of error and its number say enough.
        code = _CODE.search(str(error))
        number = f", code {code[1]}" if code else ""
        raise down(f"ClickHouse: {type(error).__name__}{number}") from error
    except OSError as error:
        raise down(f"ClickHouse: {error.strerror or type(error).__name__}") from error
