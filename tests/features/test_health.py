"""The page Health lists faults first, each with its remedy, and only members with the role see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from features.people.test_staff_guard import Desk
from harness.asgi import Answer, no_app
from harness.retention import retention_of

from cookieguard import CookieGuard, Vendor
from cookieguard.features.hourly_facts import FACTS_FILE

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def groups(answer: Answer) -> dict[str, str]:
    """Return the text of each group by its title."""
    found = re.findall(
        r"<h2[^>]*>([\w ]+?) ?(?:<span[^<]*</span>)?</h2>(.*?)</section>", answer.text, re.DOTALL
    )
    return {title: " ".join(unescape(re.sub("<[^>]+>", " ", text)).split()) for title, text in found}


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    ads = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), country="US")
    return Desk(guard(no_app, vendors=(ads,)), tmp_path / "state")


def test_only_officer_and_owner_open_health(desk: Desk) -> None:
    opened = {
        role
        for role in ("analyst", "support", "officer", "owner")
        if desk.get("/_cg/health", desk.add(role)).status == 200
    }

    assert opened == {"officer", "owner"}


def test_findings_are_grouped_and_each_says_the_next_step(desk: Desk) -> None:
    (desk.state / "copied").touch(0o644)
    retention_of(desk.app.config, lambda: NOW).look()

    found = groups(desk.get("/_cg/health", desk.add("officer")))

    assert "Other users have access to copied Next step: run: chmod" in found["Broken"]
    assert "Its data go to US" not in found["Broken"]
    assert (
        "Ads Its data go to US, and no legal basis for that transfer is given Next step: set transfer"
        in found["Worth a look"]
    )
    assert "Clock Newest time on record" in found["In order"]
    assert "Next step" not in found["In order"]


def test_quick_checks_are_as_they_are_now_and_the_others_of_the_last_hour(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    times = [NOW]
    desk = Desk(guard(no_app, clock=lambda: times[0]), tmp_path / "state")
    before = groups(desk.get("/_cg/health", desk.add("owner")))
    retention_of(desk.app.config, lambda: NOW).look()
    times[0] = NOW + timedelta(hours=40)

    late = desk.get("/_cg/health", desk.add("owner"))

    assert before["Broken"] == "Nothing is broken."
    assert "Disk" in before["In order"]
    assert "Clock" not in before["In order"]
    assert "Checked at 12:00 UTC on 2026-11-24" in late.text
    assert (
        "Retention checked now Last done 2026-11-24T12:00:00Z Next step: run: cookieguard"
        in groups(late)["Broken"]
    )


def test_half_a_file_of_facts_counts_as_none(desk: Desk) -> None:
    for text in ("", "null", "4", '{"at": 4}', '{"at": "2026-11-24T12:00:00+00:00", "findings": null}'):
        (desk.state / FACTS_FILE).write_text(text)

        answer = desk.get("/_cg/health", desk.add("owner"))

        assert (answer.status, "within a minute of the shop's start" in unescape(answer.text)) == (200, True)
