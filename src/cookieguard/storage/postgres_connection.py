"""Connections to PostgreSQL: none waits longer than it may, and each failure has a reason in words of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from struct import pack
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

CONNECT_SECONDS = 2  # libpq takes no less
# What was sent and not acknowledged so long makes a silent server one that is down
SILENCE_MILLISECONDS = 3000
SET = "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)"

POOLED = "parted by transactions"
# What the words of libpq, psycopg or the server say of a connection that failed. Only these leave: theirs hold the URL.
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
LOOKS = 10  # others may take a connection that was given back before we do

GRACE_SECONDS = 1.0  # in which a server that answers has said that its own time is over

Waited = TypeVar("Waited")


class ByteaArray(tuple[bytes, ...]):
    """Hold what is sent as bytea[]; psycopg writes a list as text, letter by letter, which costs as much as a query."""

    __slots__ = ()


class _ByteaArrayDumper(psycopg.adapt.Dumper):
    format = psycopg.pq.Format.BINARY
    oid = 1001  # of bytea[] in pg_type; 17 is that of bytea

    def dump(self, obj: ByteaArray) -> bytes:
        if not obj:
            return pack("!iii", 0, 0, 17)
        return b"".join([pack("!iiiii", 1, 0, 17, len(obj), 1), *[pack("!i", len(one)) + one for one in obj]])


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """Be a connection that is closed where the server says nothing for `answer_timeout` seconds.

    A server that is stopped or hangs keeps none of its own time-outs, while the system still acknowledges for it.
    """

    answer_timeout = float(CONNECT_SECONDS)

    def wait(self, gen: PQGen[Waited], interval: float = 0.1, timeout: float | None = None) -> Waited:
        """Wait as psycopg does, and raise OperationalError when that takes too long."""
        try:
            bounded = _bounded(gen, self.answer_timeout)
            if timeout is None:  # psycopg before 3.3 knows none
                return super().wait(bounded, interval)
            return super().wait(bounded, interval, timeout)
        except _Silence as error:
            self.close()
            raise psycopg.OperationalError("silence") from error

    def wait_for(self, milliseconds: int) -> None:
        """Let a statement take so long."""
        self.answer_timeout = milliseconds / 1000 + GRACE_SECONDS


class _Silence(Exception):
    """Say that nothing came for too long."""


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
    """Connect, with the milliseconds that a statement and a lock may take; raises psycopg.Error."""
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
    """Refuse a connection that a pooler shares with others (PgBouncer's pool_mode = transaction).

    Its settings would be theirs, and a lock that one of ours takes would be held by nobody who gives it back.
    """
    if _backend(connection) != connection.info.backend_pid and _is_shared(connection, url):
        raise psycopg.OperationalError(POOLED)


def _is_shared(connection: Connection, url: str) -> bool:
    """Return whether a pooler moves a connection about at the server, or gives its place there to another one."""
    first = _backend(connection)
    # Where there is no room for two, each has its own.
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
    """Let statements take so long, outside of a transaction too; then what is usual."""
    try:
        _let_take(connection, milliseconds)
        yield
    finally:
        with suppress(psycopg.Error):  # one that is gone has its times no more
            _let_take(connection, usual)


def _let_take(connection: Connection, milliseconds: int) -> None:
    connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(milliseconds),))
    connection.wait_for(milliseconds)


@contextmanager
def telling(down: Callable[[str], Exception]) -> Iterator[None]:
    """Raise what the server and the driver raise as `down`."""
    try:
        yield
    except psycopg.Error as error:
        raise down(f"PostgreSQL: {type(error).__name__}{reason_of(error)}") from error


def reason_of(error: psycopg.Error) -> str:
    """Return why a connection or a statement failed, in words of ours; empty for what is none of these."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return PRIVILEGES
    if type(error) is not psycopg.OperationalError:
        return ""
    said = str(error)
    return next((f", {reason}" for words, reason in REASONS if words in said), "")
