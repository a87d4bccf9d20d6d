"""A record costs PostgreSQL the same in a long log, also for workers whose query plans are older."""

from __future__ import annotations

import psycopg
import pytest
from harness.servers import START_SECONDS

from cookieguard.features.records.values.records import browser, customer, new_id

from .conftest import World, record_of

ROWS = 3000
SEEN_SO_OFTEN = 12  # a plan is kept from the eleventh time on
FILL = f"""
    INSERT INTO cg_log_record (number, id, subject, about, entry, sealed, mac)
    SELECT 1000000 + one, decode(md5(one::text), 'hex'), decode(md5('s' || one), 'hex'), '\\x00', '\\x00', '\\x00', ''
    FROM generate_series(1, {ROWS}) AS one
"""
READ = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'cg_log_record'"


@pytest.mark.parametrize("world", ["postgres"], indirect=True)
def test_no_statement_of_a_record_reads_the_whole_log(world: World) -> None:
    writer = world.writer()
    for number in range(SEEN_SO_OFTEN):
        several = [customer("1"), *[browser(new_id()) for _ in range(number % 2 * 3)]]
        for future in [writer.append(record_of(one)) for one in several]:
            future.result(START_SECONDS)
    with psycopg.connect(world.place.log, autocommit=True) as connection:
        connection.execute(FILL)

        for _ in range(10):
            for one in (customer("1"), browser(new_id())):
                writer.append(record_of(one)).result(START_SECONDS)
            for future in [writer.append(record_of(browser(new_id()))) for _ in range(3)]:
                future.result(START_SECONDS)
        writer.close()

        row = connection.execute(READ).fetchone()
    assert row is not None
    assert row[0] < ROWS
