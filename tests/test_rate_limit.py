"""Rate limits by key: so many turns in a period, also for clients with many keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cookieguard.rate_limit import MOST_KEYS, RateLimit

NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)


def test_so_many_turns_in_a_span_and_again_in_the_next() -> None:
    limit = RateLimit(2, seconds=3600)

    assert [limit.take("ada", NOW) for _ in range(3)] == [True, True, False]
    assert limit.take("grace", NOW)
    assert limit.take("ada", NOW + timedelta(hours=1))


def test_client_with_very_many_keys_uses_up_no_other_clients_turns() -> None:
    limit = RateLimit(1, seconds=3600)

    for network in range(2 * MOST_KEYS):
        limit.take(f"network {network}", NOW)

    assert limit.take("ada", NOW)
    assert not limit.take("ada", NOW)
    assert len(limit.taken) == MOST_KEYS
