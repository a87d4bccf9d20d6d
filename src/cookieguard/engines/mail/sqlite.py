"""The outbox in a SQLite file of its own, beside the store: a long run holds up no logout."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cookieguard.engines.mail.protocol import Claimed, Outbox, OutboxDown, Outcome, Row, State
from cookieguard.policy.ledger import Run
from cookieguard.storage.sqlite_file import make_file, open_file, telling, writing

BUSY_SECONDS = 10.0  # senders wait for each other: no page does
# FULL: what was noted as handed over stays so after a power cut.
PRAGMAS = ("PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON")
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, secret TEXT NOT NULL, is_filled INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS mail (
        run TEXT NOT NULL, who TEXT NOT NULL, recipient TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0,
        due INTEGER NOT NULL DEFAULT 0, lease TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
        uncertain INTEGER NOT NULL DEFAULT 0, reply TEXT NOT NULL DEFAULT '', PRIMARY KEY (run, who)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS mail_due ON mail (run, due, who) WHERE state < 3",
)
BEGIN = "INSERT INTO run VALUES (?, ?, 0) ON CONFLICT (name) DO NOTHING"
SECRET = "SELECT secret FROM run WHERE name = ?"  # noqa: S105  # a statement
ADD = "INSERT INTO mail (run, who, recipient, state, reply) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
FILL = "UPDATE run SET is_filled = 1 WHERE name = ?"
IS_FILLED = "SELECT is_filled FROM run WHERE name = ?"
CLAIM = """
    UPDATE mail SET uncertain = uncertain + (state = 2), state = 1, due = :until, lease = :lease, tries = tries + 1
    WHERE run = :run AND who IN (
        SELECT who FROM mail WHERE run = :run AND state < 3 AND due <= :now ORDER BY due, who LIMIT :count
    ) RETURNING run, who, recipient, tries, uncertain
"""
HANDING = """
    UPDATE mail SET state = 2, due = :until
    WHERE run = :run AND who = :who AND lease = :lease AND state = 1 AND due > :now RETURNING run, who
"""
OUTCOME = """
    UPDATE mail SET state = :state, reply = :reply, due = :due, lease = '', uncertain = uncertain + :uncertain,
        recipient = CASE WHEN :state < 3 THEN recipient ELSE '' END
    WHERE run = :run AND who = :who AND lease = :lease
"""
COUNT = """
    SELECT count(*), coalesce(sum(state = 3), 0), coalesce(sum(state = 4), 0), coalesce(sum(uncertain > 0), 0)
    FROM mail WHERE run = ?
"""
REPLIES = "SELECT reply, count(*) FROM mail WHERE run = ? AND state <> 3 AND reply <> '' GROUP BY reply"
NEXT = "SELECT min(due) FROM mail WHERE run = ? AND state < 3"
SECRETS = "SELECT name, secret FROM run"
WITHDRAW = "DELETE FROM mail WHERE run = ? AND who = ? AND state < 3"
FORGET = ("DELETE FROM mail WHERE run = ?", "DELETE FROM run WHERE name = ?")


class SqliteOutbox:
    """Be an Outbox in a file, made with mode 0600 where there is none."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        with telling(OutboxDown):
            make_file(path, OutboxDown)
            self._connection = open_file(path, PRAGMAS, busy_seconds=BUSY_SECONDS)
        with self._writing():
            for statement in SCHEMA:
                self._connection.execute(statement)

    def begin(self, run: str, secret: str) -> str:
        """Make a run."""
        with self._writing():
            self._connection.execute(BEGIN, (run, secret))
            return str(self._connection.execute(SECRET, (run,)).fetchone()[0])

    def add(self, run: str, rows: Sequence[Row], state: State = State.WAITING, reply: str = "") -> int:
        """Add messages."""
        with self._writing():
            before = self._connection.total_changes
            self._connection.executemany(ADD, ((run, *row, int(state), reply) for row in rows))
            return self._connection.total_changes - before

    def fill(self, run: str) -> None:
        """Note that a run is whole."""
        with self._writing():
            self._connection.execute(FILL, (run,))

    def claim(self, runs: Sequence[str], count: int, *, lease: str, seconds: float) -> list[Claimed]:
        """Lease messages."""
        found: list[Claimed] = []
        with self._writing():
            for run in self._filled(runs):
                values = {"run": run, "count": count - len(found), "lease": lease, **self._times(seconds)}
                found += [Claimed(*row) for row in self._connection.execute(CLAIM, values)]
        return found

    def step(
        self, handing: Sequence[tuple[str, str]], outcomes: Sequence[Outcome], *, lease: str, seconds: float
    ) -> set[tuple[str, str]]:
        """Note outcomes and what is about to be handed over."""
        allowed: set[tuple[str, str]] = set()
        with self._writing():
            times = self._times(seconds)
            for one in outcomes:
                self._connection.execute(OUTCOME, self._outcome(one, lease, times["now"]))
            for run, who in handing:
                values = {"run": run, "who": who, "lease": lease, **times}
                allowed.update(self._connection.execute(HANDING, values))
        return allowed

    def count(self, run: str) -> Run:
        """Count messages."""
        with telling(OutboxDown):
            total, sent, refused, uncertain = self._connection.execute(COUNT, (run,)).fetchone()
            is_filled = bool(self._filled([run]))
        return Run(total=total, sent=sent, refused=refused, uncertain=uncertain, is_filled=is_filled)

    def replies(self, run: str) -> Mapping[str, int]:
        """Count replies."""
        with telling(OutboxDown):
            return dict(self._connection.execute(REPLIES, (run,)))

    def wait(self, runs: Sequence[str]) -> float | None:
        """Return when the next is due."""
        with telling(OutboxDown):
            times = [self._connection.execute(NEXT, (run,)).fetchone()[0] for run in self._filled(runs)]
        due = [one for one in times if one is not None]
        return max(0.0, min(due) / 1000 - self._clock()) if due else None

    def secrets(self) -> Mapping[str, str]:
        """Return secrets."""
        with telling(OutboxDown):
            return dict(self._connection.execute(SECRETS))

    def withdraw(self, run: str, who: str) -> None:
        """Delete a message."""
        with self._writing():
            self._connection.execute(WITHDRAW, (run, who))

    def forget(self, run: str) -> None:
        """Delete a run."""
        with self._writing():
            for statement in FORGET:
                self._connection.execute(statement, (run,))

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _filled(self, runs: Sequence[str]) -> list[str]:
        rows = ((run, self._connection.execute(IS_FILLED, (run,)).fetchone()) for run in runs)
        return [run for run, row in rows if row is not None and row[0]]

    def _times(self, seconds: float) -> dict[str, int]:
        now = int(self._clock() * 1000)
        return {"now": now, "until": now + int(seconds * 1000)}

    def _outcome(self, one: Outcome, lease: str, now: int) -> dict[str, object]:
        return {
            "run": one.run,
            "who": one.who,
            "lease": lease,
            "state": int(one.state),
            "reply": one.reply,
            "due": now + int(one.delay * 1000),
            "uncertain": int(one.is_uncertain),
        }

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with telling(OutboxDown), writing(self._connection):
            yield


def opener(path: Path) -> Callable[[], Outbox]:
    """Return what opens the outbox."""
    return lambda: SqliteOutbox(path)
