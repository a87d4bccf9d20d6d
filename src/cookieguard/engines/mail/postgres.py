"""The outbox in PostgreSQL, for senders on many machines: the server's clock is the one of all leases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cookieguard.engines.mail.protocol import Claimed, Outbox, OutboxDown, Outcome, Row, State
from cookieguard.policy.ledger import Run
from cookieguard.storage.postgres_connection import Reconnecting

STATEMENT_MILLISECONDS, LOCK_MILLISECONDS = 30_000, 10_000  # no page waits for it
MAKE_IN_TURN = "SELECT pg_advisory_xact_lock(hashtext('cookieguard outbox'))"
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS cookieguard_mail_run (
        name TEXT PRIMARY KEY, secret TEXT NOT NULL, is_filled BOOLEAN NOT NULL DEFAULT false
    )""",
    """CREATE TABLE IF NOT EXISTS cookieguard_mail (
        run TEXT NOT NULL, who TEXT NOT NULL, recipient TEXT NOT NULL, state SMALLINT NOT NULL DEFAULT 0,
        due TIMESTAMPTZ NOT NULL DEFAULT '-infinity', lease TEXT NOT NULL DEFAULT '',
        tries INTEGER NOT NULL DEFAULT 0, uncertain INTEGER NOT NULL DEFAULT 0, reply TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, who)
    )""",
    "CREATE INDEX IF NOT EXISTS cookieguard_mail_due ON cookieguard_mail (due) WHERE state < 3",
)
BEGIN = """
    INSERT INTO cookieguard_mail_run (name, secret) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING secret
"""
ADD = """
    INSERT INTO cookieguard_mail (run, who, recipient, state, reply)
    SELECT %s, who, recipient, %s, %s FROM unnest(%s::text[], %s::text[]) AS given (who, recipient)
    ON CONFLICT DO NOTHING
"""
FILL = "UPDATE cookieguard_mail_run SET is_filled = true WHERE name = %s"
CLAIM = """
    UPDATE cookieguard_mail SET uncertain = uncertain + (state = 2)::int, state = 1, lease = %(lease)s,
        due = clock_timestamp() + make_interval(secs => %(seconds)s), tries = tries + 1
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cookieguard_mail
        WHERE state < 3 AND due <= now() AND run = ANY (ARRAY(
            SELECT name FROM cookieguard_mail_run WHERE is_filled AND name = ANY (%(runs)s)
        )) ORDER BY due LIMIT %(count)s FOR UPDATE SKIP LOCKED
    )) RETURNING run, who, recipient, tries, uncertain
"""
HANDING = """
    UPDATE cookieguard_mail AS mail SET state = 2, due = clock_timestamp() + make_interval(secs => %s)
    FROM unnest(%s::text[], %s::text[]) AS given (run, who)
    WHERE mail.run = given.run AND mail.who = given.who AND lease = %s AND state = 1 AND due > clock_timestamp()
    RETURNING mail.run, mail.who
"""
OUTCOME = """
    UPDATE cookieguard_mail AS mail SET state = given.state, reply = given.reply, lease = '',
        due = clock_timestamp() + make_interval(secs => given.delay), uncertain = mail.uncertain + given.uncertain,
        recipient = CASE WHEN given.state < 3 THEN mail.recipient ELSE '' END
    FROM unnest(%s::text[], %s::text[], %s::smallint[], %s::text[], %s::float[], %s::int[])
        AS given (run, who, state, reply, delay, uncertain)
    WHERE mail.run = given.run AND mail.who = given.who AND mail.lease = %s
"""
COUNT = """
    SELECT count(*), count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state = 4),
        count(*) FILTER (WHERE uncertain > 0),
        coalesce((SELECT is_filled FROM cookieguard_mail_run WHERE name = %(run)s), false)
    FROM cookieguard_mail WHERE run = %(run)s
"""
REPLIES = "SELECT reply, count(*) FROM cookieguard_mail WHERE run = %s AND state <> 3 AND reply <> '' GROUP BY reply"
NEXT = """
    SELECT extract(epoch FROM greatest(min(due), clock_timestamp()) - clock_timestamp())::float
    FROM cookieguard_mail WHERE state < 3 AND run = ANY (ARRAY(
        SELECT name FROM cookieguard_mail_run WHERE is_filled AND name = ANY (%s)
    )) HAVING count(*) > 0
"""
SECRETS = "SELECT name, secret FROM cookieguard_mail_run"
WITHDRAW = "DELETE FROM cookieguard_mail WHERE run = %s AND who = %s AND state < 3"
FORGET = (
    "DELETE FROM cookieguard_mail WHERE run = %s",
    "DELETE FROM cookieguard_mail_run WHERE name = %s",
)


