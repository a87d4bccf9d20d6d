"""The outbox: a database of messages to send. Each belongs to a run, and is leased to one sender at a time.

In SQLite the outbox has a file of its own next to the store's, so that a long run does not delay logouts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cookieguard.config.store import StoreSettings
from cookieguard.errors import CookieGuardError
from cookieguard.mail.runs import Run
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database
from cookieguard.storage.store.open import store_place


class OutboxDown(CookieGuardError):
    """Say that the outbox did not answer. The reason contains no URL and no address."""


class State(IntEnum):
    """The state of a message; the numbers are stored in the tables."""

    WAITING = 0
    CLAIMED = 1
    """A sender has leased it, but has not begun to hand it to the relay."""
    HANDING = 2
    """The relay may have taken it. If the lease ends in this state, it is sent again and counted as uncertain."""
    SENT = 3
    REFUSED = 4


class Row(NamedTuple):
    """Hold a new message: the recipient's pseudonym within the run, and the sealed address."""

    who: str
    recipient: str


class Claimed(NamedTuple):
    """Hold a message that is leased to this sender. `tries` includes the present attempt."""

    run: str
    who: str
    recipient: str
    tries: int
    uncertain: int


class Outcome(NamedTuple):
    """Hold the result of an attempt: the new state, the relay's reply, and the seconds until the next attempt.

    `is_uncertain` says that the relay may have taken the message.
    """

    run: str
    who: str
    state: State
    reply: str = ""
    delay: float = 0.0
    is_uncertain: bool = False


MAKE = (
    """CREATE TABLE IF NOT EXISTS cookieguard_mail_run (
        name TEXT PRIMARY KEY, secret TEXT NOT NULL, is_filled BOOLEAN NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS cookieguard_mail (
        run TEXT NOT NULL, who TEXT NOT NULL, recipient TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0,
        due MOMENT NOT NULL DEFAULT LONG_AGO, lease TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
        uncertain INTEGER NOT NULL DEFAULT 0, reply TEXT NOT NULL DEFAULT '', PRIMARY KEY (run, who)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS cookieguard_mail_due ON cookieguard_mail (run, due, who) WHERE state < 3",
)
TABLES = Tables(
    main="cookieguard_mail",
    steps=(Step(MAKE),),
    down=OutboxDown,
    short=(("cookieguard_mail_run", "run"), ("cookieguard_", "")),
    busy_seconds=10.0,  # only senders wait for each other, not pages
    statement_milliseconds=30_000,
    lock_milliseconds=10_000,
)
BEGIN = "INSERT INTO cookieguard_mail_run VALUES (:run, :secret, false) ON CONFLICT (name) DO NOTHING"
SECRET = "SELECT secret FROM cookieguard_mail_run WHERE name = :run"  # noqa: S105 - SQL
ADD = """
    INSERT INTO cookieguard_mail (run, who, recipient, state, reply) VALUES (:run, :who, :recipient, :state, :reply)
    ON CONFLICT DO NOTHING
"""
FILL = "UPDATE cookieguard_mail_run SET is_filled = true WHERE name = :run"
IS_FILLED = "SELECT is_filled FROM cookieguard_mail_run WHERE name = :run"
CLAIM = """
    WITH claimed AS MATERIALIZED (
        SELECT who FROM cookieguard_mail WHERE run = :run AND state < 3 AND due <= now()
        ORDER BY due, who LIMIT :count /*lock*/
    )
    UPDATE cookieguard_mail SET uncertain = uncertain + CASE WHEN state = 2 THEN 1 ELSE 0 END, state = 1,
        due = later(:seconds), lease = :lease, tries = tries + 1
    WHERE run = :run AND who IN (SELECT who FROM claimed) RETURNING run, who, recipient, tries, uncertain
"""
HANDING = """
    UPDATE cookieguard_mail SET state = 2, due = later(:seconds)
    WHERE run = :run AND who IN (:these) AND lease = :lease AND state = 1 AND due > now() RETURNING run, who
"""
OUTCOME = """
    UPDATE cookieguard_mail SET state = :state, reply = :reply, due = later(:delay), lease = '',
        uncertain = uncertain + :uncertain, recipient = CASE WHEN :state < 3 THEN recipient ELSE '' END
    WHERE run = :run AND who = :who AND lease = :lease
"""
COUNT = """
    SELECT count(*), count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state = 4),
        count(*) FILTER (WHERE uncertain > 0) FROM cookieguard_mail WHERE run = :run
"""
REPLIES = """
    SELECT reply, count(*) FROM cookieguard_mail WHERE run = :run AND state <> 3 AND reply <> '' GROUP BY reply
