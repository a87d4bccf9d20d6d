"""Hours of today are in the shop's time zone, also on days when the clocks change."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from features.statistics.test_sheets import sheet
from features.statistics.test_stats_page import SECOND, Office, people
from harness.asgi import no_app

from cookieguard import CookieGuard
from cookieguard.config import StatsSettings
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.dashboard.time_series import hour_names
from cookieguard.stats.hits import SECONDS_OF_DAY

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def at_zone(guard: Callable[..., CookieGuard], tmp_path: Path) -> Callable[[str], Office]:

    return lambda zone: Office(guard(no_app, stats=StatsSettings(time_zone=zone)), tmp_path / "state")


def hours(zone: str, *date: int) -> list[str]:
    day = int(datetime(*date, tzinfo=UTC).timestamp()) // SECONDS_OF_DAY  # type: ignore[misc]
    return list(hour_names(day, ZoneInfo(zone)).values())


def test_each_hour_is_named_as_clocks_showed_it() -> None:
    assert hours("Europe/Berlin", 2026, 11, 24)[::23] == ["01:00", "00:00"]
    assert hours("Asia/Kolkata", 2026, 11, 24)[:2] == ["05:30", "06:30"]


def test_no_hour_is_named_twice_or_skipped_where_clocks_change() -> None:
    autumn, spring = hours("Europe/Berlin", 2026, 10, 25), hours("Europe/Berlin", 2026, 3, 29)

    assert autumn[:3] == ["02:00 CEST", "02:00 CET", "03:00 CET"]
    assert spring[:3] == ["01:00 CET", "03:00 CEST", "04:00 CEST"]
    assert [len(set(autumn)), len(set(spring))] == [24, 24]


def test_the_day_is_the_same_in_every_zone(at_zone: Callable[[str], Office]) -> None:
    """Twelve hours with enough people each: their bars and names move, the totals and the day do not."""
    office = at_zone("Europe/Berlin")
    office.write([hit._replace(time=SECOND - 3600 * at) for at in range(12) for hit in people(20)])

    text = office.get("range=today").text
    lines = sheet(office, "range=today&table=Course")

    assert "Tue 24 Nov 2026 (UTC; hours as in Europe/Berlin)" in text
    assert "hours as in" not in office.get("range=7").text
    assert [lines[0]["From"], lines[-1]["From"]] == ["01:00", "13:00"]
    assert {one["First day"] for one in lines} == {"2026-11-24"}
    assert re.search(r"<title>13:00: 40 views", text)


@pytest.mark.parametrize("zone", ["Berlin", "", "../../etc/passwd", "Europe/Berlin\n"])
def test_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match=r"stats\.time_zone"):
        StatsSettings(time_zone=zone)


def test_utc_needs_no_table_of_zones() -> None:
    assert StatsSettings().zone is UTC