class PostgresOutbox(Reconnecting):
    """Be an Outbox in the tables `cookieguard_mail*` of one database, made where there are none.

    A connection that a restart of the server ended is opened anew by the next question.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS, down=OutboxDown)
        with self._open_connection() as connection, connection.transaction():
            connection.execute(MAKE_IN_TURN)
            for statement in SCHEMA:
                connection.execute(statement)

    def begin(self, run: str, secret: str) -> str:
        """Make a run."""
        with self._open_connection() as connection:
            row = connection.execute(BEGIN, (run, secret)).fetchone()
        return secret if row is None else str(row[0])

    def add(self, run: str, rows: Sequence[Row], state: State = State.WAITING, reply: str = "") -> int:
        """Add messages."""
        who, recipients = [one.who for one in rows], [one.recipient for one in rows]
        with self._open_connection() as connection:
            return connection.execute(ADD, (run, int(state), reply, who, recipients)).rowcount

    def fill(self, run: str) -> None:
        """Note that a run is whole."""
        with self._open_connection() as connection:
            connection.execute(FILL, (run,))

    def claim(self, runs: Sequence[str], count: int, *, lease: str, seconds: float) -> list[Claimed]:
        """Lease messages."""
        values = {"runs": list(runs), "count": count, "lease": lease, "seconds": seconds}
        with self._open_connection() as connection:
            return [Claimed(*row) for row in connection.execute(CLAIM, values)]

    def step(
        self, handing: Sequence[tuple[str, str]], outcomes: Sequence[Outcome], *, lease: str, seconds: float
    ) -> set[tuple[str, str]]:
        """Note outcomes and what is about to be handed over."""
        with self._open_connection() as connection, connection.transaction():
            if outcomes:
                columns = (
                    (one.run, one.who, int(one.state), one.reply, one.delay, int(one.is_uncertain))
                    for one in outcomes
                )
                connection.execute(OUTCOME, (*map(list, zip(*columns, strict=True)), lease))
            if not handing:
                return set()
            runs, who = map(list, zip(*handing, strict=True))
            return set(connection.execute(HANDING, (seconds, runs, who, lease)))

    def count(self, run: str) -> Run:
        """Count messages."""
        with self._open_connection() as connection:
            row = connection.execute(COUNT, {"run": run}).fetchone()
        total, sent, refused, uncertain, is_filled = row or (0, 0, 0, 0, False)
        return Run(total=total, sent=sent, refused=refused, uncertain=uncertain, is_filled=is_filled)

    def replies(self, run: str) -> Mapping[str, int]:
        """Count replies."""
        with self._open_connection() as connection:
            return {str(reply): int(count) for reply, count in connection.execute(REPLIES, (run,))}

    def wait(self, runs: Sequence[str]) -> float | None:
        """Return when the next is due."""
        with self._open_connection() as connection:
            row = connection.execute(NEXT, (list(runs),)).fetchone()
        return None if row is None else float(row[0])

    def secrets(self) -> Mapping[str, str]:
        """Return secrets."""
        with self._open_connection() as connection:
            return {str(name): str(secret) for name, secret in connection.execute(SECRETS)}

    def withdraw(self, run: str, who: str) -> None:
        """Delete a message."""
        with self._open_connection() as connection:
            connection.execute(WITHDRAW, (run, who))

    def forget(self, run: str) -> None:
        """Delete a run."""
        with self._open_connection() as connection, connection.transaction():
            for statement in FORGET:
                connection.execute(statement, (run,))


def opener(url: str) -> Callable[[], Outbox]:
    """Return what opens the outbox."""
    return lambda: PostgresOutbox(url)
