"""A sealed box opens only with the day's key, and only unchanged."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cookieguard.features.vault.vault_records import Risk, open_box, seal
from cookieguard.stats.sealed_box import new_key_pair

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
RISK = Risk(event="login", id="ab" * 8, time=NOW, address="203.0.113.77", customer="10042", detail="5th try")


def test_box_opens_with_its_key_and_no_other() -> None:
    private, public = new_key_pair()

    line = json.loads(seal(RISK, public))

    assert open_box(line, private) == {"address": "203.0.113.77", "customer": "10042", "detail": "5th try"}
    assert {name: line[name] for name in line if name != "box"} == {
        "day": "2026-11-24",
        "hour": 12,
        "event": "login",
        "id": "ab" * 8,
    }
    with pytest.raises(ValueError, match="another key"):
        open_box(line, new_key_pair()[0])


@pytest.mark.parametrize(
    ("name", "value"), [("day", "2026-11-25"), ("hour", 13), ("event", "abuse"), ("id", "ac" * 8)]
)
def test_changed_field_next_to_a_sealed_box_is_detected(name: str, value: object) -> None:
    private, public = new_key_pair()
    line = json.loads(seal(RISK, public))

    with pytest.raises(ValueError, match="changed"):
        open_box(line | {name: value}, private)


def test_length_tells_nothing_and_repr_says_nothing() -> None:
    _, public = new_key_pair()
    other = Risk(event="login", id="ab" * 8, time=NOW, address="2001:db8:1:2:3:4:5:6")

    assert len(seal(RISK, public)) == len(seal(other, public))
    assert seal(RISK, public) != seal(RISK, public)
    assert not any(secret in repr(RISK) for secret in ("203.0", "10042", "5th"))
