"""Connections to PostgreSQL with time limits for each step, and with reasons for failures that reveal no URL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from struct import pack
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

CONNECT_SECONDS = 2  # the least that libpq accepts
# A server that does not acknowledge packets for this long counts as down.
SILENCE_MILLISECONDS = 3000
SET = "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)"

POOLED = "parted by transactions"
# Texts in errors of libpq, psycopg or the server, and the reasons to report. The original texts may contain the URL.
REASONS = (
    ("Connection refused", "no server listens at its address"),
    ("resolve host", "its host is unknown"),
    ("authentication failed", "it rejects the user or the password"),
    ("no password supplied", "it asks for a password"),
    ("does not exist", "it has no such user or database"),
    ("too many", "it accepts no more connections"),
    ("starting up", "it is starting up"),
    (
        POOLED,
        "a pooler shares its connection with others: set pool_mode = session, or use the server's own address",
    ),
)
PRIVILEGES = ", its user needs CREATE on the schema"
BACKEND = "SELECT pg_backend_pid()"
LOOKS = 10  # tries to see whether a pooler shares the connection, because other clients may interfere

GRACE_SECONDS = 1.0  # time for a server that still answers to report its own time-out

Waited = TypeVar("Waited")


class ByteaArray(tuple[bytes, ...]):
    """Values sent as a binary bytea[]. psycopg would write a list as text, which takes as long as a query."""

    __slots__ = ()


class _ByteaArrayDumper(psycopg.adapt.Dumper):
    format = psycopg.pq.Format.BINARY
    oid = 1001  # of bytea[] in pg_type; 17 is that of bytea

    def dump(self, obj: ByteaArray) -> bytes:
        if not obj:
            return pack("!iii", 0, 0, 17)
        return b"".join(
            [pack("!iiiii", 1, 0, 17, len(obj), 1), *[pack("!i", len(item)) + item for item in obj]]
        )


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed if the server does not answer for `answer_timeout` seconds.

    A stopped or hanging server does not observe its own time-outs, while its system still acknowledges packets.
    """

    answer_timeout = float(CONNECT_SECONDS)

    def wait(self, gen: PQGen[Waited], interval: float = 0.1, timeout: float | None = None) -> Waited:
        """Wait as psycopg does, and raise OperationalError when that takes too long."""
        try:
            bounded = _bounded(gen, self.answer_timeout)
            if timeout is None:  # psycopg before 3.3 has no such argument
                return super().wait(bounded, interval)
            return super().wait(bounded, interval, timeout)
        except _Silence as error:
            self.close()
            raise psycopg.OperationalError("silence") from error

    def wait_for(self, milliseconds: int) -> None:
        """Allow the answer to a statement to take this long, plus a grace period."""
        self.answer_timeout = milliseconds / 1000 + GRACE_SECONDS


class _Silence(Exception):
    """The server did not answer in time."""


def _bounded(gen: PQGen[Waited], seconds: float) -> PQGen[Waited]:
    end = time.monotonic() + seconds
    try:
        waits_for = next(gen)
        while True:
            ready = yield waits_for
            if not ready and time.monotonic() > end:
                raise _Silence
            waits_for = gen.send(ready)
    except StopIteration as done:
        answer: Waited = done.value
        return answer


def connect(url: str, *, statement: int, lock: int, settings: Sequence[str] = ()) -> Connection:
    """Return a connection; `statement` and `lock` are time limits in milliseconds. Raises psycopg.Error."""
    connection = _opened(url)
    connection.wait_for(statement)
    connection.adapters.register_dumper(ByteaArray, _ByteaArrayDumper)
    try:
        _require_own(connection, url)
        connection.execute(SET, (str(statement), str(lock)))
        for setting in settings:
            connection.execute(setting.encode())
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _opened(url: str) -> Connection:
    return Connection.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=SILENCE_MILLISECONDS,
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=2,
        client_encoding="utf8",
        application_name="cookieguard",
    )


def _require_own(connection: Connection, url: str) -> None:
    """Raise OperationalError if a pooler shares the connection with other clients (PgBouncer, pool_mode = transaction).

    Settings would apply to those clients too, and a lock would stay with a connection that does not release it.
    """
    if _backend(connection) != connection.info.backend_pid and _is_shared(connection, url):
        raise psycopg.OperationalError(POOLED)


def _is_shared(connection: Connection, url: str) -> bool:
    """Return whether a pooler changes the connection's server process, or gives the process to another connection."""
    first = _backend(connection)
    # If the server has no room for a second connection, the pooler does not share the first.
    with suppress(psycopg.Error), closing(_opened(url)) as other:
        for _ in range(LOOKS):
            with other.transaction():
                theirs = _backend(other)
            if theirs == first or _backend(connection) != first:
                return True
    return False


def _backend(connection: Connection) -> Any:
    return next(iter(connection.execute(BACKEND)), (None,))[0]


@contextmanager
def patient(connection: Connection, milliseconds: int, *, usual: int) -> Iterator[None]:
    """Allow statements in the body this many milliseconds, and afterwards `usual`; works outside transactions too."""
    try:
        _let_take(connection, milliseconds)
        yield
    finally:
        with suppress(psycopg.Error):  # a lost connection needs no reset
            _let_take(connection, usual)


def _let_take(connection: Connection, milliseconds: int) -> None:
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(milliseconds),))
    connection.wait_for(milliseconds)


@contextmanager
def telling(down: Callable[[str], Exception]) -> Iterator[None]:
    """Turn errors of the server and the driver into `down`."""
    try:
        yield
    except psycopg.Error as error:
        raise down(f"PostgreSQL: {type(error).__name__}{reason_of(error)}") from error


def reason_of(error: psycopg.Error) -> str:
    """Return why a connection or a statement failed, without text of the server; empty for an unknown reason."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return PRIVILEGES
    if type(error) is not psycopg.OperationalError:
        return ""
    said = str(error)
    return next((f", {reason}" for words, reason in REASONS if words in said), "")