"""
NEXT = "SELECT seconds_until(due) FROM cookieguard_mail WHERE run = :run AND state < 3 ORDER BY due LIMIT 1"
SECRETS = "SELECT name, secret FROM cookieguard_mail_run"
WITHDRAW = "DELETE FROM cookieguard_mail WHERE run = :run AND who = :who AND state < 3"
FORGET_MAIL = "DELETE FROM cookieguard_mail WHERE run = :run"
FORGET_RUN = "DELETE FROM cookieguard_mail_run WHERE name = :run"


class Outbox:
    """Keeps the messages of runs in SQLite or PostgreSQL. Only one thread at a time may use it.

    Raises OutboxDown. Times are given as durations, because all senders share the database's clock.
    """

    def __init__(self, place: Path | str) -> None:
        self.database = open_database(place, TABLES)

    def begin(self, run: str, secret: str) -> str:
        """Create a run if it does not exist, and return its secret: the one with which it was created."""
        with self.database.transaction():
            self.database.write(BEGIN, run=run, secret=secret)
            return str(self.database.value(SECRET, run=run))

    def add(self, run: str, rows: Sequence[Row], state: State = State.WAITING, reply: str = "") -> int:
        """Add messages in one transaction, and return how many are new: each `who` has one message in a run."""
        values = {"run": run, "state": int(state), "reply": reply}
        return self.database.write_each(ADD, (values | row._asdict() for row in rows))

    def fill(self, run: str) -> None:
        """Mark a run as complete. None of its messages is sent before."""
        self.database.write(FILL, run=run)

    def claim(self, runs: Sequence[str], count: int, *, lease: str, seconds: float) -> list[Claimed]:
        """Lease up to `count` messages that are due or whose lease has ended. No two callers get the same message."""
        found: list[Claimed] = []
        with self.database.transaction():
            for run in self._filled(runs):
                left = count - len(found)
                rows = self.database.rows(CLAIM, run=run, count=left, lease=lease, seconds=seconds)
                found += [Claimed(*row) for row in rows]
        return found

    def step(
        self, handing: Sequence[tuple[str, str]], outcomes: Sequence[Outcome], *, lease: str, seconds: float
    ) -> set[tuple[str, str]]:
        """Store outcomes, and mark messages (run, who) that are about to be handed over, in one transaction.

        Returns the messages that may be handed over; another sender has leased the others meanwhile.
        """
        of_runs = defaultdict[str, list[str]](list)
        for run, who in handing:
            of_runs[run].append(who)
        with self.database.transaction():
            rows = [
                done._asdict()
                | {"state": int(done.state), "uncertain": int(done.is_uncertain), "lease": lease}
                for done in outcomes
            ]
            self.database.write_each(OUTCOME, rows)
            return {
                (run, who)
                for name, these in of_runs.items()
                for run, who in self.database.rows_in(HANDING, these, run=name, lease=lease, seconds=seconds)
            }

    def count(self, run: str) -> Run:
        """Return how many messages of a run were sent, refused and so on."""
        total, sent, refused, uncertain = self.database.row(COUNT, run=run) or (0, 0, 0, 0)
        is_filled = bool(self._filled([run]))
        return Run(total=total, sent=sent, refused=refused, uncertain=uncertain, is_filled=is_filled)

    def replies(self, run: str) -> Mapping[str, int]:
        """Return how often a relay gave each reply to messages that are not sent."""
        return dict(self.database.rows(REPLIES, run=run))

    def wait(self, runs: Sequence[str]) -> float | None:
        """Return in how many seconds the next message is due, or None if no message waits."""
        waits = (self.database.value(NEXT, run=run) for run in self._filled(runs))
        return min((wait for wait in waits if wait is not None), default=None)

    def secrets(self) -> Mapping[str, str]:
        """Return the secret of each run."""
        return dict(self.database.rows(SECRETS))

    def withdraw(self, run: str, who: str) -> None:
        """Delete a message of a run if it is not sent yet."""
        self.database.write(WITHDRAW, run=run, who=who)

    def forget(self, run: str) -> None:
        """Delete a run and its messages."""
        with self.database.transaction():
            self.database.write(FORGET_MAIL, run=run)
            self.database.write(FORGET_RUN, run=run)

    def close(self) -> None:
        self.database.close()

    def _filled(self, runs: Sequence[str]) -> list[str]:
        return [run for run in runs if self.database.value(IS_FILLED, run=run)]


FILE_ENDING = "-outbox.db"


def outbox_opener(
    settings: StoreSettings, state_dir: Path, *, environ: Mapping[str, str]
) -> Callable[[], Outbox]:
    """Return a function that opens the outbox. Raises ConfigError, which never shows the URL."""
    return partial(Outbox, store_place(settings, state_dir, FILE_ENDING, environ=environ))
